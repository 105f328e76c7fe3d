# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id     = "00000000-0000-4000-8000-000000000000"
  resource_group_name = "mystira-dev-rg"
  location            = "eastus"
  tags                = { Environment = "dev" }
  vnet_name           = "mystira-dev-vnet"
  address_space       = "10.0.0.0/16"
  subnet_prefixes = {
    aks             = "10.0.8.0/22"
    chain           = "10.0.1.0/24"
    publisher       = "10.0.2.0/24"
    postgresql      = "10.0.3.0/24"
    redis           = "10.0.4.0/24"
    story-generator = "10.0.5.0/24"
  }
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "a_prefix_off_its_boundary_is_refused" {
  command = plan

  variables {
    subnet_prefixes = {
      aks             = "10.0.10.0/22"
      chain           = "10.0.1.0/24"
      publisher       = "10.0.2.0/24"
      postgresql      = "10.0.3.0/24"
      redis           = "10.0.4.0/24"
      story-generator = "10.0.5.0/24"
    }
  }

  expect_failures = [var.subnet_prefixes]
}

run "overlapping_prefixes_are_refused" {
  command = plan

  variables {
    subnet_prefixes = {
      aks             = "10.0.0.0/22"
      chain           = "10.0.1.0/24"
      publisher       = "10.0.2.0/24"
      postgresql      = "10.0.3.0/24"
      redis           = "10.0.4.0/24"
      story-generator = "10.0.5.0/24"
    }
  }

  expect_failures = [var.subnet_prefixes]
}

run "an_address_space_off_its_boundary_is_refused" {
  command = plan

  variables {
    address_space = "10.0.1.0/16"
  }

  expect_failures = [var.address_space]
}

run "an_unknown_region_is_refused" {
  command = plan

  variables {
    location = "East US"
  }

  expect_failures = [var.location]
}

run "a_subscription_that_is_no_guid_is_refused" {
  command = plan

  variables {
    subscription_id = "production"
  }

  expect_failures = [var.subscription_id]
}

run "two_zones_for_one_gateway_are_refused" {
  command = plan

  variables {
    nat_zones = ["1", "2"]
  }

  expect_failures = [var.nat_zones]
}

run "a_prefix_outside_the_network_is_refused" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    subnet_prefixes = {
      aks             = "10.0.8.0/22"
      chain           = "10.0.1.0/24"
      publisher       = "10.0.2.0/24"
      postgresql      = "10.0.3.0/24"
      redis           = "10.9.4.0/24"
      story-generator = "10.0.5.0/24"
    }
  }

  expect_failures = [azurerm_subnet.this]
}
