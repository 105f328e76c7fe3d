# The public DNS zone, once for all environments.

module "zone" {
  source = "../../modules/dns"

  resource_group_name = var.resource_group_name
  location            = var.location
  domain_name         = var.domain_name
  tags                = var.tags
}
