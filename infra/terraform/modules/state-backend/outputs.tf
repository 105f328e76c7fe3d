output "resource_group_name" {
  value       = azurerm_resource_group.this.name
  description = "Group of the state account."
}

output "storage_account_id" {
  value       = azurerm_storage_account.this.id
  description = "Resource id of the state account."
}

output "storage_account_name" {
  value       = azurerm_storage_account.this.name
  description = "Name of the state account."
}

output "container_name" {
  value       = azurerm_storage_container.this.name
  description = "Container the states are in."
}

output "blob_endpoint" {
  value       = azurerm_storage_account.this.primary_blob_endpoint
  description = "Address of the state account."
}
