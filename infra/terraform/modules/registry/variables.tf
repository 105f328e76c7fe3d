variable "resource_group_name" {
  type        = string
  description = "Group the registry is in. The legacy registry is in mystira-dev-rg."
}

variable "location" {
  type        = string
  description = "Azure region."
}

variable "name" {
  type        = string
  description = "Name of the registry; letters and digits only, unique in the world."
}

variable "sku" {
  type        = string
  default     = "Standard"
  description = "Basic, Standard or Premium."
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
}
