# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id         = "00000000-0000-4000-8000-000000000000"
  resource_group_name     = "mystira-dev-rg"
  location                = "eastus"
  tags                    = { Environment = "dev" }
  workspace_id            = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  action_group_id         = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/actionGroups/mystira-shared-dev-alerts"
  purge_vaults_on_destroy = true
  name                    = "mystira-shared-redis-dev-cache"
  vnet_id                 = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet"
  subnet_id               = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/redis-subnet"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "the_legacy_cache_can_be_planned" {
  command = plan

  variables {
    service         = "legacy"
    legacy_capacity = 2
  }
}

run "an_unknown_service_is_refused" {
  command = plan

  variables {
    service = "enterprise"
  }

  expect_failures = [var.service]
}

run "a_size_of_another_service_is_refused" {
  command = plan

  variables {
    managed_sku = "Enterprise_E10"
  }

  expect_failures = [var.managed_sku]
}

run "an_unknown_legacy_tier_is_refused" {
  command = plan

  variables {
    legacy_sku = "C1"
  }

  expect_failures = [var.legacy_sku]
}

run "a_private_endpoint_without_a_subnet_is_refused" {
  command = plan

  module {
    source = "../../modules/shared/redis"
  }

  variables {
    subnet_id = null
  }

  expect_failures = [azurerm_private_endpoint.this]
}
