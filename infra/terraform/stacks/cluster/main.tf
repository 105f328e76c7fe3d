# The environment's Kubernetes cluster.

module "cluster" {
  source = "../../modules/cluster"

  resource_group_name      = var.resource_group_name
  location                 = var.location
  name                     = var.name
  subnet_id                = var.subnet_id
  registry_id              = var.registry_id
  workspace_id             = var.workspace_id
  action_group_id          = var.action_group_id
  kubernetes_version       = var.kubernetes_version
  upgrade_channel          = var.upgrade_channel
  sku_tier                 = var.sku_tier
  service_cidr             = var.service_cidr
  dns_service_ip           = var.dns_service_ip
  outbound_type            = var.outbound_type
  system_pool              = var.system_pool
  node_pools               = var.node_pools
  entra_rbac_enabled       = var.entra_rbac_enabled
  admin_group_object_ids   = var.admin_group_object_ids
  deployer_principal_id    = var.deployer_principal_id
  reserves_gateway_address = var.reserves_gateway_address
  tags                     = var.tags
}
