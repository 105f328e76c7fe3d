# Where the state of every stack is kept.

module "state_backend" {
  source = "../../modules/state-backend"

  resource_group_name  = var.resource_group_name
  location             = var.location
  storage_account_name = var.storage_account_name
  container_name       = var.container_name
  replication          = var.replication
  state_writers        = var.state_writers
  tags                 = var.tags
}
