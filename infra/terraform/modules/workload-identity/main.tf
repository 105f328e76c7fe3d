# Which service account of the cluster may act as which identity. It stands apart from the services, so that they and
# the cluster can be made side by side.

resource "azurerm_federated_identity_credential" "this" {
  for_each = var.identity_ids

  name                      = each.key
  user_assigned_identity_id = each.value
  issuer                    = var.oidc_issuer_url
  subject                   = "system:serviceaccount:${var.namespace}:${each.key}"
  audience                  = ["api://AzureADTokenExchange"]
}
