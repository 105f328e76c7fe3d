output "workspace_id" {
  value       = azurerm_log_analytics_workspace.this.id
  description = "Resource id of the workspace, for the diagnostics of every other stack."
}

output "workspace_name" {
  value       = azurerm_log_analytics_workspace.this.name
  description = "Name of the workspace."
}

output "workspace_customer_id" {
  value       = azurerm_log_analytics_workspace.this.workspace_id
  description = "The workspace's own GUID, which agents and queries ask for."
}

output "application_insights_id" {
  value       = azurerm_application_insights.this.id
  description = "Resource id of the environment's Application Insights."
}

output "application_insights_connection_string" {
  value       = azurerm_application_insights.this.connection_string
  description = "Where telemetry is sent."
  sensitive   = true
}

output "action_group_id" {
  value       = azurerm_monitor_action_group.this.id
  description = "The action group that alerts of other stacks call."
}
