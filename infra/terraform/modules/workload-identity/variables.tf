variable "oidc_issuer_url" {
  type        = string
  description = "Token issuer of the cluster the services run in."
}

variable "namespace" {
  type        = string
  description = "Kubernetes namespace the services run in."
}

variable "identity_ids" {
  type        = map(string)
  description = "Resource id of the identity that each Kubernetes service account acts as."
}
