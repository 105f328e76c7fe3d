# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id      = "00000000-0000-4000-8000-000000000000"
  resource_group_name  = "mystira-terraform-state"
  location             = "eastus"
  tags                 = { Environment = "dev" }
  storage_account_name = "mystiraterraformstate"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_container_name_in_capitals_is_refused" {
  command = plan

  variables {
    container_name = "TfState"
  }

  expect_failures = [var.container_name]
}
