variable "resource_group_name" {
  type        = string
  description = "Name of the state's group, which this module owns."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "storage_account_name" {
  type        = string
  description = "Name of the account; lower-case letters and digits, 24 at most."
}

variable "container_name" {
  type        = string
  default     = "tfstate"
  description = "Container the states are in."
}

variable "replication" {
  type        = string
  default     = "LRS"
  description = "Replication of the account."
}

variable "state_writers" {
  type        = set(string)
  default     = []
  description = "Object ids of everyone else who plans and applies; the identity that runs Terraform is always one."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
