# The publisher service on the Azure side.

module "publisher" {
  source = "../../modules/publisher"

  resource_group_name      = var.resource_group_name
  location                 = var.location
  name_prefix              = var.name_prefix
  key_vault_name           = var.key_vault_name
  purge_protection_enabled = var.purge_protection_enabled
  subnet_id                = var.subnet_id
  workspace_id             = var.workspace_id
  action_group_id          = var.action_group_id
  tags                     = var.tags
  servicebus_name          = var.servicebus_name
  servicebus_sku           = var.servicebus_sku
  chain_rpc_endpoint       = var.chain_rpc_endpoint
}
