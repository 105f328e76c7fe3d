output "workspace_id" {
  value       = module.monitoring.workspace_id
  description = "Resource id of the workspace, for the diagnostics of every other stack."
}

output "workspace_name" {
  value       = module.monitoring.workspace_name
  description = "Name of the workspace."
}

output "workspace_customer_id" {
  value       = module.monitoring.workspace_customer_id
  description = "The workspace's own GUID, which agents and queries ask for."
}

output "application_insights_id" {
  value       = module.monitoring.application_insights_id
  description = "Resource id of the environment's Application Insights."
}

output "application_insights_connection_string" {
  value       = module.monitoring.application_insights_connection_string
  description = "Where telemetry is sent."
  sensitive   = true
}

output "action_group_id" {
  value       = module.monitoring.action_group_id
  description = "The action group that alerts of other stacks call."
}
