output "resource_group_name" {
  value       = module.state_backend.resource_group_name
  description = "Group of the state account."
}

output "storage_account_id" {
  value       = module.state_backend.storage_account_id
  description = "Resource id of the state account."
}

output "storage_account_name" {
  value       = module.state_backend.storage_account_name
  description = "Name of the state account."
}

output "container_name" {
  value       = module.state_backend.container_name
  description = "Container the states are in."
}

output "blob_endpoint" {
  value       = module.state_backend.blob_endpoint
  description = "Address of the state account."
}
