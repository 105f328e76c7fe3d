# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id     = "00000000-0000-4000-8000-000000000000"
  resource_group_name = "mystira-dev-rg"
  location            = "eastus"
  tags                = { Environment = "dev" }
  name                = "mystira-shared-dev-dashboard"
  title               = "Mystira dev: services in the cluster"
  workspace_id        = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  application_insights_ids = {
    chain     = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/components/mystira-chain-dev-insights"
    publisher = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/components/mystira-pub-dev-insights"
  }
  servicebus_namespace_ids = {
    publisher = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.ServiceBus/namespaces/mystira-pub-dev-bus"
  }
  cluster_id           = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.ContainerService/managedClusters/mystira-dev-aks"
  postgresql_server_id = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/mystira-shared-pg-dev-server"
  cache_id             = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Cache/redisEnterprise/mystira-shared-redis-dev-cache"
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "the_legacy_cache_can_be_planned" {
  command = plan

  variables {
    cache_id = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Cache/redis/mystira-shared-redis-dev-cache"
  }
}

run "services_without_a_bus_can_be_planned" {
  command = plan

  variables {
    servicebus_namespace_ids = {}
  }
}

run "a_name_with_a_blank_is_refused" {
  command = plan

  variables {
    name = "Mystira dev"
  }

  expect_failures = [var.name]
}

run "a_connection_string_in_place_of_an_id_is_refused" {
  command = plan

  variables {
    application_insights_ids = {
      chain = "InstrumentationKey=00000000-0000-4000-8000-000000000000"
    }
  }

  expect_failures = [var.application_insights_ids]
}

run "a_group_in_place_of_a_cluster_is_refused" {
  command = plan

  variables {
    cluster_id = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg"
  }

  expect_failures = [var.cluster_id]
}
