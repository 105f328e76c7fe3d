output "server_id" {
  value       = module.postgresql.server_id
  description = "Resource id of the server."
}

output "server_name" {
  value       = module.postgresql.server_name
  description = "Name of the server."
}

output "server_fqdn" {
  value       = module.postgresql.server_fqdn
  description = "Host name of the server, which only the network resolves."
}

output "replica_fqdns" {
  value       = module.postgresql.replica_fqdns
  description = "Host names of the read replicas."
}

output "admin_login" {
  value       = module.postgresql.admin_login
  description = "Name of the administrator."
}

output "admin_password" {
  value       = module.postgresql.admin_password
  description = "The administrator's password."
  sensitive   = true
}

output "databases" {
  value       = module.postgresql.databases
  description = "Databases on the server."
}

output "private_dns_zone_id" {
  value       = module.postgresql.private_dns_zone_id
  description = "The private zone the server's name lives in."
}

output "connection_strings" {
  value       = module.postgresql.connection_strings
  description = "Npgsql connection string of each database."
  sensitive   = true
}

output "connection_secret_names" {
  value       = module.postgresql.connection_secret_names
  description = "Name of the secret that holds each database's connection string."
}
