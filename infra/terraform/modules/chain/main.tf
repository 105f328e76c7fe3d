# The chain service on the Azure side: its identity and vault, and the storage its nodes keep the ledger on.

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
  tags                     = var.tags

  # The one port the chain serves; its other names lead there inside the cluster.
  inbound_rules = {
    allow-rpc = {
      priority    = 100
      protocol    = "Tcp"
      ports       = ["8545"]
      description = "RPC and health."
    }
  }
}

resource "azurerm_storage_account" "this" {
  name                            = var.storage_account_name
  location                        = var.location
  resource_group_name             = var.resource_group_name
  account_tier                    = "Premium"
  account_kind                    = "FileStorage"
  account_replication_type        = var.storage_replication
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  allow_nested_items_to_be_public = false
  local_user_enabled              = false
  # The cluster's file driver mounts SMB shares with the account key.
  shared_access_key_enabled = true
  tags                      = var.tags

  network_rules {
    default_action             = "Deny"
    bypass                     = ["AzureServices", "Logging", "Metrics"]
    virtual_network_subnet_ids = [var.aks_subnet_id, var.subnet_id]
  }

  share_properties {
    retention_policy {
      days = 14
    }
  }

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = !(var.storage_replication == "ZRS" && contains(["westus", "southafricawest"], var.location))
      error_message = "${var.location} has no availability zones, so storage_replication is LRS there."
    }
  }
}

resource "azurerm_storage_share" "data" {
  count = var.node_count

  name               = "chain-data-${count.index}"
  storage_account_id = azurerm_storage_account.this.id
  enabled_protocol   = "SMB"
  access_tier        = "Premium"
  quota              = var.storage_size_gb

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_role_assignment" "writes_shares" {
  scope                            = azurerm_storage_account.this.id
  role_definition_name             = "Storage File Data SMB Share Contributor"
  principal_id                     = module.workload.identity_principal_id
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

resource "azurerm_monitor_diagnostic_setting" "files" {
  name                       = "to-shared-workspace"
  target_resource_id         = "${azurerm_storage_account.this.id}/fileServices/default"
  log_analytics_workspace_id = var.workspace_id

  enabled_log {
    category = "StorageDelete"
  }

  enabled_log {
    category = "StorageWrite"
  }

  enabled_metric {
    category = "Transaction"
  }
}

resource "azurerm_monitor_metric_alert" "storage_availability" {
  name                = "${var.name_prefix}-storage-availability"
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_storage_account.this.id]
  description         = "The chain's storage answers fewer than 99 % of the requests."
  severity            = 1
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.Storage/storageAccounts"
    metric_name      = "Availability"
    aggregation      = "Average"
    operator         = "LessThan"
    threshold        = 99
  }

  action {
    action_group_id = var.action_group_id
  }
}
