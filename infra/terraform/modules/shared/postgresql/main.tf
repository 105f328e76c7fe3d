# One PostgreSQL server for all services of an environment, reachable from its network only.

locals {
  is_burstable = startswith(var.sku_name, "B_")

  # Npgsql's own words; TLS is required by the server as well.
  connection_strings = {
    for database in var.databases : database => join(";", [
      "Host=${azurerm_postgresql_flexible_server.this.fqdn}",
      "Port=5432",
      "Database=${database}",
      "Username=${var.admin_login}",
      "Password=${random_password.admin.result}",
      "SSL Mode=Require",
    ])
  }

  alerts = {
    cpu = {
      metric      = "cpu_percent"
      aggregation = "Average"
      operator    = "GreaterThan"
      threshold   = 80
      description = "The server's processors are busier than 80 %."
    }
    memory = {
      metric      = "memory_percent"
      aggregation = "Average"
      operator    = "GreaterThan"
      threshold   = 90
      description = "The server uses more than 90 % of its memory."
    }
    storage = {
      metric      = "storage_percent"
      aggregation = "Average"
      operator    = "GreaterThan"
      threshold   = 85
      description = "The server's storage is fuller than 85 %; at 95 % it becomes read-only."
    }
    alive = {
      metric      = "is_db_alive"
      aggregation = "Maximum"
      operator    = "LessThan"
      threshold   = 1
      description = "The database does not answer."
    }
  }
}

resource "azurerm_private_dns_zone" "this" {
  name                = var.private_dns_zone_name
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  name                 = "${var.server_name}-link"
  private_dns_zone_id  = azurerm_private_dns_zone.this.id
  virtual_network_id   = var.vnet_id
  registration_enabled = false
  tags                 = var.tags
}

# No character that a connection string or a shell would read as its own.
resource "random_password" "admin" {
  length           = 32
  min_lower        = 4
  min_upper        = 4
  min_numeric      = 4
  special          = true
  override_special = "-_."
}

resource "azurerm_postgresql_flexible_server" "this" {
  name                          = var.server_name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  version                       = var.postgres_version
  sku_name                      = var.sku_name
  storage_mb                    = var.storage_mb
  auto_grow_enabled             = true
  backup_retention_days         = var.backup_retention_days
  geo_redundant_backup_enabled  = var.geo_redundant_backup_enabled
  delegated_subnet_id           = var.delegated_subnet_id
  private_dns_zone_id           = azurerm_private_dns_zone.this.id
  public_network_access_enabled = false
  administrator_login           = var.admin_login
  administrator_password        = random_password.admin.result
  zone                          = var.zone
  tags                          = var.tags

  dynamic "high_availability" {
    for_each = var.high_availability_mode == null ? [] : [var.high_availability_mode]

    content {
      mode = high_availability.value
    }
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.this]

  lifecycle {
    prevent_destroy = true
    # After a failover the standby's zone is the server's; after growing by itself the storage is larger than written.
    ignore_changes = [zone, high_availability[0].standby_availability_zone, storage_mb]

    precondition {
      condition     = !(local.is_burstable && var.high_availability_mode != null)
      error_message = "A Burstable server (${var.sku_name}) has no high availability; choose a GP_ or MO_ size or leave high_availability_mode null."
    }

    precondition {
      condition     = !(local.is_burstable && var.read_replica_count > 0)
      error_message = "A Burstable server (${var.sku_name}) has no read replicas; choose a GP_ or MO_ size or set read_replica_count to 0."
    }

    precondition {
      condition     = !contains(["westus", "southafricawest"], var.location) || (var.zone == null && try(var.high_availability_mode != "ZoneRedundant", true))
      error_message = "${var.location} has no availability zones: make zone null and high_availability_mode anything but ZoneRedundant."
    }

    precondition {
      condition     = length(setsubtract(keys(var.connection_secret_vault_ids), var.databases)) == 0
      error_message = "connection_secret_vault_ids names a database that is not in databases."
    }
  }
}

resource "azurerm_postgresql_flexible_server" "replica" {
  count = var.read_replica_count

  name                          = "${var.server_name}-replica-${count.index + 1}"
  location                      = var.location
  resource_group_name           = var.resource_group_name
  create_mode                   = "Replica"
  source_server_id              = azurerm_postgresql_flexible_server.this.id
  delegated_subnet_id           = var.delegated_subnet_id
  private_dns_zone_id           = azurerm_private_dns_zone.this.id
  public_network_access_enabled = false
  auto_grow_enabled             = true
  tags                          = var.tags

  lifecycle {
    ignore_changes = [zone]
  }
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  for_each = var.databases

  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  charset   = "UTF8"
  collation = "en_US.utf8"

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_postgresql_flexible_server_configuration" "tls" {
  for_each = {
    require_secure_transport = "on"
    ssl_min_protocol_version = "TLSv1.2"
  }

  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  value     = each.value
}

resource "azurerm_key_vault_secret" "connection_string" {
  for_each = var.connection_secret_vault_ids

  name         = "postgres-connection-string"
  key_vault_id = each.value
  value        = local.connection_strings[each.key]
  content_type = "Npgsql connection string"
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "to-shared-workspace"
  target_resource_id         = azurerm_postgresql_flexible_server.this.id
  log_analytics_workspace_id = var.workspace_id

  enabled_log {
    category = "PostgreSQLLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each = local.alerts

  name                = "${var.server_name}-${each.key}"
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_postgresql_flexible_server.this.id]
  description         = each.value.description
  severity            = each.key == "alive" ? 0 : 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.DBforPostgreSQL/flexibleServers"
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = each.value.operator
    threshold        = each.value.threshold
  }

  action {
    action_group_id = var.action_group_id
  }
}
