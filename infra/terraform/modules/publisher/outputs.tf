output "identity_id" {
  value       = module.workload.identity_id
  description = "Resource id of the service's identity."
}

output "identity_client_id" {
  value       = module.workload.identity_client_id
  description = "Client id for the annotation azure.workload.identity/client-id of the service account."
}

output "identity_principal_id" {
  value       = module.workload.identity_principal_id
  description = "Object id for role assignments."
}

output "key_vault_id" {
  value       = module.workload.key_vault_id
  description = "Resource id of the vault."
}

output "key_vault_name" {
  value       = module.workload.key_vault_name
  description = "Name of the vault."
}

output "key_vault_uri" {
  value       = module.workload.key_vault_uri
  description = "Address of the vault."
}

output "nsg_id" {
  value       = module.workload.nsg_id
  description = "Resource id of the security group."
}

output "application_insights_id" {
  value       = module.workload.application_insights_id
  description = "Resource id of the service's Application Insights."
}

output "application_insights_connection_string" {
  value       = module.workload.application_insights_connection_string
  description = "Where the service's telemetry is sent."
  sensitive   = true
}

output "servicebus_namespace_id" {
  value       = azurerm_servicebus_namespace.this.id
  description = "Resource id of the Service Bus namespace."
}

output "servicebus_namespace" {
  value       = azurerm_servicebus_namespace.this.name
  description = "Name of the Service Bus namespace."
}

output "servicebus_queue_name" {
  value       = azurerm_servicebus_queue.events.name
  description = "The queue of publisher events."
}
