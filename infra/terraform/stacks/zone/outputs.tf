output "resource_group_name" {
  value       = module.zone.resource_group_name
  description = "Group of the zone and of what else serves all environments."
}

output "location" {
  value       = module.zone.location
  description = "Region of the group."
}

output "zone_id" {
  value       = module.zone.zone_id
  description = "Resource id of the zone."
}

output "zone_name" {
  value       = module.zone.zone_name
  description = "Name of the zone."
}

output "name_servers" {
  value       = module.zone.name_servers
  description = "The four name servers the registrar must delegate to."
}
