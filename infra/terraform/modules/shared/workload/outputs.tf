output "identity_id" {
  value       = azurerm_user_assigned_identity.this.id
  description = "Resource id of the service's identity."
}

output "identity_client_id" {
  value       = azurerm_user_assigned_identity.this.client_id
  description = "Client id for the service account's annotation."
}

output "identity_principal_id" {
  value       = azurerm_user_assigned_identity.this.principal_id
  description = "Object id for role assignments."
}

output "key_vault_id" {
  value       = azurerm_key_vault.this.id
  description = "Resource id of the vault."
}

output "key_vault_name" {
  value       = azurerm_key_vault.this.name
  description = "Name of the vault."
}

output "key_vault_uri" {
  value       = azurerm_key_vault.this.vault_uri
  description = "Address of the vault."
}

output "nsg_id" {
  value       = azurerm_network_security_group.this.id
  description = "Resource id of the security group."
}

output "application_insights_id" {
  value       = azurerm_application_insights.this.id
  description = "Resource id of the service's Application Insights."
}

output "application_insights_connection_string" {
  value       = azurerm_application_insights.this.connection_string
  description = "Where the service's telemetry is sent."
  sensitive   = true
}
