# The publisher service on the Azure side: its identity and vault, and the bus its events travel on.

locals {
  is_premium = var.servicebus_sku == "Premium"
}

module "workload" {
  source = "../shared/workload"

  resource_group_name      = var.resource_group_name
  location                 = var.location
  name_prefix              = var.name_prefix
  key_vault_name           = var.key_vault_name
  purge_protection_enabled = var.purge_protection_enabled
  subnet_id                = var.subnet_id
  workspace_id             = var.workspace_id
  action_group_id          = var.action_group_id
  application_type         = "Node.JS"
  tags                     = var.tags

  inbound_rules = {
    allow-http = {
      priority    = 100
      protocol    = "Tcp"
      ports       = ["3000", "3001"]
      description = "Pages and health."
    }
  }
}

resource "azurerm_servicebus_namespace" "this" {
  name                         = var.servicebus_name
  location                     = var.location
  resource_group_name          = var.resource_group_name
  sku                          = var.servicebus_sku
  capacity                     = local.is_premium ? 1 : 0
  premium_messaging_partitions = local.is_premium ? 1 : 0
  minimum_tls_version          = "1.2"
  tags                         = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_servicebus_queue" "events" {
  name                                 = "publisher-events"
  namespace_id                         = azurerm_servicebus_namespace.this.id
  max_delivery_count                   = 3
  default_message_ttl                  = "P1D"
  dead_lettering_on_message_expiration = true
  # A Premium namespace takes no partitioned queue, and partitioning cannot be changed later: off everywhere.
  partitioning_enabled = false
}

resource "azurerm_role_assignment" "uses_queue" {
  scope                            = azurerm_servicebus_queue.events.id
  role_definition_name             = "Azure Service Bus Data Owner"
  principal_id                     = module.workload.identity_principal_id
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

resource "azurerm_key_vault_secret" "servicebus_connection" {
  name         = "servicebus-connection"
  key_vault_id = module.workload.key_vault_id
  value        = azurerm_servicebus_namespace.this.default_primary_connection_string
  content_type = "Service Bus connection string"
}

resource "azurerm_key_vault_secret" "chain_rpc_endpoint" {
  name         = "chain-rpc-endpoint"
  key_vault_id = module.workload.key_vault_id
  value        = var.chain_rpc_endpoint
  content_type = "address"
}

resource "azurerm_monitor_diagnostic_setting" "servicebus" {
  name                       = "to-shared-workspace"
  target_resource_id         = azurerm_servicebus_namespace.this.id
  log_analytics_workspace_id = var.workspace_id

  enabled_log {
    category = "OperationalLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_metric_alert" "dead_letters" {
  name                = "${var.name_prefix}-dead-letters"
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_servicebus_namespace.this.id]
  description         = "Messages of publisher-events could not be delivered."
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.ServiceBus/namespaces"
    metric_name      = "DeadletteredMessages"
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = 0

    dimension {
      name     = "EntityName"
      operator = "Include"
      values   = [azurerm_servicebus_queue.events.name]
    }
  }

  action {
    action_group_id = var.action_group_id
  }
}
