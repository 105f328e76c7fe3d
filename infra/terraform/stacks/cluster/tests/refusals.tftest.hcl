# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id     = "00000000-0000-4000-8000-000000000000"
  resource_group_name = "mystira-dev-rg"
  location            = "eastus"
  tags                = { Environment = "dev" }
  workspace_id        = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  action_group_id     = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/actionGroups/mystira-shared-dev-alerts"
  name                = "mystira-dev-aks"
  subnet_id           = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/aks-subnet"
  registry_id         = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mys-prod-mystira-rg-glob/providers/Microsoft.ContainerRegistry/registries/mystiraacr"
  sku_tier            = "Free"
  system_pool = {
    vm_size    = "Standard_B2s"
    node_count = 2
  }
  entra_rbac_enabled = false
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "pools_entra_and_a_reserved_address_can_be_planned" {
  command = plan

  variables {
    entra_rbac_enabled       = true
    reserves_gateway_address = true
    system_pool = {
      vm_size   = "Standard_D4s_v3"
      min_count = 3
      max_count = 10
      zones     = ["1", "2", "3"]
    }
    node_pools = {
      chain = {
        vm_size   = "Standard_D4s_v3"
        min_count = 3
        max_count = 6
        labels    = { workload = "chain" }
        taints    = ["workload=chain:NoSchedule"]
      }
    }
  }
}

run "a_name_that_ends_in_a_hyphen_is_refused" {
  command = plan

  variables {
    name = "mystira-dev-"
  }

  expect_failures = [var.name]
}

run "an_ended_version_is_refused" {
  command = plan

  variables {
    kubernetes_version = "1.28"
  }

  expect_failures = [var.kubernetes_version]
}

run "a_service_range_inside_the_dev_network_is_refused" {
  command = plan

  variables {
    service_cidr = "10.0.0.0/16"
  }

  expect_failures = [var.service_cidr]
}

run "a_pool_that_is_fixed_and_scales_is_refused" {
  command = plan

  variables {
    system_pool = {
      vm_size    = "Standard_B2s"
      node_count = 2
      min_count  = 1
      max_count  = 3
    }
  }

  expect_failures = [var.system_pool]
}

run "a_pool_name_with_a_hyphen_is_refused" {
  command = plan

  variables {
    node_pools = {
      chain-pool = {
        vm_size    = "Standard_D4s_v3"
        node_count = 1
      }
    }
  }

  expect_failures = [var.node_pools]
}

run "a_taint_without_an_effect_is_refused" {
  command = plan

  variables {
    node_pools = {
      chain = {
        vm_size    = "Standard_D4s_v3"
        node_count = 1
        taints     = ["workload=chain"]
      }
    }
  }

  expect_failures = [var.node_pools]
}

run "a_registry_that_is_no_id_is_refused" {
  command = plan

  variables {
    registry_id = "mystiraacr"
  }

  expect_failures = [var.registry_id]
}

run "a_dns_address_outside_the_service_range_is_refused" {
  command = plan

  module {
    source = "../../modules/cluster"
  }

  variables {
    dns_service_ip = "172.17.0.10"
  }

  expect_failures = [azurerm_kubernetes_cluster.this]
}
