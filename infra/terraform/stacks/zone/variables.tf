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
  description = "Name of the zone's group, which this module owns."

  validation {
    condition     = can(regex("^[0-9A-Za-z_().-]{0,89}[0-9A-Za-z_()-]$", var.resource_group_name))
    error_message = "resource_group_name has 1 to 90 letters, digits, - _ . ( ) and does not end in a dot."
  }
}

variable "location" {
  type        = string
  description = "Region of the group's own record; the zone itself is global."

  validation {
    condition     = contains(["eastus", "eastus2", "westus", "westus2", "northeurope", "westeurope", "southafricanorth", "southafricawest", "swedencentral", "uksouth"], var.location)
    error_message = "location is no region of ADR-0008; write it as Azure does, in lower case without blanks."
  }
}

variable "domain_name" {
  type        = string
  description = "The public domain."

  validation {
    condition     = can(regex("^([0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name is a domain in lower case without a dot at the end."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
