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

variable "name" {
  type        = string
  description = "Name of the dashboard; letters, digits and hyphens."

  validation {
    condition     = can(regex("^[0-9A-Za-z-]{3,64}$", var.name))
    error_message = "name has 3 to 64 letters, digits and hyphens."
  }
}

variable "title" {
  type        = string
  description = "What people read in the portal's list of dashboards."

  validation {
    condition     = length(var.title) >= 1 && length(var.title) <= 256
    error_message = "title is a tag of the dashboard: 1 to 256 characters."
  }
}

variable "workspace_id" {
  type        = string
  description = "The Log Analytics workspace that the tables are asked from."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+$", var.workspace_id))
    error_message = "workspace_id is the resource id of a Log Analytics workspace."
  }
}

variable "application_insights_ids" {
  type        = map(string)
  description = "Application Insights of each service, by service."

  validation {
    condition     = alltrue([for id in values(var.application_insights_ids) : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Insights/components/[^/]+$", id))])
    error_message = "application_insights_ids holds resource ids of Application Insights components."
  }
}

variable "servicebus_namespace_ids" {
  type        = map(string)
  description = "Service Bus namespace of each service that has one, by service."

  validation {
    condition     = alltrue([for id in values(var.servicebus_namespace_ids) : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ServiceBus/namespaces/[^/]+$", id))])
    error_message = "servicebus_namespace_ids holds resource ids of Service Bus namespaces."
  }
}

variable "cluster_id" {
  type        = string
  description = "The Kubernetes cluster the services run in."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ContainerService/managedClusters/[^/]+$", var.cluster_id))
    error_message = "cluster_id is the resource id of a Kubernetes cluster."
  }
}

variable "postgresql_server_id" {
  type        = string
  description = "The flexible server."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.DBforPostgreSQL/flexibleServers/[^/]+$", var.postgresql_server_id))
    error_message = "postgresql_server_id is the resource id of a flexible server."
  }
}

variable "cache_id" {
  type        = string
  description = "The cache: Managed Redis or the legacy one, which have metrics of their own."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Cache/redis(Enterprise)?/[^/]+$", var.cache_id))
    error_message = "cache_id is the resource id of a Redis cache."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
