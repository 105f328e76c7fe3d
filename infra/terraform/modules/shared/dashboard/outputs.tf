output "dashboard_id" {
  value       = azurerm_portal_dashboard.this.id
  description = "Resource id of the dashboard."
}
