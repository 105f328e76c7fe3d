# Which service account of the cluster may act as which identity.

module "workload_identity" {
  source = "../../modules/workload-identity"

  oidc_issuer_url = var.oidc_issuer_url
  namespace       = var.namespace
  identity_ids    = var.identity_ids
}
