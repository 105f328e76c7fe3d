output "resource_group_name" {
  value       = module.network.resource_group_name
  description = "Name of the environment's group, for every other stack of the environment."
}

output "resource_group_id" {
  value       = module.network.resource_group_id
  description = "Id of the environment's group."
}

output "location" {
  value       = module.network.location
  description = "Region of the environment, for every other stack of the environment."
}

output "vnet_id" {
  value       = module.network.vnet_id
  description = "Id of the virtual network."
}

output "vnet_name" {
  value       = module.network.vnet_name
  description = "Name of the virtual network."
}

output "subnet_ids" {
  value       = module.network.subnet_ids
  description = "Id of each subnet: aks, chain, publisher, postgresql, redis, story-generator."
}

output "subnet_prefixes" {
  value       = module.network.subnet_prefixes
  description = "Address range of each subnet."
}

output "nat_gateway_ip" {
  value       = module.network.nat_gateway_ip
  description = "The public address everything in the network leaves from; partners put it on their lists."
}
