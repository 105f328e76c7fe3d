output "identity_id" {
  value       = module.story_generator.identity_id
  description = "Resource id of the service's identity."
}

output "identity_client_id" {
  value       = module.story_generator.identity_client_id
  description = "Client id for the annotation azure.workload.identity/client-id of the service account."
}

output "identity_principal_id" {
  value       = module.story_generator.identity_principal_id
  description = "Object id for role assignments."
}

output "key_vault_id" {
  value       = module.story_generator.key_vault_id
  description = "Resource id of the vault."
}

output "key_vault_name" {
  value       = module.story_generator.key_vault_name
  description = "Name of the vault."
}

output "key_vault_uri" {
  value       = module.story_generator.key_vault_uri
  description = "Address of the vault."
}

output "nsg_id" {
  value       = module.story_generator.nsg_id
  description = "Resource id of the security group."
}

output "application_insights_id" {
  value       = module.story_generator.application_insights_id
  description = "Resource id of the service's Application Insights."
}

output "application_insights_connection_string" {
  value       = module.story_generator.application_insights_connection_string
  description = "Where the service's telemetry is sent."
  sensitive   = true
}
