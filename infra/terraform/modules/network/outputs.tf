output "resource_group_name" {
  value       = azurerm_resource_group.this.name
  description = "Name of the environment's group, for every other stack of the environment."
}

output "resource_group_id" {
  value       = azurerm_resource_group.this.id
  description = "Id of the environment's group."
}

output "location" {
  value       = azurerm_resource_group.this.location
  description = "Region of the environment, for every other stack of the environment."
}

output "vnet_id" {
  value       = azurerm_virtual_network.this.id
  description = "Id of the virtual network."
}

output "vnet_name" {
  value       = azurerm_virtual_network.this.name
  description = "Name of the virtual network."
}

output "subnet_ids" {
  value       = { for name, subnet in azurerm_subnet.this : name => subnet.id }
  description = "Id of each subnet: aks, chain, publisher, postgresql, redis, story-generator."
}

output "subnet_prefixes" {
  value       = { for name, prefix in var.subnet_prefixes : name => prefix }
  description = "Address range of each subnet."
}

output "nat_gateway_ip" {
  value       = azurerm_public_ip.egress.ip_address
  description = "The public address everything in the network leaves from; partners put it on their lists."
}
