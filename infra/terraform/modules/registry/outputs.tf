output "registry_id" {
  value       = azurerm_container_registry.this.id
  description = "Resource id of the registry, for the AcrPull role of each cluster."
}

output "registry_name" {
  value       = azurerm_container_registry.this.name
  description = "Name of the registry."
}

output "login_server" {
  value       = azurerm_container_registry.this.login_server
  description = "Host name images are pushed to and pulled from."
}
