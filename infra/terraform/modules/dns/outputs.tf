output "resource_group_name" {
  value       = azurerm_resource_group.this.name
  description = "Group of the zone and of what else serves all environments."
}

output "location" {
  value       = azurerm_resource_group.this.location
  description = "Region of the group."
}

output "zone_id" {
  value       = azurerm_dns_zone.this.id
  description = "Resource id of the zone."
}

output "zone_name" {
  value       = azurerm_dns_zone.this.name
  description = "Name of the zone."
}

output "name_servers" {
  value       = azurerm_dns_zone.this.name_servers
  description = "The four name servers the registrar must delegate to."
}
