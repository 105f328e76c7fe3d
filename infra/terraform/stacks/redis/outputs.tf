output "cache_id" {
  value       = module.redis.cache_id
  description = "Resource id of the cache."
}

output "cache_name" {
  value       = module.redis.cache_name
  description = "Name of the cache."
}

output "hostname" {
  value       = module.redis.hostname
  description = "Host name of the cache; its suffix differs between the two services."
}

output "port" {
  value       = module.redis.port
  description = "TLS port of the cache: 10000 for Managed Redis, 6380 for the legacy cache."
}

output "primary_access_key" {
  value       = module.redis.primary_access_key
  description = "Access key of the cache."
  sensitive   = true
}

output "connection_string" {
  value       = module.redis.connection_string
  description = "StackExchange.Redis connection string."
  sensitive   = true
}

output "connection_secret_names" {
  value       = module.redis.connection_secret_names
  description = "Name of the secret that holds the connection string, by service."
}
