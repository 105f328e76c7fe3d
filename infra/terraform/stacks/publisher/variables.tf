variable "subscription_id" {
  type        = string
  description = "Subscription to deploy to."

  validation {
    condition     = can(regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case."
  }
}

variable "purge_vaults_on_destroy" {
  type        = bool
  description = "Whether destroying a vault or secret also purges it; only ever true where data may be thrown away."
}

variable "resource_group_name" {
  type        = string
  description = "Group to put everything in."

  validation {
    condition     = can(regex("^[0-9A-Za-z_().-]{0,89}[0-9A-Za-z_()-]$", var.resource_group_name))
    error_message = "resource_group_name has 1 to 90 letters, digits, - _ . ( ) and does not end in a dot."
  }
}

variable "location" {
  type        = string
  description = "Azure region."

  validation {
    condition     = contains(["eastus", "eastus2", "westus", "westus2", "northeurope", "westeurope", "southafricanorth", "southafricawest", "swedencentral", "uksouth"], var.location)
    error_message = "location is no region of ADR-0008; write it as Azure does, in lower case without blanks."
  }
}

variable "name_prefix" {
  type        = string
  description = "First part of the names made here, as mystira-pub-dev."

  validation {
    condition     = can(regex("^[a-z][0-9a-z-]{1,60}[0-9a-z]$", var.name_prefix))
    error_message = "name_prefix has lower-case letters, digits and hyphens, begins with a letter and does not end in a hyphen."
  }
}

variable "key_vault_name" {
  type        = string
  description = "Name of the service's vault; 24 characters at most and unique in the world."

  validation {
    condition     = can(regex("^[A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]$", var.key_vault_name)) && !strcontains(var.key_vault_name, "--")
    error_message = "key_vault_name has 3 to 24 letters, digits and single hyphens, begins with a letter and does not end in a hyphen."
  }
}

variable "purge_protection_enabled" {
  type        = bool
  description = "Whether a deleted vault must outlive its soft-delete days. It cannot be switched off again."
}

variable "subnet_id" {
  type        = string
  description = "The service's subnet, which its security group is attached to."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id is the resource id of a subnet."
  }
}

variable "workspace_id" {
  type        = string
  description = "The shared Log Analytics workspace."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/workspaces/[^/]+$", var.workspace_id))
    error_message = "workspace_id is the resource id of a Log Analytics workspace."
  }
}

variable "action_group_id" {
  type        = string
  description = "The action group alerts call."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/actionGroups/[^/]+$", var.action_group_id))
    error_message = "action_group_id is the resource id of an action group."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}

variable "servicebus_name" {
  type        = string
  description = "Name of the Service Bus namespace; it must not end in -sb or -mgmt."

  validation {
    condition     = can(regex("^[A-Za-z][0-9A-Za-z-]{4,48}[0-9A-Za-z]$", var.servicebus_name)) && !endswith(var.servicebus_name, "-sb") && !endswith(var.servicebus_name, "-mgmt")
    error_message = "servicebus_name has 6 to 50 letters, digits and hyphens, begins with a letter and does not end in -sb or -mgmt."
  }
}

variable "servicebus_sku" {
  type        = string
  description = "Standard or Premium; Basic has no dead-lettering rules we use."

  validation {
    condition     = contains(["Standard", "Premium"], var.servicebus_sku)
    error_message = "servicebus_sku is Standard or Premium."
  }
}

variable "chain_rpc_endpoint" {
  type        = string
  description = "Where the publisher reaches the chain, inside the cluster."

  validation {
    condition     = can(regex("^https?://", var.chain_rpc_endpoint))
    error_message = "chain_rpc_endpoint is an http or https address."
  }
}
