"""Rules for features that the tier of a registry or database server does not have."""

from collections.abc import Iterator

from workspace.preflight.azure_assets import Asset, Assets
from workspace.preflight.finding import Finding, Rule, Severity

REGISTRY = Rule(
    "azure/registry-tier",
    Severity.ERROR,
    "A Basic or Standard container registry with a feature of Premium: replicas, retention, private endpoints.",
    "Azure refuses them, and so does the provider for retention, zones and replicas, but not before it applies "
    "(azurerm_container_registry; learn.microsoft.com/azure/container-registry/container-registry-skus). Dev has the "
    "cheap tier and prod the dear one, so only dev fails.",
    "Take Premium, or leave the feature out of that environment.",
)
POOLER = Rule(
    "azure/pgbouncer-tier",
    Severity.ERROR,
    "PgBouncer switched on for a Burstable PostgreSQL server.",
    "The built-in pooler is not available for Burstable servers "
    "(learn.microsoft.com/azure/postgresql/flexible-server/concepts-limits), so the setting is refused when the "
    "server already stands.",
    "Take a General Purpose size, or leave the setting out of that environment.",
)
RULES = (REGISTRY, POOLER)


def check(assets: Assets) -> Iterator[Finding]:
    """What is asked of a tier that does not have it."""
    for registry in assets.of("registry"):
        if _is_small(registry):
            yield from _registry(registry)
    for replica in assets.of("replica", "endpoint"):
        word, what = ("registry", "a replica") if replica.kind == "replica" else ("target", "a private endpoint")
        found = [each for each in assets.linked(replica, word) if each.kind == "registry"]
        if found and all(map(_is_small, found)):
            said = f"{replica.called} is {what} of {found[0].called}, which is {found[0].text('sku')}"
            yield replica.finding(REGISTRY, word, said)
    for setting in assets.of("setting"):
        servers = [each for each in assets.linked(setting, "server") if each.kind == "postgresql"]
        if _switches_on(setting) and servers and all(map(_is_burstable, servers)):
            said = f"{setting.called} switches PgBouncer on, and {servers[0].called} is {servers[0].text('size')}"
            yield setting.finding(POOLER, "value", said)


def _is_small(registry: Asset) -> bool:
    return registry.text("sku").lower() in ("basic", "standard")


def _registry(registry: Asset) -> Iterator[Finding]:
    days, replicas = registry.number("retention"), registry.get("replicas")
    asked = {
        "retention": days is not None and days > 0,
        "retention on": registry.get("retention on") is True or registry.text("retention on").lower() == "enabled",
        "zones": registry.get("zones") is True,
        "replicas": isinstance(replicas, list) and bool(replicas),
    }
    names = {"zones": "redundancy across zones", "replicas": "replicas"}
    for word, is_asked in asked.items():
        if is_asked:
            what = f"{registry.called} is {registry.text('sku')} and has {names.get(word, 'a retention policy')}"
            yield registry.finding(REGISTRY, word, f"{what}, which is of Premium alone")


def _switches_on(setting: Asset) -> bool:
    value = setting.get("value")
    is_on = value is True or (isinstance(value, str) and value.lower() in ("true", "on"))
    return is_on and setting.text("name").lower().rpartition("/")[2] == "pgbouncer.enabled"


def _is_burstable(server: Asset) -> bool:
    return server.text("tier") == "Burstable" or server.text("size").startswith(("B_", "Standard_B"))
