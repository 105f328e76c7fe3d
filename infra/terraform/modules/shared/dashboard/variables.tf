variable "resource_group_name" {
  type        = string
  description = "Group to put everything in."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "name" {
  type        = string
  description = "Name of the dashboard; letters, digits and hyphens."
}

variable "title" {
  type        = string
  description = "What people read in the portal's list of dashboards."
}

variable "workspace_id" {
  type        = string
  description = "The Log Analytics workspace that the tables are asked from."
}

variable "application_insights_ids" {
  type        = map(string)
  description = "Application Insights of each service, by service."
}

variable "servicebus_namespace_ids" {
  type        = map(string)
  description = "Service Bus namespace of each service that has one, by service."
}

variable "cluster_id" {
  type        = string
  description = "The Kubernetes cluster the services run in."
}

variable "postgresql_server_id" {
  type        = string
  description = "The flexible server."
}

variable "cache_id" {
  type        = string
  description = "The cache: Managed Redis or the legacy one, which have metrics of their own."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
