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

variable "name" {
  type        = string
  description = "Name of the cache; unique in the world."

  validation {
    condition     = can(regex("^[A-Za-z][0-9A-Za-z-]{0,58}[0-9A-Za-z]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name has 2 to 60 letters, digits and single hyphens, begins with a letter and does not end in a hyphen."
  }
}

variable "service" {
  type        = string
  default     = "managed"
  description = "managed for Azure Managed Redis, legacy for Azure Cache for Redis (retires on 2028-09-30; new ones only for old customers)."

  validation {
    condition     = contains(["managed", "legacy"], var.service)
    error_message = "service is managed or legacy."
  }
}

variable "managed_sku" {
  type        = string
  default     = "Balanced_B0"
  description = "Size of Azure Managed Redis."

  validation {
    condition     = can(regex("^(Balanced_B|MemoryOptimized_M|ComputeOptimized_X|FlashOptimized_A)[0-9]+$", var.managed_sku))
    error_message = "managed_sku is a size of Azure Managed Redis, as Balanced_B0; Enterprise_ sizes are another service."
  }
}

variable "high_availability_enabled" {
  type        = bool
  default     = true
  description = "Whether Azure Managed Redis keeps a replica. Changing it makes a new cache."
}

variable "legacy_sku" {
  type        = string
  default     = "Standard"
  description = "Tier of Azure Cache for Redis: Basic, Standard or Premium."

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.legacy_sku)
    error_message = "legacy_sku is Basic, Standard or Premium."
  }
}

variable "legacy_capacity" {
  type        = number
  default     = 1
  description = "Size within the tier of Azure Cache for Redis."

  validation {
    condition     = var.legacy_capacity >= 0 && var.legacy_capacity <= 6
    error_message = "legacy_capacity is 0 to 6 (Premium: 1 to 5)."
  }
}

variable "private_endpoint_enabled" {
  type        = bool
  default     = true
  description = "Whether the cache is reached through the network only."
}

variable "subnet_id" {
  type        = string
  default     = null
  description = "Subnet of the private endpoint."

  validation {
    condition     = var.subnet_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id is the resource id of a subnet."
  }
}

variable "vnet_id" {
  type        = string
  default     = null
  description = "Network that resolves the private endpoint's name."

  validation {
    condition     = var.vnet_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+$", var.vnet_id))
    error_message = "vnet_id is the resource id of a virtual network."
  }
}

variable "connection_secret_vault_ids" {
  type        = map(string)
  default     = {}
  description = "Vault that gets the secret redis-connection-string, by service."
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
