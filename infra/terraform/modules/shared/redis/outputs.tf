output "cache_id" {
  value       = local.cache.id
  description = "Resource id of the cache."
}

output "cache_name" {
  value       = var.name
  description = "Name of the cache."
}

output "hostname" {
  value       = local.cache.hostname
  description = "Host name of the cache; its suffix differs between the two services."
}

output "port" {
  value       = local.cache.port
  description = "TLS port of the cache: 10000 for Managed Redis, 6380 for the legacy cache."
}

output "primary_access_key" {
  value       = local.access_key
  description = "Access key of the cache."
  sensitive   = true
}

output "connection_string" {
  value       = local.connection_string
  description = "StackExchange.Redis connection string."
  sensitive   = true
}

output "connection_secret_names" {
  value       = { for service, secret in azurerm_key_vault_secret.connection_string : service => secret.name }
  description = "Name of the secret that holds the connection string, by service."
}
