# The chain service on the Azure side.

module "chain" {
  source = "../../modules/chain"

  resource_group_name      = var.resource_group_name
  location                 = var.location
  name_prefix              = var.name_prefix
  key_vault_name           = var.key_vault_name
  purge_protection_enabled = var.purge_protection_enabled
  subnet_id                = var.subnet_id
  workspace_id             = var.workspace_id
  action_group_id          = var.action_group_id
  tags                     = var.tags
  storage_account_name     = var.storage_account_name
  storage_replication      = var.storage_replication
  storage_size_gb          = var.storage_size_gb
  node_count               = var.node_count
  aks_subnet_id            = var.aks_subnet_id
}
