"""The names of things: ADR-0008, the legacy names that are kept, and what Azure allows for each type.

The pattern is `[org]-[env]-[project]-[type]-[region]` in lower case. Names of most Azure resources cannot be changed
later (a rename is delete and create), so an illegal name is refused when the plan is drawn, with the rule and the
length. Rules are those of Azure's naming reference for each resource type.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workspace.errors import Refused

ORGANISATIONS = ("mys", "nl", "pvc", "tws")
ENVIRONMENTS = ("dev", "staging", "prod")
REGIONS = {
    "westeurope": "euw",
    "northeurope": "eun",
    "eastus": "eus",
    "eastus2": "eus2",
    "westus": "wus",
    "westus2": "usw",
    "southafricanorth": "san",
    "southafricawest": "saf",
    "swedencentral": "swe",
    "uksouth": "uks",
    "global": "glob",
}
_SHORT = {"dev": "dev", "staging": "stg", "prod": "prd"}


@dataclass(frozen=True)
class Rule:
    """What a type's name may look like: length from `shortest` to `longest`, and a pattern with its words."""

    shortest: int
    longest: int
    pattern: str
    words: str

    def complaint(self, name: str) -> str:
        """Why the name is illegal, or nothing."""
        if not self.shortest <= len(name) <= self.longest:
            return f"has {len(name)} characters where {self.shortest} to {self.longest} are allowed"
        if not re.fullmatch(self.pattern, name):
            return f"has characters that are not allowed: {self.words}"
        return ""


def _rule(shortest: int, longest: int, characters: tuple[str, str]) -> Rule:
    return Rule(shortest, longest, *characters)


# Patterns and their words, shared by the types that have the same rule.
_GROUP = r"[\w().-]*[\w()-]", "letters, digits, - _ . ( ) are, no dot at the end"
_LOOSE = r"[a-zA-Z0-9](?:[\w.-]*\w)?", "letters, digits, . _ - are, a letter or digit first"
_HYPHENS = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?", "letters, digits, - are, no - at either end"
_SINGLE = r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]*[a-zA-Z0-9]", "letters, digits, single - are, a letter first"
_BUS = (
    r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]*[a-zA-Z0-9](?<!-sb)(?<!-mgmt)",
    "letters, digits, single - are; no -sb or -mgmt",
)
_LOWER = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", "lower-case letters, digits, - are, no - at either end"
_LETTERS_DIGITS = r"[a-zA-Z0-9]+", "letters and digits are"
_LOWER_DIGITS = r"[a-z0-9]+", "lower-case letters and digits are"
_WORDS = r"[a-zA-Z0-9](?:[\w-]*[a-zA-Z0-9])?", "letters, digits, _ - are"
_TITLE = r"[^%&\\?/]*[^%&\\?/. ]", "% & \\ ? / are not, nor a dot or blank at the end"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})+", "at least two labels of lower-case letters, digits, - are"

RULES: Mapping[str, Rule] = {
    "Microsoft.Resources/resourceGroups": _rule(1, 90, _GROUP),
    "Microsoft.Network/virtualNetworks": _rule(2, 64, _LOOSE),
    "Microsoft.Network/virtualNetworks/subnets": _rule(1, 80, _LOOSE),
    "Microsoft.Network/networkSecurityGroups": _rule(1, 80, _LOOSE),
    "Microsoft.Network/natGateways": _rule(1, 80, _LOOSE),
    "Microsoft.Network/dnsZones": _rule(1, 253, _HOST),
    "Microsoft.ContainerService/managedClusters": _rule(1, 63, _WORDS),
    "Microsoft.ContainerRegistry/registries": _rule(5, 50, _LETTERS_DIGITS),
    "Microsoft.Storage/storageAccounts": _rule(3, 24, _LOWER_DIGITS),
    "Microsoft.KeyVault/vaults": _rule(3, 24, _SINGLE),
    "Microsoft.DBforPostgreSQL/flexibleServers": _rule(3, 63, _LOWER),
    "Microsoft.Cache/redis": _rule(1, 63, _SINGLE),
    "Microsoft.Cache/redisEnterprise": _rule(1, 60, _HYPHENS),
    "Microsoft.OperationalInsights/workspaces": _rule(4, 63, _HYPHENS),
    "Microsoft.Insights/components": _rule(1, 260, _TITLE),
    "Microsoft.Insights/actionGroups/shortName": _rule(1, 12, _TITLE),
    "Microsoft.Portal/dashboards": _rule(3, 160, (r"[a-zA-Z0-9-]+", "letters, digits, - are")),
    "Microsoft.ManagedIdentity/userAssignedIdentities": _rule(3, 128, _WORDS),
    "Microsoft.ServiceBus/namespaces": _rule(6, 50, _BUS),
    "Microsoft.DocumentDB/databaseAccounts": _rule(3, 44, _LOWER),
    "Microsoft.Web/serverfarms": _rule(1, 60, _HYPHENS),
    "Microsoft.Web/sites": _rule(2, 60, _HYPHENS),
    "Microsoft.Web/staticSites": _rule(2, 60, _HYPHENS),
    "Microsoft.Communication/communicationServices": _rule(1, 63, _HYPHENS),
    "Microsoft.BotService/botServices": _rule(2, 64, _WORDS),
    "kubernetes/namespace": _rule(1, 63, _LOWER),
    "kubernetes/workload": _rule(1, 63, _LOWER),
    "registry/repository": _rule(1, 255, (r"[a-z0-9]+(?:[._/-][a-z0-9]+)*", "lower-case letters, digits, . _ - / are")),
    "host": _rule(1, 253, _HOST),
}


