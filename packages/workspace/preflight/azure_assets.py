"""What Terraform and Bicep would make in Azure, under the same words, so that a rule about it is written once.

An asset is a thing of a kind (`plan`, `site`, `cluster` …) as one environment's data make it. What no file says is
None, as if it were not set: rules do not judge it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workspace.preflight.bicep_files import Files
from workspace.preflight.bicep_template import UNKNOWN as UNKNOWN_IN_BICEP
from workspace.preflight.bicep_template import Template
from workspace.preflight.bicep_values import Made, made
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule
from workspace.preflight.terraform_azure import told
from workspace.preflight.terraform_tree import Instance, Tree, valued
from workspace.preflight.terraform_values import UNKNOWN
from workspace.rehearsal.bicep_syntax import Access, Array, Name, Object

Path = tuple[str, ...]
Words = Mapping[str, Path]
# A step of a path in Bicep that leads into the only item of an array.
_ONLY = "[0]"

_APP = {
    "name": ("name",),
    "plan": ("service_plan_id",),
    "always on": ("site_config", "always_on"),
    "dotnet": ("site_config", "application_stack", "dotnet_version"),
    "node": ("site_config", "application_stack", "node_version"),
    "python": ("site_config", "application_stack", "python_version"),
}
_NAME_OF_SITE = {"site": ("app_service_name",)}
_POSTGRESQL = {
    "version": ("version",),
    "storage": ("storage_mb",),
    "storage type": ("storage_type",),
    "backup": ("backup_retention_days",),
    "size": ("sku_name",),
    "region": ("location",),
}
_FIREWALL = {"start": ("start_ip_address",), "end": ("end_ip_address",)}
_FIREWALL_IN_BICEP = {"start": ("properties", "startIpAddress"), "end": ("properties", "endIpAddress")}
_POOL = {
    "size": ("vm_size",),
    "count": ("node_count",),
    "least": ("min_count",),
    "most": ("max_count",),
    "pods": ("max_pods",),
    "zones": ("zones",),
    "subnet": ("vnet_subnet_id",),
    "pods' subnet": ("pod_subnet_id",),
    "os": ("os_type",),
    "version": ("orchestrator_version",),
}
_COSMOS = {"throughput": ("throughput",), "most throughput": ("autoscale_settings", "max_throughput")}
_MACHINE = {
    "size": ("size",),
    "region": ("location",),
    "zones": ("zone",),
    "disk": ("os_disk", "storage_account_type"),
}
_SCALE_SET = {
    "size": ("sku",),
    "count": ("instances",),
    "region": ("location",),
    "zones": ("zones",),
    "disk": ("os_disk", "storage_account_type"),
}

TERRAFORM: Mapping[str, tuple[str, Words]] = {
    "azurerm_service_plan": ("plan", {"sku": ("sku_name",), "count": ("worker_count",), "region": ("location",)}),
    "azurerm_app_service_plan": ("plan", {"sku": ("sku", "size"), "region": ("location",)}),
    "azurerm_linux_web_app": ("site", _APP),
    "azurerm_windows_web_app": ("site", _APP),
    "azurerm_linux_function_app": ("site", _APP),
    "azurerm_windows_function_app": ("site", _APP),
    "azurerm_app_service": (
        "site",
        {"name": ("name",), "plan": ("app_service_plan_id",), "always on": ("site_config", "always_on")},
    ),
    "azurerm_linux_web_app_slot": ("slot", {"name": ("name",), "site": ("app_service_id",)}),
    "azurerm_windows_web_app_slot": ("slot", {"name": ("name",), "site": ("app_service_id",)}),
    "azurerm_app_service_slot": ("slot", {"name": ("name",), "plan": ("app_service_plan_id",)}),
    "azurerm_app_service_managed_certificate": ("certificate", {"host": ("custom_hostname_binding_id",)}),
    "azurerm_app_service_custom_hostname_binding": ("host", {**_NAME_OF_SITE, "tls": ("ssl_state",)}),
    "azurerm_resource_group": ("group", {"region": ("location",)}),
    "azurerm_virtual_network": ("network", {"region": ("location",)}),
    "azurerm_static_web_app": ("static site", {"region": ("location",)}),
    "azurerm_static_site": ("static site", {"region": ("location",)}),
    "azurerm_cosmosdb_account": (
        "cosmos",
        {"capabilities": ("capabilities", "name"), "regions": ("geo_location", "location")},
    ),
    "azurerm_cosmosdb_sql_database": ("cosmos part", {**_COSMOS, "account": ("account_name",)}),
    "azurerm_cosmosdb_sql_container": ("cosmos part", {**_COSMOS, "account": ("account_name",)}),
    "azurerm_cosmosdb_mongo_database": ("cosmos part", {**_COSMOS, "account": ("account_name",)}),
    "azurerm_cosmosdb_mongo_collection": ("cosmos part", {**_COSMOS, "account": ("account_name",)}),
    "azurerm_cosmosdb_table": ("cosmos part", {**_COSMOS, "account": ("account_name",)}),
    "azurerm_postgresql_flexible_server": ("postgresql", _POSTGRESQL),
    "azurerm_postgresql_flexible_server_configuration": (
        "setting",
        {"name": ("name",), "value": ("value",), "server": ("server_id",)},
    ),
    "azurerm_postgresql_flexible_server_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_postgresql_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_mysql_flexible_server_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_mysql_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_mariadb_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_mssql_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_sql_firewall_rule": ("firewall", _FIREWALL),
    "azurerm_container_registry": (
        "registry",
        {
            "sku": ("sku",),
            "retention": ("retention_policy_in_days",),
            "retention on": ("retention_policy", "enabled"),
            "zones": ("zone_redundancy_enabled",),
            "replicas": ("georeplications", "location"),
        },
    ),
    "azurerm_private_endpoint": (
        "endpoint",
        {"target": ("private_service_connection", "private_connection_resource_id")},
    ),
    "azurerm_postgresql_server": ("service", {}),
    "azurerm_mysql_server": ("service", {}),
    "azurerm_mariadb_server": ("service", {}),
    "azurerm_frontdoor": ("service", {}),
    "azurerm_cdn_profile": ("cdn", {"sku": ("sku",)}),
    "azurerm_public_ip": ("address", {"sku": ("sku",), "region": ("location",), "zones": ("zones",)}),
    "azurerm_lb": ("balancer", {"sku": ("sku",)}),
    "azurerm_application_gateway": ("gateway", {"sku": ("sku", "name"), "region": ("location",), "zones": ("zones",)}),
    "azurerm_redis_cache": (
        "redis",
        {
            "sku": ("sku_name",),
            "family": ("family",),
            "capacity": ("capacity",),
            "subnet": ("subnet_id",),
            "shards": ("shard_count",),
        },
    ),
    "azurerm_kubernetes_cluster": (
        "cluster",
        {
            "version": ("kubernetes_version",),
            "tier": ("sku_tier",),
            "plan": ("support_plan",),
            "region": ("location",),
            "plugin": ("network_profile", "network_plugin"),
            "mode": ("network_profile", "network_plugin_mode"),
            "pod range": ("network_profile", "pod_cidr"),
            "local accounts off": ("local_account_disabled",),
            "entra": ("azure_active_directory_role_based_access_control", "tenant_id"),
            "older entra": ("role_based_access_control", "enabled"),
            **{f"pool {word}": ("default_node_pool", *path) for word, path in _POOL.items()},
            "pool name": ("default_node_pool", "name"),
        },
    ),
    "azurerm_kubernetes_cluster_node_pool": (
        "pool",
        {**_POOL, "name": ("name",), "cluster": ("kubernetes_cluster_id",)},
    ),
    "azurerm_subnet": ("subnet", {"ranges": ("address_prefixes",)}),
    "azurerm_key_vault": ("vault", {"retention": ("soft_delete_retention_days",)}),
    "azurerm_log_analytics_workspace": ("logs", {"sku": ("sku",), "retention": ("retention_in_days",)}),
    "azurerm_servicebus_namespace": ("bus", {"sku": ("sku",), "capacity": ("capacity",)}),
    "azurerm_servicebus_topic": ("topic", {"bus": ("namespace_id",)}),
    "azurerm_managed_disk": (
        "disk",
        {"type": ("storage_account_type",), "zones": ("zone",), "region": ("location",)},
    ),
    "azurerm_linux_virtual_machine": ("machine", _MACHINE),
    "azurerm_windows_virtual_machine": ("machine", _MACHINE),
    "azurerm_linux_virtual_machine_scale_set": ("machine", _SCALE_SET),
    "azurerm_windows_virtual_machine_scale_set": ("machine", _SCALE_SET),
    "azurerm_eventhub_namespace": ("events", {"name": ("name",)}),
    "azurerm_search_service": ("search", {"name": ("name",)}),
    "azurerm_container_app": ("container app", {"name": ("name",)}),
}
BICEP: Mapping[str, tuple[str, Words]] = {
    "Microsoft.Web/serverfarms": (
        "plan",
        {"sku": ("sku", "name"), "count": ("sku", "capacity"), "region": ("location",)},
    ),
    "Microsoft.Web/sites": (
        "site",
        {
            "plan": ("properties", "serverFarmId"),
            "always on": ("properties", "siteConfig", "alwaysOn"),
            "linux": ("properties", "siteConfig", "linuxFxVersion"),
        },
    ),
    "Microsoft.Web/sites/slots": ("slot", {"site": ("parent",), "plan": ("properties", "serverFarmId")}),
    "Microsoft.Web/sites/hostNameBindings": ("host", {"site": ("parent",), "tls": ("properties", "sslState")}),
    "Microsoft.Web/staticSites": ("static site", {"region": ("location",)}),
    "Microsoft.DocumentDB/databaseAccounts": (
        "cosmos",
        {"capabilities": ("properties", "capabilities"), "regions": ("properties", "locations")},
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers": (
        "postgresql",
        {
            "version": ("properties", "version"),
            "storage": ("properties", "storage", "storageSizeGB"),
            "storage type": ("properties", "storage", "type"),
            "backup": ("properties", "backup", "backupRetentionDays"),
            "size": ("sku", "name"),
            "tier": ("sku", "tier"),
            "region": ("location",),
        },
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": (
        "setting",
        {"name": ("name",), "value": ("properties", "value"), "server": ("parent",)},
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": ("firewall", _FIREWALL_IN_BICEP),
    "Microsoft.DBforPostgreSQL/servers/firewallRules": ("firewall", _FIREWALL_IN_BICEP),
    "Microsoft.DBforMySQL/flexibleServers/firewallRules": ("firewall", _FIREWALL_IN_BICEP),
    "Microsoft.DBforMySQL/servers/firewallRules": ("firewall", _FIREWALL_IN_BICEP),
    "Microsoft.DBforMariaDB/servers/firewallRules": ("firewall", _FIREWALL_IN_BICEP),
    "Microsoft.Sql/servers/firewallRules": ("firewall", _FIREWALL_IN_BICEP),
    "Microsoft.ContainerRegistry/registries": (
        "registry",
        {"sku": ("sku", "name"), "retention on": ("properties", "policies", "retentionPolicy", "status")},
    ),
    "Microsoft.ContainerRegistry/registries/replications": ("replica", {"registry": ("parent",)}),
    "Microsoft.Network/privateEndpoints": (
        "endpoint",
        {"target": ("properties", "privateLinkServiceConnections", _ONLY, "properties", "privateLinkServiceId")},
    ),
    "Microsoft.DBforPostgreSQL/servers": ("service", {}),
    "Microsoft.DBforMySQL/servers": ("service", {}),
    "Microsoft.DBforMariaDB/servers": ("service", {}),
    "Microsoft.Network/frontDoors": ("service", {}),
    "Microsoft.Cdn/profiles": ("cdn", {"sku": ("sku", "name")}),
    "Microsoft.Network/publicIPAddresses": (
        "address",
        {"sku": ("sku", "name"), "region": ("location",), "zones": ("zones",)},
    ),
    "Microsoft.Network/loadBalancers": ("balancer", {"sku": ("sku", "name")}),
    "Microsoft.Network/applicationGateways": ("gateway", {"sku": ("properties", "sku", "name")}),
    "Microsoft.Cache/redis": (
        "redis",
        {
            "sku": ("properties", "sku", "name"),
            "family": ("properties", "sku", "family"),
            "capacity": ("properties", "sku", "capacity"),
            "subnet": ("properties", "subnetId"),
            "shards": ("properties", "shardCount"),
        },
    ),
    "Microsoft.ContainerService/managedClusters": (
        "cluster",
        {
            "version": ("properties", "kubernetesVersion"),
            "tier": ("sku", "tier"),
            "plan": ("properties", "supportPlan"),
            "region": ("location",),
            "plugin": ("properties", "networkProfile", "networkPlugin"),
            "mode": ("properties", "networkProfile", "networkPluginMode"),
            "pod range": ("properties", "networkProfile", "podCidr"),
            "local accounts off": ("properties", "disableLocalAccounts"),
            "entra": ("properties", "aadProfile"),
            "pools": ("properties", "agentPoolProfiles"),
        },
    ),
    "Microsoft.KeyVault/vaults": (
        "vault",
        {
            "retention": ("properties", "softDeleteRetentionInDays"),
            "soft delete": ("properties", "enableSoftDelete"),
            "purge protection": ("properties", "enablePurgeProtection"),
        },
    ),
    "Microsoft.OperationalInsights/workspaces": (
        "logs",
        {"sku": ("properties", "sku", "name"), "retention": ("properties", "retentionInDays")},
    ),
    "Microsoft.ServiceBus/namespaces": ("bus", {"sku": ("sku", "name"), "capacity": ("sku", "capacity")}),
    "Microsoft.ServiceBus/namespaces/topics": ("topic", {"bus": ("parent",)}),
    "Microsoft.Compute/disks": ("disk", {"type": ("sku", "name"), "zones": ("zones",), "region": ("location",)}),
    "Microsoft.EventHub/namespaces": ("events", {"name": ("name",)}),
    "Microsoft.Search/searchServices": ("search", {"name": ("name",)}),
    "Microsoft.App/containerApps": ("container app", {"name": ("name",)}),
}
# Blocks that stand there once for each thing.
_LISTED = (
    "capabilities",
    "geo_location",
    "georeplications",
    "azure_active_directory_role_based_access_control",
    "role_based_access_control",
)
_BICEP = {type_.lower(): kind for type_, kind in BICEP.items()}
_ARM = {
    "azurerm_postgresql_server": "Microsoft.DBforPostgreSQL/servers",
    "azurerm_mysql_server": "Microsoft.DBforMySQL/servers",
    "azurerm_mariadb_server": "Microsoft.DBforMariaDB/servers",
    "azurerm_frontdoor": "Microsoft.Network/frontDoors",
    "azurerm_redis_cache": "Microsoft.Cache/redis",
}


@dataclass(frozen=True, eq=False)
class Asset:
    """One thing that would be made: its kind, Azure's type where it counts, what its file calls it, and where it is.

    `home` is the use of a folder or template that it stands in; only things of the same home can name each other.
    """

    kind: str
    type: str
    called: str
    environment: str
    home: tuple[str, ...]
    read: Callable[[str], Any]
    where: Callable[[str, Any], str]
    names: Callable[[str], tuple[str, ...]]
    written_in: str

    def get(self, word: str) -> Any:
        """What a word comes to; None when it is not set or no file says it."""
        value = self.read(word)
        return None if value is UNKNOWN or value is UNKNOWN_IN_BICEP else value

    def text(self, word: str) -> str:
        """What a word comes to when that is a text, else nothing."""
        value = self.get(word)
        return value if isinstance(value, str) else ""

    def number(self, word: str) -> int | None:
        """What a word comes to when that is a whole number, else None."""
        return whole(self.get(word))

    def is_open(self, word: str) -> bool:
        """True when a word is set and no file says to what."""
        return self.read(word) is not None and self.get(word) is None

    @property
    def region(self) -> str:
        """Its region as Azure's API spells it, or nothing."""
        return re.sub(r"\s", "", self.text("region")).lower()

    def finding(self, rule: Rule, word: str, what: str) -> Finding:
        """A finding about a word of it."""
        place = self.where(word, self.get(word))
        return rule.at(place, what, *([self.environment] if self.environment else []))


