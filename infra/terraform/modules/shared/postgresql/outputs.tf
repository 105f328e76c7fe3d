output "server_id" {
  value       = azurerm_postgresql_flexible_server.this.id
  description = "Resource id of the server."
}

output "server_name" {
  value       = azurerm_postgresql_flexible_server.this.name
  description = "Name of the server."
}

output "server_fqdn" {
  value       = azurerm_postgresql_flexible_server.this.fqdn
  description = "Host name of the server, which only the network resolves."
}

output "replica_fqdns" {
  value       = azurerm_postgresql_flexible_server.replica[*].fqdn
  description = "Host names of the read replicas."
}

output "admin_login" {
  value       = var.admin_login
  description = "Name of the administrator."
}

output "admin_password" {
  value       = random_password.admin.result
  description = "The administrator's password."
  sensitive   = true
}

output "databases" {
  value       = sort([for database in azurerm_postgresql_flexible_server_database.this : database.name])
  description = "Databases on the server."
}

output "private_dns_zone_id" {
  value       = azurerm_private_dns_zone.this.id
  description = "The private zone the server's name lives in."
}

output "connection_strings" {
  value       = local.connection_strings
  description = "Npgsql connection string of each database."
  sensitive   = true
}

output "connection_secret_names" {
  value       = { for database, secret in azurerm_key_vault_secret.connection_string : database => secret.name }
  description = "Name of the secret that holds each database's connection string."
}
