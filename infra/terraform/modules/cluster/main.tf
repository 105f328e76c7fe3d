# The environment's Kubernetes cluster. What runs in it (gateway, cert-manager, services) is deployed by the cluster
# rollout: azurerm has no argument for the Gateway API mode of application routing, and the NGINX mode ends in November 2026.

locals {
  # Of the regions of ADR-0008.
  regions_without_zones = ["westus", "southafricawest"]
  zones_asked_for       = flatten([for pool in concat([var.system_pool], values(var.node_pools)) : pool.zones == null ? [] : pool.zones])

  alerts = {
    cpu    = { metric = "node_cpu_usage_percentage", threshold = 85, description = "A node's processors are busier than 85 %." }
    memory = { metric = "node_memory_working_set_percentage", threshold = 90, description = "A node uses more than 90 % of its memory." }
    disk   = { metric = "node_disk_usage_percentage", threshold = 85, description = "A node's disk is fuller than 85 %." }
  }
}

data "azurerm_client_config" "current" {}

resource "azurerm_user_assigned_identity" "control_plane" {
  name                = "${var.name}-identity"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

# Before the cluster, not after it: the cluster joins nodes and load balancers to a subnet that is not its own.
resource "azurerm_role_assignment" "joins_subnet" {
  scope                            = var.subnet_id
  role_definition_name             = "Network Contributor"
  principal_id                     = azurerm_user_assigned_identity.control_plane.principal_id
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

resource "azurerm_kubernetes_cluster" "this" {
  name                              = var.name
  location                          = var.location
  resource_group_name               = var.resource_group_name
  dns_prefix                        = var.name
  kubernetes_version                = var.kubernetes_version
  automatic_upgrade_channel         = var.upgrade_channel
  node_os_upgrade_channel           = "NodeImage"
  sku_tier                          = var.sku_tier
  oidc_issuer_enabled               = true
  workload_identity_enabled         = true
  role_based_access_control_enabled = true
  image_cleaner_enabled             = true
  image_cleaner_interval_hours      = 168
  tags                              = var.tags

  default_node_pool {
    name                        = "system"
    vm_size                     = var.system_pool.vm_size
    auto_scaling_enabled        = var.system_pool.node_count == null
    node_count                  = var.system_pool.node_count
    min_count                   = var.system_pool.min_count
    max_count                   = var.system_pool.max_count
    zones                       = var.system_pool.zones
    vnet_subnet_id              = var.subnet_id
    temporary_name_for_rotation = "systemtmp"
    tags                        = var.tags

    upgrade_settings {
      max_surge = "10%"
    }
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.control_plane.id]
  }

  network_profile {
    network_plugin    = "azure"
    network_policy    = "calico"
    load_balancer_sku = "standard"
    outbound_type     = var.outbound_type
    service_cidr      = var.service_cidr
    dns_service_ip    = var.dns_service_ip
  }

  node_provisioning_profile {
    mode = "Manual"
  }

  oms_agent {
    log_analytics_workspace_id      = var.workspace_id
    msi_auth_for_monitoring_enabled = true
  }

  dynamic "azure_active_directory_role_based_access_control" {
    for_each = var.entra_rbac_enabled ? [true] : []

    content {
      azure_rbac_enabled     = true
      admin_group_object_ids = var.admin_group_object_ids
    }
  }

  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = "Sunday"
    start_time  = "02:00"
    utc_offset  = "+00:00"
    duration    = 4
  }

  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = "Sunday"
    start_time  = "06:00"
    utc_offset  = "+00:00"
    duration    = 4
  }

  depends_on = [azurerm_role_assignment.joins_subnet]

  lifecycle {
    precondition {
      condition     = cidrsubnet("${var.dns_service_ip}/${split("/", var.service_cidr)[1]}", 0, 0) == var.service_cidr
      error_message = "The DNS address ${var.dns_service_ip} is not inside the service range ${var.service_cidr}."
    }

    precondition {
      condition     = !contains(local.regions_without_zones, var.location) || length(local.zones_asked_for) == 0
      error_message = "${var.location} has no availability zones: leave zones out of the node pools."
    }
  }
}

resource "azurerm_kubernetes_cluster_node_pool" "this" {
  for_each = var.node_pools

  name                        = each.key
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.this.id
  mode                        = "User"
  vm_size                     = each.value.vm_size
  auto_scaling_enabled        = each.value.node_count == null
  node_count                  = each.value.node_count
  min_count                   = each.value.min_count
  max_count                   = each.value.max_count
  zones                       = each.value.zones
  node_labels                 = each.value.labels
  node_taints                 = each.value.taints
  vnet_subnet_id              = var.subnet_id
  temporary_name_for_rotation = "${substr(each.key, 0, 9)}tmp"
  tags                        = var.tags

  upgrade_settings {
    max_surge = "10%"
  }
}

# Instead of the registry's admin user.
resource "azurerm_role_assignment" "pulls_images" {
  scope                            = var.registry_id
  role_definition_name             = "AcrPull"
  principal_id                     = azurerm_kubernetes_cluster.this.kubelet_identity[0].object_id
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

resource "azurerm_role_assignment" "deploys_workloads" {
  count = var.entra_rbac_enabled ? 1 : 0

  scope                = azurerm_kubernetes_cluster.this.id
  role_definition_name = "Azure Kubernetes Service RBAC Cluster Admin"
  principal_id         = coalesce(var.deployer_principal_id, data.azurerm_client_config.current.object_id)
  description          = "The pipeline applies workloads in the cluster."
}

resource "azurerm_public_ip" "gateway" {
  count = var.reserves_gateway_address ? 1 : 0

  name                = "${var.name}-gateway-ip"
  location            = var.location
  resource_group_name = var.resource_group_name
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = var.system_pool.zones
  tags                = var.tags
}

resource "azurerm_role_assignment" "uses_gateway_address" {
  count = var.reserves_gateway_address ? 1 : 0

  scope                            = azurerm_public_ip.gateway[0].id
  role_definition_name             = "Network Contributor"
  principal_id                     = azurerm_user_assigned_identity.control_plane.principal_id
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "to-shared-workspace"
  target_resource_id         = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id = var.workspace_id

  # Every read of the API server is in kube-audit; it costs more than the cluster. The admin log has the writes.
  enabled_log {
    category = "kube-audit-admin"
  }

  enabled_log {
    category = "kube-controller-manager"
  }

  enabled_log {
    category = "cluster-autoscaler"
  }

  enabled_log {
    category = "guard"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each = local.alerts

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_kubernetes_cluster.this.id]
  description         = each.value.description
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.ContainerService/managedClusters"
    metric_name      = each.value.metric
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = each.value.threshold
  }

  action {
    action_group_id = var.action_group_id
  }
}
