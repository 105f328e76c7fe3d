variable "subscription_id" {
  type        = string
  description = "Subscription to deploy to."

  validation {
    condition     = can(regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case."
  }
}

variable "resource_group_name" {
  type        = string
  description = "Name of the state's group, which this module owns."

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

variable "storage_account_name" {
  type        = string
  description = "Name of the account; lower-case letters and digits, 24 at most."

  validation {
    condition     = can(regex("^[0-9a-z]{3,24}$", var.storage_account_name))
    error_message = "storage_account_name has 3 to 24 lower-case letters and digits."
  }
}

variable "container_name" {
  type        = string
  default     = "tfstate"
  description = "Container the states are in."

  validation {
    condition     = can(regex("^[0-9a-z]([0-9a-z-]{1,61}[0-9a-z])$", var.container_name)) && !strcontains(var.container_name, "--")
    error_message = "container_name has 3 to 63 lower-case letters, digits and single hyphens."
  }
}

variable "replication" {
  type        = string
  default     = "LRS"
  description = "Replication of the account."

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS"], var.replication)
    error_message = "replication is LRS, ZRS, GRS or RAGRS."
  }
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
