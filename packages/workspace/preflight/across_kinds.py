"""The kinds of thing that more than one tool can make or name, and what each tool calls them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from workspace.preflight.terraform_facts import NAMED


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its Azure type, what people call it, its types in Terraform.

    `is_global`: the name is taken for the whole world. `is_single`: a subscription has one of a name. `endpoint` ends
    the host that Azure gives it.
    """

    type: str
    word: str
    terraform: tuple[str, ...]
    is_global: bool = False
    is_single: bool = False
    endpoint: str = ""

    @property
    def is_told(self) -> bool:
        """True when the Terraform family already finds names of it that are given twice."""
        return any(each.kind == self.type and each.is_global for one in self.terraform for each in NAMED.get(one, ()))


GROUP = Kind("Microsoft.Resources/resourceGroups", "resource group", ("azurerm_resource_group",), is_single=True)
ZONE = Kind("Microsoft.Network/dnsZones", "DNS zone", ("azurerm_dns_zone",), is_global=True)
REGISTRY = Kind(
    "Microsoft.ContainerRegistry/registries", "registry", ("azurerm_container_registry",), True, endpoint="azurecr.io"
)
VAULT = Kind("Microsoft.KeyVault/vaults", "key vault", ("azurerm_key_vault",), True, endpoint="vault.azure.net")
CLUSTER = Kind("Microsoft.ContainerService/managedClusters", "cluster", ("azurerm_kubernetes_cluster",))
SITE = Kind(
    "Microsoft.Web/sites",
    "App Service",
    (
        "azurerm_linux_web_app",
        "azurerm_windows_web_app",
        "azurerm_app_service",
        "azurerm_linux_function_app",
        "azurerm_windows_function_app",
    ),
    True,
    endpoint="azurewebsites.net",
)
KINDS = (
    GROUP,
    ZONE,
    REGISTRY,
    VAULT,
    CLUSTER,
    SITE,
    Kind("Microsoft.Storage/storageAccounts", "storage account", ("azurerm_storage_account",), True,
         endpoint="blob.core.windows.net"),
    Kind("Microsoft.DBforPostgreSQL/flexibleServers", "PostgreSQL server", ("azurerm_postgresql_flexible_server",),
         True, endpoint="postgres.database.azure.com"),
    Kind("Microsoft.Cache/redis", "Redis cache", ("azurerm_redis_cache",), True, endpoint="redis.cache.windows.net"),
    Kind("Microsoft.Cache/redisEnterprise", "managed Redis", ("azurerm_managed_redis",)),
    Kind("Microsoft.ServiceBus/namespaces", "Service Bus namespace", ("azurerm_servicebus_namespace",), True,
         endpoint="servicebus.windows.net"),
    Kind("Microsoft.DocumentDB/databaseAccounts", "Cosmos DB account", ("azurerm_cosmosdb_account",), True,
         endpoint="documents.azure.com"),
    Kind("Microsoft.Web/staticSites", "Static Web App", ("azurerm_static_web_app", "azurerm_static_site")),
    Kind("Microsoft.Web/serverfarms", "App Service plan", ("azurerm_service_plan", "azurerm_app_service_plan")),
    Kind("Microsoft.Network/virtualNetworks", "network", ("azurerm_virtual_network",)),
    Kind("Microsoft.OperationalInsights/workspaces", "log workspace", ("azurerm_log_analytics_workspace",)),
    Kind("Microsoft.Insights/components", "Application Insights", ("azurerm_application_insights",)),
    Kind("Microsoft.ManagedIdentity/userAssignedIdentities", "identity", ("azurerm_user_assigned_identity",)),
)  # fmt: skip
BY_TERRAFORM = {each: kind for kind in KINDS for each in kind.terraform}
BY_TYPE = {kind.type.lower(): kind for kind in KINDS}
BY_WORD = {kind.word: kind for kind in KINDS}

_ENDPOINT = re.compile(
    r"(?<![\w.-])([a-zA-Z0-9][a-zA-Z0-9-]*)\.("
    + "|".join(re.escape(each.endpoint) for each in KINDS if each.endpoint)
    + r")(?![\w-])"
)
_BY_ENDPOINT = {each.endpoint: each for each in KINDS if each.endpoint}


def endpoints(text: str) -> Iterator[tuple[Kind, str]]:
    """The things that a text names by the hosts that Azure gives them."""
    for found in _ENDPOINT.finditer(text):
        yield _BY_ENDPOINT[found[2]], found[1].lower()
