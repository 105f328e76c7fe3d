# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id     = "00000000-0000-4000-8000-000000000000"
  resource_group_name = "mystira-dev-rg"
  location            = "eastus"
  tags                = { Environment = "dev" }
  name                = "mystiraacr"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "an_unknown_tier_is_refused" {
  command = plan

  variables {
    sku = "Free"
  }

  expect_failures = [var.sku]
}

run "a_name_with_a_hyphen_is_refused" {
  command = plan

  variables {
    name = "mystira-acr"
  }

  expect_failures = [var.name]
}
