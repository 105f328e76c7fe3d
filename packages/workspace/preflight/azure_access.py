"""Rules for who may come in: databases that are open to everybody, and clusters that nobody could sign in to."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from workspace.preflight.azure_assets import Asset, Assets
from workspace.preflight.finding import Finding, Rule, Severity

OPEN = Rule(
    "azure/database-open",
    Severity.RISK,
    "A firewall rule of a database server that lets every address of the internet in.",
    "Only a password then stands between the data and whoever looks for open ports. A rule from 0.0.0.0 to 0.0.0.0 "
    "is another thing: it lets Azure's own services in.",
    "Name the addresses that need it, or use a private endpoint.",
)
LOCAL = Rule(
    "azure/local-accounts",
    Severity.ERROR,
    "A cluster whose local accounts are off and that has no sign-in with Entra.",
    "AKS refuses it: since Kubernetes 1.25 disableLocalAccounts needs a cluster with Azure AD integration "
    "(cilium/cilium#48265, hashicorp/terraform-provider-azurerm#15489).",
    "Add azure_active_directory_role_based_access_control (aadProfile in Bicep), or keep local accounts.",
)
RULES = (OPEN, LOCAL)

# Before the first and after the last of these no address of the internet is anybody's.
_FIRST, _LAST = IPv4Address("1.0.0.0"), IPv4Address("223.255.255.255")


def check(assets: Assets) -> Iterator[Finding]:
    """What lets everybody in, or nobody."""
    for rule in assets.of("firewall"):
        start, end = _address(rule, "start"), _address(rule, "end")
        if start and end and start <= _FIRST and end >= _LAST:
            yield rule.finding(OPEN, "end", f"{rule.called} lets in every address from {start} to {end}")
    for cluster in assets.of("cluster"):
        if cluster.get("local accounts off") is True and not _has_entra(cluster):
            what = f"{cluster.called} switches local accounts off and has no sign-in with Entra"
            yield cluster.finding(LOCAL, "local accounts off", what)


def _address(rule: Asset, word: str) -> IPv4Address | None:
    try:
        return IPv4Address(rule.text(word))
    except ValueError:
        return None


def _has_entra(cluster: Asset) -> bool:
    """Whether the cluster says how people sign in, known or not."""
    return any(cluster.read(word) not in (None, []) for word in ("entra", "older entra"))
