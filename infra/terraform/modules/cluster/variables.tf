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
  description = "Name of the cluster."
}

variable "subnet_id" {
  type        = string
  description = "Subnet of the nodes and, with Azure CNI, of the pods."
}

variable "registry_id" {
  type        = string
  description = "Registry the nodes pull images from."
}

variable "workspace_id" {
  type        = string
  description = "The shared Log Analytics workspace."
}

variable "action_group_id" {
  type        = string
  description = "The action group alerts call."
}

variable "kubernetes_version" {
  type        = string
  default     = "1.36"
  description = "Minor version of Kubernetes; Azure picks its newest patch."
}

variable "upgrade_channel" {
  type        = string
  default     = "patch"
  description = "What Azure upgrades by itself: patch, stable, rapid or node-image."
}

variable "sku_tier" {
  type        = string
  description = "Free, Standard (with an uptime promise) or Premium."
}

variable "service_cidr" {
  type        = string
  default     = "172.16.0.0/16"
  description = "Addresses of Kubernetes services; off every virtual network."
}

variable "dns_service_ip" {
  type        = string
  default     = "172.16.0.10"
  description = "Address of the cluster's DNS, inside service_cidr."
}

variable "outbound_type" {
  type        = string
  default     = "userAssignedNATGateway"
  description = "How pods leave: userAssignedNATGateway (the network's gateway) or loadBalancer."
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
