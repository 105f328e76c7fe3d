output "dashboard_id" {
  value       = module.dashboard.dashboard_id
  description = "Resource id of the dashboard."
}
