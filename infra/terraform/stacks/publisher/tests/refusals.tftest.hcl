# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id          = "00000000-0000-4000-8000-000000000000"
  resource_group_name      = "mystira-dev-rg"
  location                 = "eastus"
  tags                     = { Environment = "dev" }
  workspace_id             = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  action_group_id          = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/actionGroups/mystira-shared-dev-alerts"
  name_prefix              = "mystira-pub-dev"
  key_vault_name           = "mystira-pub-dev-kv"
  purge_protection_enabled = false
  purge_vaults_on_destroy  = true
  subnet_id                = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/publisher-subnet"
  servicebus_name          = "mystira-pub-dev-bus"
  servicebus_sku           = "Standard"
  chain_rpc_endpoint       = "http://mystira-chain.mystira-dev.svc.cluster.local:8545"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_bus_name_that_ends_in_sb_is_refused" {
  command = plan

  variables {
    servicebus_name = "mystira-pub-dev-sb"
  }

  expect_failures = [var.servicebus_name]
}

run "a_basic_bus_is_refused" {
  command = plan

  variables {
    servicebus_sku = "Basic"
  }

  expect_failures = [var.servicebus_sku]
}

run "an_endpoint_that_is_no_address_is_refused" {
  command = plan

  variables {
    chain_rpc_endpoint = "mystira-chain:8545"
  }

  expect_failures = [var.chain_rpc_endpoint]
}
