# The shared PostgreSQL server.

module "postgresql" {
  source = "../../modules/shared/postgresql"

  resource_group_name          = var.resource_group_name
  location                     = var.location
  server_name                  = var.server_name
  private_dns_zone_name        = var.private_dns_zone_name
  vnet_id                      = var.vnet_id
  delegated_subnet_id          = var.delegated_subnet_id
  postgres_version             = var.postgres_version
  admin_login                  = var.admin_login
  sku_name                     = var.sku_name
  storage_mb                   = var.storage_mb
  backup_retention_days        = var.backup_retention_days
  geo_redundant_backup_enabled = var.geo_redundant_backup_enabled
  high_availability_mode       = var.high_availability_mode
  zone                         = var.zone
  read_replica_count           = var.read_replica_count
  databases                    = var.databases
  connection_secret_vault_ids  = var.connection_secret_vault_ids
  workspace_id                 = var.workspace_id
  action_group_id              = var.action_group_id
  tags                         = var.tags
}
