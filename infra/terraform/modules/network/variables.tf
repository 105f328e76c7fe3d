variable "resource_group_name" {
  type        = string
  description = "Name of the environment's resource group, which this module owns."
}

variable "location" {
  type        = string
  description = "Azure region of the group and everything in it."
}

variable "vnet_name" {
  type        = string
  description = "Name of the virtual network."
}

variable "address_space" {
  type        = string
  description = "The one address range of the virtual network."
}

variable "subnet_prefixes" {
  type = object({
    aks             = string
    chain           = string
    publisher       = string
    postgresql      = string
    redis           = string
    story-generator = string
  })
  description = "Address range of each subnet. All lie in address_space and none overlaps another."
}

variable "nat_zones" {
  type        = set(string)
  default     = []
  description = "Availability zone of the NAT gateway and its address: one, or none where the region has no zones."
}

variable "deployer_principal_id" {
  type        = string
  default     = null
  description = "Object id of who deploys this environment; the identity that runs Terraform when null."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
