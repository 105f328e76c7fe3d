# The page that shows the services of an environment and what they stand on.

module "dashboard" {
  source = "../../modules/shared/dashboard"

  resource_group_name      = var.resource_group_name
  location                 = var.location
  name                     = var.name
  title                    = var.title
  workspace_id             = var.workspace_id
  application_insights_ids = var.application_insights_ids
  servicebus_namespace_ids = var.servicebus_namespace_ids
  cluster_id               = var.cluster_id
  postgresql_server_id     = var.postgresql_server_id
  cache_id                 = var.cache_id
  tags                     = var.tags
}
