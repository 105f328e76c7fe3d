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
  description = "The service's subnet, which the security group is attached to."
}

variable "inbound_rules" {
  type = map(object({
    priority    = number
    protocol    = string
    ports       = list(string)
    description = string
  }))
  description = "What the network may reach in the subnet, by rule name; everything else is refused."
}

variable "workspace_id" {
  type        = string
  description = "The shared Log Analytics workspace."
}

variable "action_group_id" {
  type        = string
  description = "The action group alerts call."
}

variable "application_type" {
  type        = string
  default     = "other"
  description = "Kind of application for Application Insights: other, web, Node.JS or java."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
