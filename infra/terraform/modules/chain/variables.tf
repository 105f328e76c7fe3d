variable "resource_group_name" {
  type        = string
  description = "Group to put everything in."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "name_prefix" {
  type        = string
  description = "First part of the names made here, as mystira-chain-dev."
}

variable "key_vault_name" {
  type        = string
  description = "Name of the service's vault; 24 characters at most and unique in the world."
}

variable "purge_protection_enabled" {
  type        = bool
  description = "Whether a deleted vault must outlive its soft-delete days. It cannot be switched off again."
}

variable "subnet_id" {
  type        = string
  description = "The service's subnet, which its security group is attached to."
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

variable "storage_account_name" {
  type        = string
  description = "Name of the account that holds the chain's data; lower-case letters and digits, 24 at most."
}

variable "storage_replication" {
  type        = string
  description = "LRS or ZRS; Premium file shares have no other."
}

variable "storage_size_gb" {
  type        = number
  description = "Size of each share in gigabytes. Azure takes no Premium share below 100."
}

variable "node_count" {
  type        = number
  description = "Chain nodes; each has a share of its own."
}

variable "aks_subnet_id" {
  type        = string
  description = "Subnet of the cluster's nodes, which mount the shares."
}
