variable "resource_group_name" {
  type        = string
  description = "Group to put everything in."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "server_name" {
  type        = string
  description = "Name of the server; unique in the world."
}

variable "private_dns_zone_name" {
  type        = string
  description = "Private zone the server's name lives in; it ends in .postgres.database.azure.com and differs from the server's own name."
}

variable "vnet_id" {
  type        = string
  description = "Network that resolves the private zone."
}

variable "delegated_subnet_id" {
  type        = string
  description = "Subnet delegated to flexible servers."
}

variable "postgres_version" {
  type        = string
  default     = "15"
  description = "Major version of PostgreSQL."
}

variable "admin_login" {
  type        = string
  default     = "mystira_admin"
  description = "Name of the administrator."
}

variable "sku_name" {
  type        = string
  description = "Size of the server, as B_Standard_B1ms."
}

variable "storage_mb" {
  type        = number
  description = "Storage in megabytes. It can grow and never shrinks."
}

variable "backup_retention_days" {
  type        = number
  description = "Days backups are kept."
}

variable "geo_redundant_backup_enabled" {
  type        = bool
  description = "Whether backups are copied to the paired region. It can be chosen only when the server is made."
}

variable "high_availability_mode" {
  type        = string
  default     = null
  description = "ZoneRedundant, SameZone, or null for a single server."
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
}

variable "databases" {
  type        = set(string)
  description = "Databases on the server, one per service that needs one."
}

variable "connection_secret_vault_ids" {
  type        = map(string)
  default     = {}
  description = "Vault that gets the secret postgres-connection-string, by database."
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
