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
  description = "Group the registry is in. The legacy registry is in mystira-dev-rg."

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
  description = "Name of the registry; letters and digits only, unique in the world."

  validation {
    condition     = can(regex("^[0-9A-Za-z]{5,50}$", var.name))
    error_message = "name has 5 to 50 letters and digits, and nothing else."
  }
}

variable "sku" {
  type        = string
  default     = "Standard"
  description = "Basic, Standard or Premium."

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.sku)
    error_message = "sku is Basic, Standard or Premium."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
