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
  description = "First part of the names made here, as mystira-chain-dev."

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

variable "storage_account_name" {
  type        = string
  description = "Name of the account that holds the chain's data; lower-case letters and digits, 24 at most."

  validation {
    condition     = can(regex("^[0-9a-z]{3,24}$", var.storage_account_name))
    error_message = "storage_account_name has 3 to 24 lower-case letters and digits."
  }
}

variable "storage_replication" {
  type        = string
  description = "LRS or ZRS; Premium file shares have no other."

  validation {
    condition     = contains(["LRS", "ZRS"], var.storage_replication)
    error_message = "Premium file shares are LRS or ZRS."
  }
}

variable "storage_size_gb" {
  type        = number
  description = "Size of each share in gigabytes. Azure takes no Premium share below 100."

  validation {
    condition     = var.storage_size_gb >= 100 && var.storage_size_gb <= 102400
    error_message = "A Premium file share has 100 to 102400 gigabytes."
  }
}

variable "node_count" {
  type        = number
  description = "Chain nodes; each has a share of its own."

  validation {
    condition     = var.node_count >= 1
    error_message = "The chain has at least one node."
  }
}

variable "aks_subnet_id" {
  type        = string
  description = "Subnet of the cluster's nodes, which mount the shares."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+/subnets/[^/]+$", var.aks_subnet_id))
    error_message = "aks_subnet_id is the resource id of a subnet."
  }
}
