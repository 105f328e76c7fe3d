# The environment's group, network and way out.

module "network" {
  source = "../../modules/network"

  resource_group_name   = var.resource_group_name
  location              = var.location
  vnet_name             = var.vnet_name
  address_space         = var.address_space
  subnet_prefixes       = var.subnet_prefixes
  nat_zones             = var.nat_zones
  deployer_principal_id = var.deployer_principal_id
  tags                  = var.tags
}
