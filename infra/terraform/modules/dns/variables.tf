variable "resource_group_name" {
  type        = string
  description = "Name of the zone's group, which this module owns."
}

variable "location" {
  type        = string
  description = "Region of the group's own record; the zone itself is global."
}

variable "domain_name" {
  type        = string
  description = "The public domain."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
