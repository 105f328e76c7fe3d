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
  description = "Name of the environment's resource group, which this module owns."

  validation {
    condition     = can(regex("^[0-9A-Za-z_().-]{0,89}[0-9A-Za-z_()-]$", var.resource_group_name))
    error_message = "resource_group_name has 1 to 90 letters, digits, - _ . ( ) and does not end in a dot."
  }
}

variable "location" {
  type        = string
  description = "Azure region of the group and everything in it."

  validation {
    condition     = contains(["eastus", "eastus2", "westus", "westus2", "northeurope", "westeurope", "southafricanorth", "southafricawest", "swedencentral", "uksouth"], var.location)
    error_message = "location is no region of ADR-0008; write it as Azure does, in lower case without blanks."
  }
}

variable "vnet_name" {
  type        = string
  description = "Name of the virtual network."

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z_.-]{0,62}[0-9A-Za-z_]$", var.vnet_name))
    error_message = "vnet_name has 2 to 64 letters, digits, - _ . and begins with a letter or digit."
  }
}

variable "address_space" {
  type        = string
  description = "The one address range of the virtual network."

  validation {
    condition     = try(cidrsubnet(var.address_space, 0, 0) == var.address_space, false)
    error_message = "address_space is an address range whose first address is its own, as 10.0.0.0/16."
  }
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

  validation {
    condition     = alltrue([for prefix in values(var.subnet_prefixes) : try(cidrsubnet(prefix, 0, 0) == prefix, false)])
    error_message = "A subnet prefix does not begin on its own boundary: a /22 begins at a multiple of 4 in the third number."
  }

  validation {
    condition = length(distinct(values(var.subnet_prefixes))) == length(values(var.subnet_prefixes)) && try(alltrue(flatten([
      for one in values(var.subnet_prefixes) : [
        for other in values(var.subnet_prefixes) : one == other || (
          cidrsubnet("${split("/", one)[0]}/${min(split("/", one)[1], split("/", other)[1])}", 0, 0) !=
          cidrsubnet("${split("/", other)[0]}/${min(split("/", one)[1], split("/", other)[1])}", 0, 0)
        )
      ]
    ])), false)
    error_message = "Two subnets overlap."
  }

  validation {
    condition     = try(tonumber(split("/", var.subnet_prefixes.postgresql)[1]) <= 28, false)
    error_message = "The subnet of flexible servers needs a /28 or larger."
  }
}

variable "nat_zones" {
  type        = set(string)
  default     = []
  description = "Availability zone of the NAT gateway and its address: one, or none where the region has no zones."

  validation {
    condition     = length(var.nat_zones) <= 1
    error_message = "A NAT gateway stands in one zone, or in none."
  }
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
