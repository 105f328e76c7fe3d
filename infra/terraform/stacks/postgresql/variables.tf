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

variable "server_name" {
  type        = string
  description = "Name of the server; unique in the world."

  validation {
    condition     = can(regex("^[0-9a-z][0-9a-z-]{1,61}[0-9a-z]$", var.server_name))
    error_message = "server_name has 3 to 63 lower-case letters, digits and hyphens and no hyphen at either end."
  }
}

variable "private_dns_zone_name" {
  type        = string
  description = "Private zone the server's name lives in; it ends in .postgres.database.azure.com and differs from the server's own name."

  validation {
    condition     = endswith(var.private_dns_zone_name, ".postgres.database.azure.com")
    error_message = "private_dns_zone_name ends in .postgres.database.azure.com."
  }
}

variable "vnet_id" {
  type        = string
  description = "Network that resolves the private zone."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+$", var.vnet_id))
    error_message = "vnet_id is the resource id of a virtual network."
  }
}

variable "delegated_subnet_id" {
  type        = string
  description = "Subnet delegated to flexible servers."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+/subnets/[^/]+$", var.delegated_subnet_id))
    error_message = "delegated_subnet_id is the resource id of a subnet."
  }
}

variable "postgres_version" {
  type        = string
  default     = "15"
  description = "Major version of PostgreSQL."

  validation {
    condition     = contains(["14", "15", "16", "17", "18"], var.postgres_version)
    error_message = "postgres_version is a supported major version: 14 to 18."
  }
}

variable "admin_login" {
  type        = string
  default     = "mystira_admin"
  description = "Name of the administrator."

  validation {
    condition     = !contains(["azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"], var.admin_login) && !startswith(var.admin_login, "pg_")
    error_message = "Azure keeps this name for itself; choose another admin_login."
  }
}

variable "sku_name" {
  type        = string
  description = "Size of the server, as B_Standard_B1ms."

  validation {
    condition     = can(regex("^(B_Standard_B|GP_Standard_|MO_Standard_)", var.sku_name))
    error_message = "sku_name names its tier first: B_Standard_B…, GP_Standard_… or MO_Standard_…."
  }
}

variable "storage_mb" {
  type        = number
  description = "Storage in megabytes. It can grow and never shrinks."

  validation {
    condition     = contains([32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4193280, 4194304, 8388608, 16777216, 33553408], var.storage_mb)
    error_message = "storage_mb is one of the sizes Azure offers: 32768, 65536, 131072 and so on."
  }
}

variable "backup_retention_days" {
  type        = number
  description = "Days backups are kept."

  validation {
    condition     = var.backup_retention_days >= 7 && var.backup_retention_days <= 35
    error_message = "Backups are kept for 7 to 35 days."
  }
}

variable "geo_redundant_backup_enabled" {
  type        = bool
  description = "Whether backups are copied to the paired region. It can be chosen only when the server is made."
}

variable "high_availability_mode" {
  type        = string
  default     = null
  description = "ZoneRedundant, SameZone, or null for a single server."

  validation {
    condition     = var.high_availability_mode == null || contains(["ZoneRedundant", "SameZone"], coalesce(var.high_availability_mode, "-"))
    error_message = "high_availability_mode is ZoneRedundant, SameZone or null."
  }
}

variable "zone" {
  type        = string
  default     = "1"
  description = "Availability zone of the server."
}

variable "read_replica_count" {
  type        = number
  default     = 0
  description = "Read replicas; a Burstable server can have none."

  validation {
    condition     = var.read_replica_count >= 0 && var.read_replica_count <= 5
    error_message = "A server has 0 to 5 read replicas."
  }
}

variable "databases" {
  type        = set(string)
  description = "Databases on the server, one per service that needs one."

  validation {
    condition     = alltrue([for database in var.databases : can(regex("^[a-z_][0-9a-z_]{0,62}$", database))])
    error_message = "A database name has 1 to 63 lower-case letters, digits and underscores and begins with no digit."
  }
}

variable "connection_secret_vault_ids" {
  type        = map(string)
  default     = {}
  description = "Vault that gets the secret postgres-connection-string, by database."
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
