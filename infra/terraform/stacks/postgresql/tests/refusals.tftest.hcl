# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id              = "00000000-0000-4000-8000-000000000000"
  resource_group_name          = "mystira-dev-rg"
  location                     = "eastus"
  tags                         = { Environment = "dev" }
  workspace_id                 = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.OperationalInsights/workspaces/mystira-shared-dev-logs"
  action_group_id              = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Insights/actionGroups/mystira-shared-dev-alerts"
  purge_vaults_on_destroy      = true
  server_name                  = "mystira-shared-pg-dev-server"
  private_dns_zone_name        = "mystira-shared-pg-dev.postgres.database.azure.com"
  vnet_id                      = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet"
  delegated_subnet_id          = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet/subnets/postgresql-subnet"
  sku_name                     = "B_Standard_B1ms"
  storage_mb                   = 32768
  backup_retention_days        = 7
  geo_redundant_backup_enabled = false
  databases                    = ["storygenerator"]
  connection_secret_vault_ids  = { storygenerator = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.KeyVault/vaults/mystira-sg-dev-kv" }
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "read_replicas_of_a_larger_server_can_be_planned" {
  command = plan

  variables {
    sku_name               = "GP_Standard_D4s_v3"
    read_replica_count     = 2
    high_availability_mode = "ZoneRedundant"
  }
}

run "a_size_without_its_tier_is_refused" {
  command = plan

  variables {
    sku_name = "Standard_B1ms"
  }

  expect_failures = [var.sku_name]
}

run "a_storage_size_azure_does_not_offer_is_refused" {
  command = plan

  variables {
    storage_mb = 50000
  }

  expect_failures = [var.storage_mb]
}

run "forty_days_of_backups_are_refused" {
  command = plan

  variables {
    backup_retention_days = 40
  }

  expect_failures = [var.backup_retention_days]
}

run "a_login_azure_keeps_for_itself_is_refused" {
  command = plan

  variables {
    admin_login = "azure_superuser"
  }

  expect_failures = [var.admin_login]
}

run "a_zone_of_another_domain_is_refused" {
  command = plan

  variables {
    private_dns_zone_name = "mystira.internal"
  }

  expect_failures = [var.private_dns_zone_name]
}

run "an_ended_version_is_refused" {
  command = plan

  variables {
    postgres_version = "12"
  }

  expect_failures = [var.postgres_version]
}

run "a_burstable_server_with_replicas_is_refused" {
  command = plan

  module {
    source = "../../modules/shared/postgresql"
  }

  variables {
    read_replica_count = 1
  }

  expect_failures = [azurerm_postgresql_flexible_server.this]
}

run "a_burstable_server_with_a_standby_is_refused" {
  command = plan

  module {
    source = "../../modules/shared/postgresql"
  }

  variables {
    high_availability_mode = "ZoneRedundant"
  }

  expect_failures = [azurerm_postgresql_flexible_server.this]
}

run "a_vault_for_an_unknown_database_is_refused" {
  command = plan

  module {
    source = "../../modules/shared/postgresql"
  }

  variables {
    connection_secret_vault_ids = { nobody = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.KeyVault/vaults/mystira-sg-dev-kv" }
  }

  expect_failures = [azurerm_postgresql_flexible_server.this]
}
