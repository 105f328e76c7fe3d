"""What a plan needs of its target, read from its nodes and their definitions: groups, types, names, cores, versions."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from workspace.environment import WORLD, Environment
from workspace.kinds import stack
from workspace.node import Kind, Node, Output
from workspace.preflight.bicep_files import Files
from workspace.preflight.bicep_template import UNKNOWN
from workspace.preflight.bicep_values import made
from workspace.preflight.checkout import Checkout

_STACKS = f"{stack.DEFINITIONS}/stacks"
_RESOURCE = re.compile(r'^resource\s+"(azurerm_\w+)"', re.MULTILINE)
_MODULE = re.compile(r'^\s*source\s*=\s*"(\.{1,2}/[^"]+)"', re.MULTILINE)
_REQUIRED = re.compile(r'^\s*required_version\s*=\s*"([^"]+)"', re.MULTILINE)
_BICEP = re.compile(r"^resource\s+\w+\s+'(Microsoft\.[\w./]+)@[^']*'(?!\s*existing)", re.MULTILINE)
_BICEP_MODULE = re.compile(r"^module\s+\w+\s+'(\.{0,2}/?[^':]+\.bicep)'", re.MULTILINE)

# What each resource of Terraform's azurerm is to Azure; what is not here asks for no role and no provider.
TYPES: Mapping[str, str] = {
    "azurerm_application_insights": "Microsoft.Insights/components",
    "azurerm_container_registry": "Microsoft.ContainerRegistry/registries",
    "azurerm_cosmosdb_account": "Microsoft.DocumentDB/databaseAccounts",
    "azurerm_dns_zone": "Microsoft.Network/dnsZones",
    "azurerm_federated_identity_credential": (
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
    ),
    "azurerm_key_vault": "Microsoft.KeyVault/vaults",
    "azurerm_kubernetes_cluster": "Microsoft.ContainerService/managedClusters",
    "azurerm_kubernetes_cluster_node_pool": "Microsoft.ContainerService/managedClusters/agentPools",
    "azurerm_linux_web_app": "Microsoft.Web/sites",
    "azurerm_log_analytics_workspace": "Microsoft.OperationalInsights/workspaces",
    "azurerm_managed_redis": "Microsoft.Cache/redisEnterprise",
    "azurerm_monitor_action_group": "Microsoft.Insights/actionGroups",
    "azurerm_monitor_diagnostic_setting": "Microsoft.Insights/diagnosticSettings",
    "azurerm_monitor_metric_alert": "Microsoft.Insights/metricAlerts",
    "azurerm_nat_gateway": "Microsoft.Network/natGateways",
    "azurerm_network_security_group": "Microsoft.Network/networkSecurityGroups",
    "azurerm_portal_dashboard": "Microsoft.Portal/dashboards",
    "azurerm_postgresql_flexible_server": "Microsoft.DBforPostgreSQL/flexibleServers",
    "azurerm_private_dns_zone": "Microsoft.Network/privateDnsZones",
    "azurerm_private_endpoint": "Microsoft.Network/privateEndpoints",
    "azurerm_public_ip": "Microsoft.Network/publicIPAddresses",
    "azurerm_redis_cache": "Microsoft.Cache/redis",
    "azurerm_role_assignment": "Microsoft.Authorization/roleAssignments",
    "azurerm_service_plan": "Microsoft.Web/serverfarms",
    "azurerm_servicebus_namespace": "Microsoft.ServiceBus/namespaces",
    "azurerm_static_web_app": "Microsoft.Web/staticSites",
    "azurerm_storage_account": "Microsoft.Storage/storageAccounts",
    "azurerm_subnet": "Microsoft.Network/virtualNetworks/subnets",
    "azurerm_user_assigned_identity": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "azurerm_virtual_network": "Microsoft.Network/virtualNetworks",
}


@dataclass(frozen=True)
class Pool:
    """Machines of a size, from so many to so many."""

    size: str
    least: int
    most: int


@dataclass(frozen=True)
class Needs:
    """What one environment needs. `nodes` holds those of the world too, by `world/` and their id.

    `sources` is the checkout with the definitions.
    """

    place: Environment
    nodes: Mapping[str, Node]
    sources: Path

    @classmethod
    def of(cls, place: Environment, nodes: Iterable[Node], world: Iterable[Node], sources: Path) -> "Needs":
        """The needs of an environment whose nodes these are, beside those of the world."""
        beside = {} if place.is_world else {f"{WORLD}/{each.id}": each for each in world}
        return cls(place, {**beside, **{each.id: each for each in nodes}}, sources)

    @property
    def own(self) -> tuple[Node, ...]:
        """The nodes of the environment itself."""
        return tuple(each for name, each in self.nodes.items() if not name.startswith(f"{WORLD}/"))

    def of_kind(self, *kinds: Kind) -> tuple[Node, ...]:
        """Its nodes of some kinds."""
        return tuple(each for each in self.own if each.kind in kinds)

    def group(self, node: Node) -> str:
        """The resource group that a node fills, as far as its settings and those it reads say it; else empty."""
        variables = node.settings.get("variables") or {}
        return self.known(node.settings.get("group") or variables.get("resource_group_name"))

    def known(self, value: Any) -> str:
        """A text of the settings; for an output, what the variables of its node say under that name."""
        if isinstance(value, str):
            return value
        if not isinstance(value, Output):
            return ""
        # nodes of the world name each other without their environment
        node = self.nodes.get(value.node) or self.nodes.get(f"{WORLD}/{value.node}")
        if node is not None:
            variables = node.settings.get("variables") or {}
            found = variables.get(value.path, variables.get(_NAMED.get(value.path, "")))
            return found if isinstance(found, str) else self.known(found) if isinstance(found, Output) else ""
        return ""

    def types(self, node: Node) -> frozenset[str]:
        """The types that a stack or a template makes, as Azure calls them."""
        if node.kind is Kind.STACK:
            text = _terraform(self.sources / _STACKS / str(node.settings.get("root", "")))
            return frozenset(TYPES[each] for each in _RESOURCE.findall(text) if each in TYPES)
        if node.kind is Kind.TEMPLATE:
            return frozenset(_BICEP.findall(_bicep(self.sources / str(node.settings.get("template", "")))))
        return frozenset()

    def owned(self) -> Iterator[tuple[str, str]]:
        """Type and name of what its nodes own."""
        for node in self.own:
            for each in node.owns:
                kind, _, name = each.partition(" ")
                if kind.startswith("Microsoft.") and name:
                    yield kind, name

    def templated(self) -> Iterator[tuple[str, str]]:
        """Type and name of what its templates make, as far as their files tell the name."""
        for node in self.of_kind(Kind.TEMPLATE):
            yield from _made(self.sources, node)

    def versions(self) -> Iterator[tuple[str, str]]:
        """Each `required_version` of its stacks: the stack and the condition."""
        for node in self.of_kind(Kind.STACK):
            root = str(node.settings.get("root", ""))
            for each in dict.fromkeys(_REQUIRED.findall(_terraform(self.sources / _STACKS / root))):
                yield root, each

    def cluster(self) -> tuple[str, str, Mapping[str, Any]] | None:
        """Group, name and variables of its cluster, or None."""
        for node in self.of_kind(Kind.STACK):
            variables: Mapping[str, Any] = node.settings.get("variables") or {}
            if "kubernetes_version" in variables and isinstance(variables.get("name"), str):
                return self.group(node), variables["name"], variables
        return None

    @property
    def region(self) -> str:
        """The region of its cluster."""
        for node in self.of_kind(Kind.STACK):
            variables: Mapping[str, Any] = node.settings.get("variables") or {}
            if "kubernetes_version" in variables:
                return self.known(variables.get("location"))
        return ""


_NAMED = {"cluster_name": "name"}


def pools(variables: Mapping[str, Any]) -> tuple[Pool, ...]:
    """The machines that a cluster's variables ask for."""
    found = [variables.get("system_pool"), *(variables.get("node_pools") or {}).values()]
    return tuple(
        Pool(
            str(each["vm_size"]),
            int(each.get("node_count") or each.get("min_count") or 1),
            int(each.get("max_count") or each.get("node_count") or 1),
        )
        for each in found
        if isinstance(each, Mapping) and "vm_size" in each
    )


