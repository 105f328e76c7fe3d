# The image registry, once for all environments.

module "registry" {
  source = "../../modules/registry"

  resource_group_name = var.resource_group_name
  location            = var.location
  name                = var.name
  sku                 = var.sku
  tags                = var.tags
}
