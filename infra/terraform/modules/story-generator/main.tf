# The story generator on the Azure side: its identity and vault. PostgreSQL and Redis are stacks of their own and write
# their connection strings into this vault; a dedicated server is one more stack of the same root under another name.

module "workload" {
  source = "../shared/workload"

  resource_group_name      = var.resource_group_name
  location                 = var.location
  name_prefix              = var.name_prefix
  key_vault_name           = var.key_vault_name
  purge_protection_enabled = var.purge_protection_enabled
  subnet_id                = var.subnet_id
  workspace_id             = var.workspace_id
  action_group_id          = var.action_group_id
  tags                     = var.tags

  inbound_rules = {
    allow-http = {
      priority    = 100
      protocol    = "Tcp"
      ports       = ["8080", "8081"]
      description = "API and health."
    }
  }
}
