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

variable "workspace_name" {
  type        = string
  description = "Name of the Log Analytics workspace that all services write to."

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z-]{2,61}[0-9A-Za-z]$", var.workspace_name))
    error_message = "workspace_name has 4 to 63 letters, digits and hyphens and no hyphen at either end."
  }
}

variable "application_insights_name" {
  type        = string
  description = "Name of the environment's own Application Insights."
}

variable "action_group_name" {
  type        = string
  description = "Name of the action group that every alert of the environment calls."
}

variable "action_group_short_name" {
  type        = string
  description = "What a text message shows as the sender; 12 characters at most."

  validation {
    condition     = length(var.action_group_short_name) >= 1 && length(var.action_group_short_name) <= 12
    error_message = "action_group_short_name has 1 to 12 characters."
  }
}

variable "workspace_sku" {
  type        = string
  default     = "PerGB2018"
  description = "Pricing of the workspace."

  validation {
    condition     = contains(["PerGB2018", "CapacityReservation"], var.workspace_sku)
    error_message = "workspace_sku is PerGB2018 or CapacityReservation; the older plans are closed."
  }
}

variable "retention_days" {
  type        = number
  description = "Days the workspace keeps what was written."

  validation {
    condition     = var.retention_days >= 30 && var.retention_days <= 730
    error_message = "A workspace keeps data for 30 to 730 days."
  }
}

variable "daily_quota_gb" {
  type        = number
  default     = -1
  description = "Gigabytes a day after which the workspace takes no more; -1 for no cap."
}

variable "alert_emails" {
  type        = list(string)
  default     = []
  description = "Mail addresses that hear of alerts."
}

variable "failed_requests_threshold" {
  type        = number
  default     = 10
  description = "Failed requests within five minutes that are an alert."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
