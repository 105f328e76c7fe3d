# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id     = "00000000-0000-4000-8000-000000000000"
  resource_group_name = "mys-prod-mystira-rg-glob"
  location            = "eastus"
  tags                = { Environment = "dev" }
  domain_name         = "mystira.app"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_domain_with_a_dot_at_the_end_is_refused" {
  command = plan

  variables {
    domain_name = "mystira.app."
  }

  expect_failures = [var.domain_name]
}
