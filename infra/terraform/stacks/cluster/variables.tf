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
  description = "Name of the cluster."

  validation {
    condition     = can(regex("^[0-9A-Za-z]([0-9A-Za-z-]{0,52}[0-9A-Za-z])?$", var.name))
    error_message = "name has 1 to 54 letters, digits and hyphens (it is the DNS prefix too) and no hyphen at either end."
  }
}

variable "subnet_id" {
  type        = string
  description = "Subnet of the nodes and, with Azure CNI, of the pods."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id is the resource id of a subnet."
  }
}

variable "registry_id" {
  type        = string
  description = "Registry the nodes pull images from."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/registries/[^/]+$", var.registry_id))
    error_message = "registry_id is the resource id of a registry."
  }
}

variable "workspace_id" {
  type        = string
  description = "The shared Log Analytics workspace."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/workspaces/[^/]+$", var.workspace_id))
    error_message = "workspace_id is the resource id of a Log Analytics workspace."
  }
}

variable "action_group_id" {
  type        = string
  description = "The action group alerts call."

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+/actionGroups/[^/]+$", var.action_group_id))
    error_message = "action_group_id is the resource id of an action group."
  }
}

variable "kubernetes_version" {
  type        = string
  default     = "1.36"
  description = "Minor version of Kubernetes; Azure picks its newest patch."

  validation {
    condition     = contains(["1.33", "1.34", "1.35", "1.36"], join(".", slice(split(".", "${var.kubernetes_version}.0"), 0, 2)))
    error_message = "kubernetes_version is a minor version from 1.33 to 1.36; 1.35 and 1.36 are current."
  }
}

variable "upgrade_channel" {
  type        = string
  default     = "patch"
  description = "What Azure upgrades by itself: patch, stable, rapid or node-image."

  validation {
    condition     = contains(["patch", "stable", "rapid", "node-image"], var.upgrade_channel)
    error_message = "upgrade_channel is patch, stable, rapid or node-image."
  }
}

variable "sku_tier" {
  type        = string
  description = "Free, Standard (with an uptime promise) or Premium."

  validation {
    condition     = contains(["Free", "Standard", "Premium"], var.sku_tier)
    error_message = "sku_tier is Free, Standard or Premium."
  }
}

variable "service_cidr" {
  type        = string
  default     = "172.16.0.0/16"
  description = "Addresses of Kubernetes services; off every virtual network."

  validation {
    condition     = try(cidrsubnet(var.service_cidr, 0, 0) == var.service_cidr, false) && !startswith(var.service_cidr, "10.")
    error_message = "service_cidr begins on its own boundary and is off the virtual networks, which are in 10.0.0.0/8."
  }
}

variable "dns_service_ip" {
  type        = string
  default     = "172.16.0.10"
  description = "Address of the cluster's DNS, inside service_cidr."

  validation {
    condition     = can(cidrhost("${var.dns_service_ip}/32", 0)) && !endswith(var.dns_service_ip, ".0") && !endswith(var.dns_service_ip, ".1")
    error_message = "dns_service_ip is an address of service_cidr, and neither its first nor its second."
  }
}

variable "outbound_type" {
  type        = string
  default     = "userAssignedNATGateway"
  description = "How pods leave: userAssignedNATGateway (the network's gateway) or loadBalancer."

  validation {
    condition     = contains(["userAssignedNATGateway", "loadBalancer"], var.outbound_type)
    error_message = "outbound_type is userAssignedNATGateway or loadBalancer."
  }
}

variable "system_pool" {
  type = object({
    vm_size    = string
    node_count = optional(number)
    min_count  = optional(number)
    max_count  = optional(number)
    zones      = optional(list(string))
  })
  description = "The first node pool: node_count for a fixed size, or min_count and max_count to scale."

  validation {
    condition     = (var.system_pool.node_count != null) != (var.system_pool.min_count != null && var.system_pool.max_count != null)
    error_message = "system_pool has either node_count or both min_count and max_count."
  }

  validation {
    condition     = coalesce(var.system_pool.node_count, var.system_pool.min_count, 0) >= 1
    error_message = "The system pool has at least one node."
  }
}

variable "node_pools" {
  type = map(object({
    vm_size    = string
    node_count = optional(number)
    min_count  = optional(number)
    max_count  = optional(number)
    zones      = optional(list(string))
    labels     = optional(map(string), {})
    taints     = optional(list(string), [])
  }))
  default     = {}
  description = "More node pools, by name."

  validation {
    condition     = alltrue([for name in keys(var.node_pools) : can(regex("^[a-z][0-9a-z]{0,11}$", name))])
    error_message = "A node pool name has 1 to 12 lower-case letters and digits and begins with a letter."
  }

  validation {
    condition     = alltrue([for pool in values(var.node_pools) : (pool.node_count != null) != (pool.min_count != null && pool.max_count != null)])
    error_message = "A node pool has either node_count or both min_count and max_count."
  }

  validation {
    condition     = alltrue(flatten([for pool in values(var.node_pools) : [for taint in pool.taints : can(regex("^[^=:]+(=[^:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$", taint))]]))
    error_message = "A taint is written key=value:NoSchedule (or PreferNoSchedule, NoExecute)."
  }
}

variable "entra_rbac_enabled" {
  type        = bool
  description = "Whether Entra ID and Azure roles decide who may do what in the cluster."
}

variable "admin_group_object_ids" {
  type        = list(string)
  default     = []
  description = "Entra groups whose members administer the cluster."
}

variable "deployer_principal_id" {
  type        = string
  default     = null
  description = "Object id of who deploys workloads; the identity that runs Terraform when null."
}

variable "reserves_gateway_address" {
  type        = bool
  default     = false
  description = "Whether the gateway's public address is reserved here, so that DNS records can come before the gateway."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
