# The public zone, once for all environments. Records are not here: each has one owner in the pipeline's catalogue and
# is written when its target exists. No lock either: a lock on the zone would forbid deleting records too.

resource "azurerm_resource_group" "this" {
  name     = var.resource_group_name
  location = var.location
  tags     = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_dns_zone" "this" {
  name                = var.domain_name
  resource_group_name = azurerm_resource_group.this.name
  tags                = var.tags

  lifecycle {
    prevent_destroy = true
  }
}
