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
  description = "First part of the names made here, as mystira-pub-dev."
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

variable "servicebus_name" {
  type        = string
  description = "Name of the Service Bus namespace; it must not end in -sb or -mgmt."
}

variable "servicebus_sku" {
  type        = string
  description = "Standard or Premium; Basic has no dead-lettering rules we use."
}

variable "chain_rpc_endpoint" {
  type        = string
  description = "Where the publisher reaches the chain, inside the cluster."
}
