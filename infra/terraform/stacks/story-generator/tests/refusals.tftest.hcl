# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id          = "00000000-0000-4000-8000-000000000000"
  resource_group_name      = "mystira-dev-rg"
  location                 = "eastus"
  tags                     = { Environment = "dev" }
  workspace_id             = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  action_group_id          = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/actionGroups/mystira-shared-dev-alerts"
  name_prefix              = "mystira-sg-dev"
  key_vault_name           = "mystira-sg-dev-kv"
  purge_protection_enabled = false
  purge_vaults_on_destroy  = true
  subnet_id                = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/story-generator-subnet"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_subnet_that_is_no_id_is_refused" {
  command = plan

  variables {
    subnet_id = "story-generator-subnet"
  }

  expect_failures = [var.subnet_id]
}
