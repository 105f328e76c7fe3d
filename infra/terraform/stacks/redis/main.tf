# The shared Redis cache.

module "redis" {
  source = "../../modules/shared/redis"

  resource_group_name         = var.resource_group_name
  location                    = var.location
  name                        = var.name
  service                     = var.service
  managed_sku                 = var.managed_sku
  high_availability_enabled   = var.high_availability_enabled
  legacy_sku                  = var.legacy_sku
  legacy_capacity             = var.legacy_capacity
  private_endpoint_enabled    = var.private_endpoint_enabled
  subnet_id                   = var.subnet_id
  vnet_id                     = var.vnet_id
  connection_secret_vault_ids = var.connection_secret_vault_ids
  workspace_id                = var.workspace_id
  action_group_id             = var.action_group_id
  tags                        = var.tags
}
