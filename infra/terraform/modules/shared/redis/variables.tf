variable "resource_group_name" {
  type        = string
  description = "Group to put everything in."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "name" {
  type        = string
  description = "Name of the cache; unique in the world."
}

variable "service" {
  type        = string
  default     = "managed"
  description = "managed for Azure Managed Redis, legacy for Azure Cache for Redis (retires on 2028-09-30; new ones only for old customers)."
}

variable "managed_sku" {
  type        = string
  default     = "Balanced_B0"
  description = "Size of Azure Managed Redis."
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
}

variable "legacy_capacity" {
  type        = number
  default     = 1
  description = "Size within the tier of Azure Cache for Redis."
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
}

variable "vnet_id" {
  type        = string
  default     = null
  description = "Network that resolves the private endpoint's name."
}

variable "connection_secret_vault_ids" {
  type        = map(string)
  default     = {}
  description = "Vault that gets the secret redis-connection-string, by service."
}

variable "workspace_id" {
  type        = string
  description = "The shared Log Analytics workspace."
}

variable "action_group_id" {
  type        = string
  description = "The action group alerts call."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
