"""What the names of a Bicep file mean: parameters, variables, resources, modules, and the functions of the language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace.rehearsal.bicep_syntax import (
    Access,
    Array,
    Call,
    Child,
    Declaration,
    Lambda,
    Loop,
    Object,
    Operation,
    Property,
    Spread,
    Text,
)
from workspace.rehearsal.bicep_tokens import Source

DEPLOYMENTS = "Microsoft.Resources/deployments"
DEPLOYMENTS_VERSION = "2025-04-01"

# How the compiler spells what people often spell otherwise: a type in one version, a type, a namespace.
_SPELLINGS = {
    each.lower(): each.partition("@")[0]
    for each in (
        "Microsoft.Cache/Redis@2016-04-01",
        "Microsoft.Cache/Redis@2017-02-01",
        "Microsoft.Cache/Redis@2017-10-01",
        "Microsoft.Cache/Redis@2018-03-01",
        "Microsoft.Cache/Redis@2019-07-01",
        "Microsoft.Cache/redis",
        "microsoft.insights/actionGroups@2017-04-01",
        "microsoft.insights/actionGroups@2018-03-01",
        "microsoft.insights/actionGroups@2018-09-01",
        "microsoft.insights/actionGroups@2019-03-01",
        "microsoft.insights/actionGroups@2019-06-01",
        "microsoft.insights/diagnosticSettings@2016-09-01",
        "microsoft.insights/diagnosticSettings@2017-05-01-preview",
        "Microsoft.Insights/components",
        "Microsoft.Insights/metricAlerts",
        "Microsoft.Insights/webtests",
        "Microsoft.Web/serverfarms",
        "Microsoft.Authorization",
        "Microsoft.Compute",
        "Microsoft.ContainerRegistry",
        "Microsoft.ContainerService",
        "Microsoft.DocumentDB",
        "Microsoft.KeyVault",
        "Microsoft.ManagedIdentity",
        "Microsoft.Network",
        "Microsoft.OperationalInsights",
        "Microsoft.Resources",
        "Microsoft.Sql",
        "Microsoft.Storage",
        "Microsoft.Web",
    )
}

FUNCTIONS = frozenset((
    "any", "array", "base64", "base64ToJson", "base64ToString", "bool", "cidrHost", "cidrSubnet", "coalesce",
    "concat", "contains", "dataUri", "dataUriToString", "dateTimeAdd", "dateTimeFromEpoch", "dateTimeToEpoch",
    "deployment", "empty", "endsWith", "environment", "extensionResourceId", "filter", "first", "flatten", "format",
    "groupBy", "guid", "indexOf", "int", "intersection", "items", "join", "json", "last", "lastIndexOf", "length",
    "list", "listAccountSas", "listConnectionStrings", "listCredentials", "listKeys", "listKeyValue", "listPackage",
    "listQueryKeys", "listSecrets", "listServiceSas", "listSyncFunctionTriggerStatus", "managementGroup",
    "managementGroupResourceId", "map", "mapValues", "max", "min", "nameof", "newGuid", "objectKeys", "padLeft",
    "parseCidr", "pickZones", "range", "reduce", "reference", "replace", "resourceGroup", "resourceId",
    "shallowMerge", "skip", "sort", "split", "startsWith", "string", "subscription", "subscriptionResourceId",
    "substring", "take", "tenant", "tenantResourceId", "toLower", "toObject", "toUpper", "trim", "union",
    "uniqueString", "uri", "uriComponent", "uriComponentToString", "utcNow",
))  # fmt: skip
ONLY_AS_DEFAULT = frozenset(("newGuid", "utcNow"))


@dataclass(eq=False, slots=True)
class Symbol:
    """Something declared. `path` is the name with those of the resources around it: `site::slot`."""

    sort: str
    name: str
    declaration: Declaration
    parent: "Symbol | None" = None
    children: dict[str, "Symbol"] = field(default_factory=dict)
    type: str = ""
    version: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The name in templates with symbolic names, and the order of `dependsOn`."""
        return f"{self.parent.path}::{self.name}" if self.parent else self.name

    @property
    def body(self) -> Object:
        """The object of a resource or module."""
        value: Object = self.declaration.value
        return value

    def all(self) -> Iterator["Symbol"]:
        """The resources nested in this one, those inside before those around."""
        for child in self.children.values():
            yield from child.all()
            yield child


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: local names with their text in the template, and the resource around it."""

    locals: Mapping[str, str] = field(default_factory=dict)
    owner: Symbol | None = None

    def bind(self, names: Mapping[str, str]) -> "Scope":
        """The same place with more local names."""
        return Scope({**self.locals, **names}, self.owner)


def spelled(kind: str, version: str) -> str | None:
    """The type as the compiler writes it, or None when its spelling is unusual and not known here."""
    for key in (f"{kind}@{version}".lower(), kind.lower()):
        if key in _SPELLINGS:
            return _SPELLINGS[key]
    namespace, slash, rest = kind.partition("/")
    namespace = _SPELLINGS.get(namespace.lower(), namespace)
    return f"{namespace}{slash}{rest}" if namespace[:1].isupper() else None


def resource_symbol(source: Source, declaration: Declaration, parent: Symbol | None) -> Symbol:
    """The symbol of a resource and of those nested in it; refuses a type without a version."""
    reference = declaration.reference.plain if declaration.reference else None
    place = declaration.reference.place if declaration.reference else declaration.place
    if reference is None:
        raise source.error(place, "BCP047", "String interpolation is unsupported for specifying the resource type.")
    kind, _, version = reference.partition("@")
    if parent:
        kind, version = f"{parent.type}/{kind}", version or parent.version
    if "/" not in kind or not version:
        raise source.error(
            place,
            "BCP029",
            'The resource type is not valid. Specify a valid resource type of format "<type-name>@<apiVersion>".',
        )
    known = spelled(kind, version)
    if known is None:
        raise source.error(place, "BCP000", f'The rehearsal subset does not know how "{kind}" is spelled.')
    symbol = Symbol("resource", declaration.name, declaration, parent, type=known, version=version)
    for child in symbol.body.resources:
        if child.name in symbol.children:
            raise source.error(child.place, "BCP028", f'Identifier "{child.name}" is declared multiple times.')
        if declaration.loop:
            raise source.error(
                child.place, "BCP160", "A nested resource cannot appear inside of a resource with a for-expression."
            )
        symbol.children[child.name] = resource_symbol(source, child, symbol)
    return symbol


def children(node: Any) -> tuple[Any, ...]:
    """The expressions directly inside another; those of loops and lambdas are the caller's business."""
    if isinstance(node, Text):
        return node.parts[1::2]
    if isinstance(node, Array):
        return node.items
    if isinstance(node, Object):
        return node.properties
    if isinstance(node, Property):
        return (node.key, node.value)
    if isinstance(node, Spread):
        return (node.value,)
    if isinstance(node, Call):
        return (node.base, *node.arguments) if node.base is not None else node.arguments
    if isinstance(node, Access):
        return (node.base, node.key)
    if isinstance(node, Child):
        return (node.base,)
    if isinstance(node, Operation):
        return node.operands
    if isinstance(node, Lambda):
        return (node.body,)
    if isinstance(node, Loop):
        return (node.items, node.body, *((node.condition,) if node.condition is not None else ()))
    return ()


def local_names(node: Any) -> tuple[str, ...]:
    """The names that a loop or a lambda brings along."""
    if isinstance(node, Lambda):
        return node.names
    if isinstance(node, Loop):
        return (node.item, node.index) if node.index else (node.item,)
    return ()
