# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id           = "00000000-0000-4000-8000-000000000000"
  resource_group_name       = "mystira-dev-rg"
  location                  = "eastus"
  tags                      = { Environment = "dev" }
  workspace_name            = "mystira-shared-dev-logs"
  application_insights_name = "mystira-shared-dev-insights"
  action_group_name         = "mystira-shared-dev-alerts"
  action_group_short_name   = "mystira-dev"
  retention_days            = 30
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_short_name_of_13_is_refused" {
  command = plan

  variables {
    action_group_short_name = "MystiraAlerts"
  }

  expect_failures = [var.action_group_short_name]
}

run "a_week_of_retention_is_refused" {
  command = plan

  variables {
    retention_days = 7
  }

  expect_failures = [var.retention_days]
}

run "a_closed_pricing_plan_is_refused" {
  command = plan

  variables {
    workspace_sku = "Standalone"
  }

  expect_failures = [var.workspace_sku]
}
