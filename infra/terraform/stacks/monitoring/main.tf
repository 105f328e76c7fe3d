# Where all services of the environment write to.

module "monitoring" {
  source = "../../modules/shared/monitoring"

  resource_group_name       = var.resource_group_name
  location                  = var.location
  workspace_name            = var.workspace_name
  application_insights_name = var.application_insights_name
  action_group_name         = var.action_group_name
  action_group_short_name   = var.action_group_short_name
  workspace_sku             = var.workspace_sku
  retention_days            = var.retention_days
  daily_quota_gb            = var.daily_quota_gb
  alert_emails              = var.alert_emails
  failed_requests_threshold = var.failed_requests_threshold
  tags                      = var.tags
}
