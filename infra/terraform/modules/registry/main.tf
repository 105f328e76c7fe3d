# The one registry all environments pull from: an image is built once and promoted by digest.

resource "azurerm_container_registry" "this" {
  name                   = var.name
  location               = var.location
  resource_group_name    = var.resource_group_name
  sku                    = var.sku
  admin_enabled          = false
  anonymous_pull_enabled = false
  tags                   = var.tags

  lifecycle {
    prevent_destroy = true
  }
}
