"""What Azure and its Terraform plugin say about types: arguments, names, metrics, delegations, what holds data.

Where each table comes from:

* arguments: `rehearsal/generated/azurerm-schema.json`; its own source stands beside it;
* METRICS: Azure Monitor's pages "Supported metrics", as published in July 2026. Compared name by name:
  Microsoft.Insights/components, Microsoft.KeyVault/vaults, Microsoft.ContainerService/managedClusters,
  Microsoft.Cache/redis (whole caches, not shard by shard). From memory, in part: Microsoft.Cache/redisEnterprise,
  Microsoft.DBforPostgreSQL/flexibleServers, Microsoft.ServiceBus/namespaces, Microsoft.Storage/storageAccounts, so a
  name that they lack is a risk and no error. A namespace that is missing is not judged;
* DELEGATIONS: the list that the plugin itself validates against (`subnetDelegationServiceNames` of azurerm 4);
* NAMED: rules by `workspace.naming`; which names are taken for the whole world is from Azure's page "Naming rules and
  restrictions" for registries, caches and bots, and from memory for the rest;
* HOLDS_DATA: ours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_SCHEMA = Path(__file__).parent.parent / "rehearsal/generated/azurerm-schema.json"

SCHEMA_MAJOR = "5"
"""The major version of the plugin that the schema describes; other majors take other arguments."""

METRICS: Mapping[str, frozenset[str]] = {
    "Microsoft.Insights/components": frozenset(
        {
            "availabilityResults/availabilityPercentage",
            "availabilityResults/count",
            "availabilityResults/duration",
            "browserTimings/networkDuration",
            "browserTimings/processingDuration",
            "browserTimings/receiveDuration",
            "browserTimings/sendDuration",
            "browserTimings/totalDuration",
            "dependencies/count",
            "dependencies/duration",
            "dependencies/failed",
            "exceptions/browser",
            "exceptions/count",
            "exceptions/server",
            "pageViews/count",
            "pageViews/duration",
            "performanceCounters/exceptionsPerSecond",
            "performanceCounters/memoryAvailableBytes",
            "performanceCounters/processCpuPercentage",
            "performanceCounters/processIOBytesPerSecond",
            "performanceCounters/processPrivateBytes",
            "performanceCounters/processorCpuPercentage",
            "performanceCounters/requestExecutionTime",
            "performanceCounters/requestsInQueue",
            "performanceCounters/requestsPerSecond",
            "requests/count",
            "requests/duration",
            "requests/failed",
            "requests/rate",
            "traces/count",
        }
    ),
    "Microsoft.KeyVault/vaults": frozenset(
        {"Availability", "SaturationShoebox", "ServiceApiHit", "ServiceApiLatency", "ServiceApiResult"}
    ),
    "Microsoft.Storage/storageAccounts": frozenset(
        {
            "Availability",
            "Egress",
            "Ingress",
            "SuccessE2ELatency",
            "SuccessServerLatency",
            "Transactions",
            "UsedCapacity",
        }
    ),
    "Microsoft.ServiceBus/namespaces": frozenset(
        {
            "AbandonMessage",
            "ActiveConnections",
            "ActiveMessages",
            "CompleteMessage",
            "ConnectionsClosed",
            "ConnectionsOpened",
            "DeadletteredMessages",
            "IncomingMessages",
            "IncomingRequests",
            "Messages",
            "NamespaceCpuUsage",
            "NamespaceMemoryUsage",
            "OutgoingMessages",
            "ScheduledMessages",
            "ServerErrors",
            "ServerSendLatency",
            "Size",
            "SuccessfulRequests",
            "ThrottledRequests",
            "UserErrors",
        }
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers": frozenset(
        {
            "active_connections",
            "analyze_count_user_tables",
            "backup_storage_used",
            "connections_failed",
            "connections_succeeded",
            "cpu_credits_consumed",
            "cpu_credits_remaining",
            "cpu_percent",
            "disk_bandwidth_consumed_percentage",
            "disk_iops_consumed_percentage",
            "disk_queue_depth",
            "iops",
            "is_db_alive",
            "max_connections",
            "maximum_used_transactionIDs",
            "memory_percent",
            "network_bytes_egress",
            "network_bytes_ingress",
            "physical_replication_delay_in_bytes",
            "physical_replication_delay_in_seconds",
            "read_iops",
            "read_throughput",
            "storage_free",
            "storage_percent",
            "storage_used",
            "txlogs_storage_used",
            "write_iops",
            "write_throughput",
        }
    ),
    "Microsoft.Cache/redis": frozenset(
        {
            "ConnectedClientsUsingAADToken",
            "GeoReplicationConnectivityLag",
            "GeoReplicationDataSyncOffset",
            "GeoReplicationFullSyncEventFinished",
            "GeoReplicationFullSyncEventStarted",
            "GeoReplicationHealthy",
            "LatencyP99",
            "allConnectionsClosedPerSecond",
            "allConnectionsCreatedPerSecond",
            "allcacheRead",
            "allcacheWrite",
            "allcachehits",
            "allcachemisses",
            "allconnectedclients",
            "allevictedkeys",
            "allexpiredkeys",
            "allgetcommands",
            "alloperationsPerSecond",
            "allpercentprocessortime",
            "allserverLoad",
            "allsetcommands",
            "alltotalcommandsprocessed",
            "alltotalkeys",
            "allusedmemory",
            "allusedmemoryRss",
            "allusedmemorypercentage",
            "cacheLatency",
            "cacheRead",
            "cacheWrite",
            "cachehits",
            "cachemisses",
            "cachemissrate",
            "connectedclients",
            "errors",
            "evictedkeys",
            "expiredkeys",
            "getcommands",
            "operationsPerSecond",
            "percentProcessorTime",
            "serverLoad",
            "setcommands",
            "totalcommandsprocessed",
            "totalkeys",
            "usedmemory",
            "usedmemoryRss",
            "usedmemorypercentage",
        }
    ),
    "Microsoft.Cache/redisEnterprise": frozenset(
        {
            "cacheLatency",
            "cacheRead",
            "cacheWrite",
            "cachehits",
            "cachemisses",
            "connectedclients",
            "errors",
            "evictedkeys",
            "expiredkeys",
            "geoReplicationHealthy",
            "getcommands",
            "operationsPerSecond",
            "percentProcessorTime",
            "serverLoad",
            "setcommands",
            "totalcommandsprocessed",
            "totalkeys",
            "usedmemory",
            "usedmemorypercentage",
        }
    ),
    "Microsoft.ContainerService/managedClusters": frozenset(
        {
            "apiserver_cpu_usage_percentage",
            "apiserver_current_inflight_requests",
            "apiserver_memory_usage_percentage",
            "cluster_autoscaler_cluster_safe_to_autoscale",
            "cluster_autoscaler_scale_down_in_cooldown",
            "cluster_autoscaler_unneeded_nodes_count",
            "cluster_autoscaler_unschedulable_pods_count",
            "etcd_cpu_usage_percentage",
            "etcd_database_usage_percentage",
            "etcd_memory_usage_percentage",
            "kube_node_status_allocatable_cpu_cores",
            "kube_node_status_allocatable_memory_bytes",
            "kube_node_status_condition",
            "kube_pod_status_phase",
            "kube_pod_status_ready",
            "node_cpu_usage_millicores",
            "node_cpu_usage_percentage",
            "node_disk_usage_bytes",
            "node_disk_usage_percentage",
            "node_memory_rss_bytes",
            "node_memory_rss_percentage",
            "node_memory_working_set_bytes",
            "node_memory_working_set_percentage",
            "node_network_in_bytes",
            "node_network_out_bytes",
        }
    ),
}

DELEGATIONS = frozenset(
    {
        "GitHub.Network/networkSettings",
        "Informatica.DataManagement/organizations",
        "Microsoft.ApiManagement/service",
        "Microsoft.Apollo/npu",
        "Microsoft.App/environments",
        "Microsoft.App/testClients",
        "Microsoft.AVS/PrivateClouds",
        "Microsoft.AzureCosmosDB/clusters",
        "Microsoft.BareMetal/AzureHostedService",
        "Microsoft.BareMetal/AzureHPC",
        "Microsoft.BareMetal/AzurePaymentHSM",
        "Microsoft.BareMetal/AzureVMware",
        "Microsoft.BareMetal/CrayServers",
        "Microsoft.BareMetal/MonitoringServers",
        "Microsoft.Batch/batchAccounts",
        "Microsoft.CloudTest/hostedpools",
        "Microsoft.CloudTest/images",
        "Microsoft.CloudTest/pools",
        "Microsoft.Codespaces/plans",
        "Microsoft.ContainerInstance/containerGroups",
        "Microsoft.ContainerService/managedClusters",
        "Microsoft.ContainerService/TestClients",
        "Microsoft.Databricks/workspaces",
        "Microsoft.DBforMySQL/flexibleServers",
        "Microsoft.DBforMySQL/servers",
        "Microsoft.DBforMySQL/serversv2",
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "Microsoft.DBforPostgreSQL/serversv2",
        "Microsoft.DBforPostgreSQL/singleServers",
        "Microsoft.DelegatedNetwork/controller",
        "Microsoft.DevCenter/networkConnection",
        "Microsoft.DevOpsInfrastructure/pools",
        "Microsoft.DocumentDB/cassandraClusters",
        "Microsoft.Fidalgo/networkSettings",
        "Microsoft.HardwareSecurityModules/dedicatedHSMs",
        "Microsoft.Kusto/clusters",
        "Microsoft.LabServices/labplans",
        "Microsoft.Logic/integrationServiceEnvironments",
        "Microsoft.MachineLearningServices/workspaces",
        "Microsoft.Netapp/volumes",
        "Microsoft.Network/applicationGateways",
        "Microsoft.Network/dnsResolvers",
        "Microsoft.Network/fpgaNetworkInterfaces",
        "Microsoft.Network/managedResolvers",
        "Microsoft.Network/networkWatchers.",
        "Microsoft.Network/virtualNetworkGateways",
        "Microsoft.Orbital/orbitalGateways",
        "Microsoft.PowerAutomate/hostedRpa",
        "Microsoft.PowerPlatform/enterprisePolicies",
        "Microsoft.PowerPlatform/vnetaccesslinks",
        "Microsoft.ServiceFabricMesh/networks",
        "Microsoft.ServiceNetworking/trafficControllers",
        "Microsoft.Singularity/accounts/networks",
        "Microsoft.Singularity/accounts/npu",
        "Microsoft.Sql/managedInstances",
        "Microsoft.Sql/managedInstancesOnebox",
        "Microsoft.Sql/managedInstancesStage",
        "Microsoft.Sql/managedInstancesTest",
        "Microsoft.Sql/servers",
        "Microsoft.StoragePool/diskPools",
        "Microsoft.StreamAnalytics/streamingJobs",
        "Microsoft.Synapse/workspaces",
        "Microsoft.Web/hostingEnvironments",
        "Microsoft.Web/serverFarms",
        "NGINX.NGINXPLUS/nginxDeployments",
        "Oracle.Database/networkAttachments",
        "PaloAltoNetworks.Cloudngfw/firewalls",
        "Qumulo.Storage/fileSystems",
    }
)
"""The services that the plugin lets a subnet be delegated to; one of them is spelt with a dot at its end there."""

HOLDS_DATA = frozenset(
    {
        "azurerm_container_registry",
        "azurerm_cosmosdb_account",
        "azurerm_dns_zone",
        "azurerm_key_vault",
        "azurerm_mssql_database",
        "azurerm_postgresql_flexible_server",
        "azurerm_postgresql_flexible_server_database",
        "azurerm_storage_account",
        "azurerm_storage_container",
        "azurerm_storage_share",
    }
)
"""What is lost for good, or missed by everybody, when Terraform destroys it."""


@dataclass(frozen=True)
class Named:
    """Which rule of `workspace.naming` an argument falls under, and whether the name is taken for the whole world."""

    kind: str
    is_global: bool = False
    argument: str = "name"


NAMED: Mapping[str, tuple[Named, ...]] = {
    "azurerm_resource_group": (Named("Microsoft.Resources/resourceGroups"),),
    "azurerm_virtual_network": (Named("Microsoft.Network/virtualNetworks"),),
    "azurerm_subnet": (Named("Microsoft.Network/virtualNetworks/subnets"),),
    "azurerm_network_security_group": (Named("Microsoft.Network/networkSecurityGroups"),),
    "azurerm_nat_gateway": (Named("Microsoft.Network/natGateways"),),
    "azurerm_dns_zone": (Named("Microsoft.Network/dnsZones", is_global=True),),
    "azurerm_kubernetes_cluster": (Named("Microsoft.ContainerService/managedClusters"),),
    "azurerm_container_registry": (Named("Microsoft.ContainerRegistry/registries", is_global=True),),
    "azurerm_storage_account": (Named("Microsoft.Storage/storageAccounts", is_global=True),),
    "azurerm_key_vault": (Named("Microsoft.KeyVault/vaults", is_global=True),),
    "azurerm_postgresql_flexible_server": (Named("Microsoft.DBforPostgreSQL/flexibleServers", is_global=True),),
    "azurerm_redis_cache": (Named("Microsoft.Cache/redis", is_global=True),),
    "azurerm_managed_redis": (Named("Microsoft.Cache/redisEnterprise"),),
    "azurerm_log_analytics_workspace": (Named("Microsoft.OperationalInsights/workspaces"),),
    "azurerm_application_insights": (Named("Microsoft.Insights/components"),),
    "azurerm_monitor_action_group": (Named("Microsoft.Insights/actionGroups/shortName", argument="short_name"),),
    "azurerm_portal_dashboard": (Named("Microsoft.Portal/dashboards"),),
    "azurerm_user_assigned_identity": (Named("Microsoft.ManagedIdentity/userAssignedIdentities"),),
    "azurerm_servicebus_namespace": (Named("Microsoft.ServiceBus/namespaces", is_global=True),),
    "azurerm_cosmosdb_account": (Named("Microsoft.DocumentDB/databaseAccounts", is_global=True),),
}


@lru_cache(maxsize=1)
def _schema() -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return read


def arguments(kind: str, type_: str) -> Mapping[str, Any] | None:
    """The schema of a `resource` or `data` type: `attributes` as [type, marks], `blocks` as [nesting, least, most, …];
    None for a type that is not in it.
    """
    found: Mapping[str, Any] | None = _schema()["resources" if kind == "resource" else "data"].get(type_)
    return found


@lru_cache(maxsize=512)
def secrets(type_: str, kind: str = "resource") -> frozenset[str]:
    """The attributes of a type of `resource` or `data` that the plugin marks as sensitive."""
    if type_ == "random_password":
        return frozenset({"result", "bcrypt_hash"})
    schema = arguments(kind, type_)
    return frozenset(_sensitive(schema)) if schema else frozenset()


def _sensitive(block: Mapping[str, Any]) -> set[str]:
    own = {name for name, (_, marks) in block.get("attributes", {}).items() if "!" in marks}
    inner = [_sensitive(each) for _, _, _, each in block.get("blocks", {}).values()]
    return own.union(*inner)