def whole(value: Any) -> int | None:
    """A value when it is a whole number, written as one or as text; else None."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Assets:
    """All assets of a checkout."""

    def __init__(self, checkout: Checkout, tree: Tree, files: Files) -> None:
        self.checkout = checkout
        self.all: tuple[Asset, ...] = (*_of_terraform(tree), *_of_bicep(files))

    def of(self, *kinds: str) -> tuple[Asset, ...]:
        """The assets of some kinds."""
        return tuple(each for each in self.all if each.kind in kinds)

    def linked(self, asset: Asset, word: str) -> tuple[Asset, ...]:
        """The assets that a word of another names; none when that cannot be told."""
        return tuple(each for name in asset.names(word) for each in self._by_name.get((asset.home, name), ()))

    @cached_property
    def _by_name(self) -> Mapping[tuple[tuple[str, ...], str], list[Asset]]:
        found: dict[tuple[tuple[str, ...], str], list[Asset]] = {}
        for each in self.all:
            found.setdefault((each.home, each.called), []).append(each)
        return found


def _of_terraform(tree: Tree) -> Iterator[Asset]:
    for instance in tree.instances:
        kind = TERRAFORM.get(instance.type)
        if kind:
            yield _from_terraform(tree, instance, *kind)


def _from_terraform(tree: Tree, instance: Instance, kind: str, words: Words) -> Asset:
    def read(word: str) -> Any:
        path = words.get(word)
        if path and path[0] in _LISTED:
            return [valued(block, path[1], scope) for block, scope in instance.inner(path[0])]
        return instance.get(*path) if path else None

    def where(word: str, value: Any) -> str:
        path = words.get(word)
        return told(tree, instance, value, *path) if path else instance.item.place

    def names(word: str) -> tuple[str, ...]:
        block = instance.item.block
        *outer, last = words.get(word, ("",))
        for each in outer:
            block = next(iter(block.inner(each)), block)
        attribute = block.attributes.get(last)
        return tuple(".".join(each.path[:2]) for each in attribute.references) if attribute else ()

    home = (instance.environment, instance.root, instance.folder)
    type_ = _ARM.get(instance.type, instance.type)
    return Asset(kind, type_, instance.item.address, instance.environment, home, read, where, names, instance.item.file)


def _of_bicep(files: Files) -> Iterator[Asset]:
    for template in files.roots:
        every = files.of(template)
        for given in every:
            values = {name: UNKNOWN_IN_BICEP if value is None else value for name, value in given.values.items()}
            yield from _in_template(files, template, values, given.environment, given.path)
        if not every:
            yield from _in_template(files, template, {}, "", template.path)


def _in_template(
    files: Files, template: Template, values: Mapping[str, Any], environment: str, path: str
) -> Iterator[Asset]:
    for number, group in enumerate(made(files, template, values)):
        for each in group:
            kind = _BICEP.get(each.type.lower())
            if kind:
                yield _from_bicep(each, *kind, environment, (path, str(number)))


def _from_bicep(thing: Made, kind: str, words: Words, environment: str, home: tuple[str, ...]) -> Asset:
    def read(word: str) -> Any:
        value = thing.body
        for step in words.get(word, ("\0",)):
            if value is UNKNOWN_IN_BICEP:
                return value
            value = _only(value) if step == _ONLY else value.get(step) if isinstance(value, dict) else None
        return value

    def node(word: str) -> Any:
        found: Any = thing.declaration.value
        for step in words.get(word, ("\0",)):
            items = found.items if isinstance(found, Array) else ()
            found = _only(items) if step == _ONLY else found.get(step) if isinstance(found, Object) else None
        return found

    def where(word: str, _: Any) -> str:
        place = getattr(node(word), "place", None)
        return thing.template.at(place) if isinstance(place, int) else thing.place

    def names(word: str) -> tuple[str, ...]:
        found = node(word)
        found = found.base if isinstance(found, Access) else found
        return (found.name,) if isinstance(found, Name) else ()

    return Asset(kind, thing.type, thing.declaration.name, environment, home, read, where, names, thing.template.path)


def _only(things: Any) -> Any:
    """The only thing of a list; None for more, or none."""
    return things[0] if isinstance(things, list | tuple) and len(things) == 1 else None


def told_once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings without those that say the same at the same place for the same environments."""
    seen: set[tuple[str, str, str, tuple[str, ...]]] = set()
    for each in findings:
        key = (each.rule.id, each.place, each.what, each.environments)
        if key not in seen:
            seen.add(key)
            yield each
