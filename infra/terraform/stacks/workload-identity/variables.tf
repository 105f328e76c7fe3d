variable "subscription_id" {
  type        = string
  description = "Subscription to deploy to."

  validation {
    condition     = can(regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case."
  }
}

variable "oidc_issuer_url" {
  type        = string
  description = "Token issuer of the cluster the services run in."

  validation {
    condition     = startswith(var.oidc_issuer_url, "https://")
    error_message = "oidc_issuer_url is an https address."
  }
}

variable "namespace" {
  type        = string
  description = "Kubernetes namespace the services run in."

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace has 1 to 63 lower-case letters, digits and hyphens."
  }
}

variable "identity_ids" {
  type        = map(string)
  description = "Resource id of the identity that each Kubernetes service account acts as."

  validation {
    condition     = alltrue([for account in keys(var.identity_ids) : can(regex("^[a-z0-9]([a-z0-9-]{1,118}[a-z0-9])$", account))])
    error_message = "A service account here has 3 to 120 lower-case letters, digits and hyphens: it names the credential too."
  }

  validation {
    condition     = alltrue([for id in values(var.identity_ids) : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ManagedIdentity/userAssignedIdentities/[^/]+$", id))])
    error_message = "identity_ids holds resource ids of user-assigned identities."
  }
}
