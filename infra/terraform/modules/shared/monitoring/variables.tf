variable "resource_group_name" {
  type        = string
  description = "Group to put everything in."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "workspace_name" {
  type        = string
  description = "Name of the Log Analytics workspace that all services write to."
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
}

variable "workspace_sku" {
  type        = string
  default     = "PerGB2018"
  description = "Pricing of the workspace."
}

variable "retention_days" {
  type        = number
  description = "Days the workspace keeps what was written."
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
