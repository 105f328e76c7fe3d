# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id          = "00000000-0000-4000-8000-000000000000"
  resource_group_name      = "mystira-dev-rg"
  location                 = "eastus"
  tags                     = { Environment = "dev" }
  workspace_id             = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  action_group_id          = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/actionGroups/mystira-shared-dev-alerts"
  name_prefix              = "mystira-chain-dev"
  key_vault_name           = "mystira-chain-dev-kv"
  purge_protection_enabled = false
  purge_vaults_on_destroy  = true
  subnet_id                = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/chain-subnet"
  storage_account_name     = "mystirachaindevsa"
  storage_replication      = "LRS"
  storage_size_gb          = 100
  node_count               = 1
  aks_subnet_id            = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/aks-subnet"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_premium_share_of_50_gigabytes_is_refused" {
  command = plan

  variables {
    storage_size_gb = 50
  }

  expect_failures = [var.storage_size_gb]
}

run "a_geo_redundant_share_is_refused" {
  command = plan

  variables {
    storage_replication = "GRS"
  }

  expect_failures = [var.storage_replication]
}

run "a_vault_name_of_25_is_refused" {
  command = plan

  variables {
    key_vault_name = "mys-dev-mystira-chain-kv-x"
  }

  expect_failures = [var.key_vault_name]
}

run "an_account_name_with_a_hyphen_is_refused" {
  command = plan

  variables {
    storage_account_name = "mystira-chain-dev-sa"
  }

  expect_failures = [var.storage_account_name]
}