def _made(sources: Path, node: Node) -> Iterator[tuple[str, str]]:
    folder, _, file = str(node.settings.get("template", "")).rpartition("/")
    files = Files(Checkout(sources / folder))
    template = files.templates.get(file)
    if template is None:
        return
    named = str(node.settings.get("parameters_file", "")).removeprefix(f"{folder}/")
    given = next((each.values for each in files.of(template) if each.path == named), {})
    values = {**given, **(node.settings.get("parameters") or {})}
    known = {name: UNKNOWN if each is None or isinstance(each, Output) else each for name, each in values.items()}
    for each in (one for group in made(files, template, known) for one in group):
        if isinstance(each.name, str):
            yield each.type, each.name


def _terraform(folder: Path) -> str:
    return "\n".join(_texts(folder.resolve(), "*.tf", _MODULE))


@lru_cache(maxsize=256)
def _texts(folder: Path, pattern: str, leads: re.Pattern[str]) -> Sequence[str]:
    """The text of a folder's files and of the folders that its modules name."""
    found: list[str] = []
    left, seen = [folder], set[Path]()
    while left:
        here = left.pop()
        if here in seen or not here.is_dir():
            continue
        seen.add(here)
        for file in sorted(here.glob(pattern)):
            text = file.read_text(encoding="utf-8", errors="replace")
            found.append(text)
            left += [(here / each).resolve() for each in leads.findall(text)]
    return found


def _bicep(file: Path) -> str:
    texts: list[str] = []
    left, seen = [file.resolve()], set[Path]()
    while left:
        here = left.pop()
        if here in seen or not here.is_file():
            continue
        seen.add(here)
        text = here.read_text(encoding="utf-8", errors="replace")
        texts.append(text)
        left += [(here.parent / each).resolve() for each in _BICEP_MODULE.findall(text)]
    return "\n".join(texts)