def legal(kind: str, name: str, where: str = "") -> str:
    """The name itself when it is legal for its type; refused with the rule and the length otherwise."""
    rule = RULES.get(kind)
    if rule is None:
        raise Refused(f"No naming rule is known for {kind}; add one to workspace.naming before using it.")
    complaint = rule.complaint(name)
    if complaint:
        raise Refused(f"The name {name!r}{where and f' of {where}'} {complaint} ({kind}); choose another name.")
    return name


@dataclass(frozen=True)
class Names:
    """Names for one environment of one project, by the pattern; `kept` overrides any of them (legacy names).

    A kept name is looked up under `type` or `type/region`. Refuses organisations, environments and regions that are
    not in the closed lists of ADR-0008.
    """

    organisation: str
    environment: str
    project: str
    kept: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.organisation not in ORGANISATIONS:
            raise Refused(f"{self.organisation!r} is no organisation code; ADR-0008 knows {', '.join(ORGANISATIONS)}.")
        if self.environment not in ENVIRONMENTS:
            raise Refused(f"{self.environment!r} is no environment code; ADR-0008 knows {', '.join(ENVIRONMENTS)}.")
        if self.project.startswith(self.organisation + "-"):
            raise Refused(f"The project {self.project!r} repeats the organisation {self.organisation!r}.")

    def resource(self, short: str, region: str, kind: str) -> str:
        """A resource's name: the kept one, else by the pattern; legal for its Azure type or refused."""
        made = "-".join((self.organisation, self.environment, self.project, short, code(region)))
        return legal(kind, self.kept.get(short, made), self.environment)

    def squeezed(self, short: str, region: str, kind: str) -> str:
        """The same without hyphens, for types that take letters and digits only."""
        made = "".join((self.organisation, self.environment, self.project, short, code(region)))
        return legal(kind, self.kept.get(short, made), self.environment)

    def shortened(self, short: str, region: str, kind: str) -> str:
        """The same with the environment in three letters (dev, stg, prd), where length forces it."""
        made = "-".join((self.organisation, _SHORT[self.environment], self.project, short, code(region)))
        return legal(kind, self.kept.get(short, made), self.environment)


def code(region: str) -> str:
    """The short code of an Azure region, or a code that is one already; refuses what ADR-0008 does not know."""
    found = REGIONS.get(region, region)
    if found not in REGIONS.values():
        raise Refused(f"{region!r} is no region of ADR-0008; known are {', '.join(sorted(set(REGIONS.values())))}.")
    return found


def check_owned(owned: Iterable[str], where: str) -> None:
    """Refuse an illegal name among things owned, written as `Microsoft.KeyVault/vaults mystira-chain-dev-kv`."""
    for thing in owned:
        kind, _, name = thing.partition(" ")
        if kind in RULES:
            legal(kind, name, where)
        elif kind != "record":
            raise Refused(f"{where} owns {thing!r}, whose type {kind} has no naming rule; add one to workspace.naming.")
