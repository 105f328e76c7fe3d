# One Redis for all services of an environment: Azure Managed Redis, or the legacy cache where one is kept.
# Consumers read host and port from the outputs or the connection string; neither is the same in both services.

locals {
  is_managed = var.service == "managed"

  cache = local.is_managed ? {
    id        = azurerm_managed_redis.this[0].id
    hostname  = azurerm_managed_redis.this[0].hostname
    port      = azurerm_managed_redis.this[0].default_database[0].port
    namespace = "Microsoft.Cache/redisEnterprise"
    link      = "privatelink.redis.azure.net"
    part      = "redisEnterprise"
    } : {
    id        = azurerm_redis_cache.this[0].id
    hostname  = azurerm_redis_cache.this[0].hostname
    port      = azurerm_redis_cache.this[0].ssl_port
    namespace = "Microsoft.Cache/redis"
    link      = "privatelink.redis.cache.windows.net"
    part      = "redisCache"
  }

  access_key = local.is_managed ? one(azurerm_managed_redis.this[*].default_database[0].primary_access_key) : one(azurerm_redis_cache.this[*].primary_access_key)

  # StackExchange.Redis' own words.
  connection_string = "${local.cache.hostname}:${local.cache.port},password=${local.access_key},ssl=True,abortConnect=False"

  # Both metrics exist, with these names, in both services.
  alerts = {
    memory = {
      metric      = "usedmemorypercentage"
      threshold   = 85
      description = "The cache is fuller than 85 %; keys with a time to live are being thrown out."
    }
    load = {
      metric      = "serverLoad"
      threshold   = 80
      description = "The cache is busier than 80 %; answers come late."
    }
  }
}

resource "azurerm_managed_redis" "this" {
  count = local.is_managed ? 1 : 0

  name                      = var.name
  location                  = var.location
  resource_group_name       = var.resource_group_name
  sku_name                  = var.managed_sku
  high_availability_enabled = var.high_availability_enabled
  public_network_access     = var.private_endpoint_enabled ? "Disabled" : "Enabled"
  tags                      = var.tags

  default_database {
    client_protocol                    = "Encrypted"
    clustering_policy                  = "EnterpriseCluster"
    eviction_policy                    = "VolatileLRU"
    access_keys_authentication_enabled = true
  }
}

resource "azurerm_redis_cache" "this" {
  count = local.is_managed ? 0 : 1

  name                          = var.name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  sku_name                      = var.legacy_sku
  family                        = var.legacy_sku == "Premium" ? "P" : "C"
  capacity                      = var.legacy_capacity
  minimum_tls_version           = "1.2"
  non_ssl_port_enabled          = false
  public_network_access_enabled = !var.private_endpoint_enabled
  tags                          = var.tags

  redis_configuration {
    maxmemory_policy = "volatile-lru"
  }
}

resource "azurerm_private_dns_zone" "this" {
  count = var.private_endpoint_enabled ? 1 : 0

  name                = local.cache.link
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  count = var.private_endpoint_enabled ? 1 : 0

  name                 = "${var.name}-link"
  private_dns_zone_id  = azurerm_private_dns_zone.this[0].id
  virtual_network_id   = var.vnet_id
  registration_enabled = false
  tags                 = var.tags
}

resource "azurerm_private_endpoint" "this" {
  count = var.private_endpoint_enabled ? 1 : 0

  name                = "${var.name}-endpoint"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = var.name
    private_connection_resource_id = local.cache.id
    subresource_names              = [local.cache.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "redis"
    private_dns_zone_ids = [azurerm_private_dns_zone.this[0].id]
  }

  lifecycle {
    precondition {
      condition     = var.subnet_id != null && var.vnet_id != null
      error_message = "A private endpoint needs subnet_id and vnet_id; give both or set private_endpoint_enabled to false."
    }
  }
}

resource "azurerm_key_vault_secret" "connection_string" {
  for_each = var.connection_secret_vault_ids

  name         = "redis-connection-string"
  key_vault_id = each.value
  value        = local.connection_string
  content_type = "StackExchange.Redis connection string"
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "to-shared-workspace"
  target_resource_id         = local.cache.id
  log_analytics_workspace_id = var.workspace_id

  # Managed Redis writes its connection log at the database; the cluster has metrics only.
  dynamic "enabled_log" {
    for_each = local.is_managed ? [] : ["ConnectedClientList"]

    content {
      category = enabled_log.value
    }
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_diagnostic_setting" "database" {
  count = local.is_managed ? 1 : 0

  name                       = "to-shared-workspace"
  target_resource_id         = azurerm_managed_redis.this[0].default_database[0].id
  log_analytics_workspace_id = var.workspace_id

  enabled_log {
    category = "ConnectionEvents"
  }
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each = local.alerts

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  scopes              = [local.cache.id]
  description         = each.value.description
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = local.cache.namespace
    metric_name      = each.value.metric
    aggregation      = "Maximum"
    operator         = "GreaterThan"
    threshold        = each.value.threshold
  }

  action {
    action_group_id = var.action_group_id
  }
}
