output "registry_id" {
  value       = module.registry.registry_id
  description = "Resource id of the registry, for the AcrPull role of each cluster."
}

output "registry_name" {
  value       = module.registry.registry_name
  description = "Name of the registry."
}

output "login_server" {
  value       = module.registry.login_server
  description = "Host name images are pushed to and pulled from."
}
