"""Rules for App Service and Static Web Apps: what a plan's tier does not give, regions, and names."""

import re
from collections.abc import Iterator

from workspace.preflight.azure_assets import Asset, Assets
from workspace.preflight.azure_nodes import regions
from workspace.preflight.finding import Finding, Rule, Severity

SLOTS = Rule(
    "azure/slot-tier",
    Severity.ERROR,
    "A deployment slot on a Free, Shared or Basic plan.",
    "Azure refuses it when the app already stands: the site will exceed the number of slots allowed for the SKU "
    "(microsoft/vscode-azureappservice#520). Dev is often a tier below prod.",
    "Take a Standard or Premium plan, or leave the slot out of that environment.",
)
ALWAYS_ON = Rule(
    "azure/always-on",
    Severity.ERROR,
    "always_on for an app on a Free or Shared plan.",
    "Conflict: AlwaysOn cannot be set for this site as the plan does not allow it "
    "(microsoft/HealthBotContainerSample#51, hashicorp/terraform-provider-azurerm#16930).",
    "Set it to false for that environment, or take a Basic plan.",
)
CERTIFICATE = Rule(
    "azure/host-tier",
    Severity.ERROR,
    "A host of one's own with TLS for an app on a Free or Shared plan.",
    "Neither tier serves a certificate for a custom host (Azure subscription limits, App Service); the binding is the "
    "last step and fails after everything else has been made.",
    "Take a Basic plan or above, or let a gateway hold the host.",
)
STATIC_REGION = Rule(
    "azure/static-site-region",
    Severity.ERROR,
    "A Static Web App in a region that has none.",
    "LocationNotAvailableForResourceType (Azure/static-web-apps#443); content is served everywhere in any case, so the "
    "guide puts it into East US 2 beside an app in South Africa North.",
    "Choose one of the regions that are named.",
)
NAME = Rule(
    "azure/name",
    Severity.ERROR,
    "A name of an event hub namespace, search service or container app that Azure does not take.",
    "Names are made of parts, and only the longest environment is too long: staging failed where dev had worked.",
    "Shorten a part of the name.",
)
RULES = (SLOTS, ALWAYS_ON, CERTIFICATE, STATIC_REGION, NAME)

_FREE = ("F1", "FREE", "D1", "SHARED")
_WITHOUT_SLOTS = (*_FREE, "B1", "B2", "B3")
_TLS = ("SniEnabled", "IpBasedEnabled")
_NAMES = {
    "events": (6, 50, re.compile(r"[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]"), "letters, digits, -, a letter first"),
    "search": (2, 60, re.compile(r"(?!.*--)[a-z0-9]{2}[a-z0-9-]*(?<!-)"), "lower-case letters, digits, single -"),
    "container app": (
        2,
        32,
        re.compile(r"(?!.*--)[a-z][a-z0-9-]*[a-z0-9]"),
        "lower-case letters, digits, single -, a letter first",
    ),
}


def check(assets: Assets) -> Iterator[Finding]:
    """What a plan does not give the apps on it, and where and how apps cannot be made."""
    for slot in assets.of("slot"):
        sku = _sku(assets, slot)
        if sku.upper() in _WITHOUT_SLOTS:
            word = "site" if slot.read("site") is not None else "plan"
            yield slot.finding(SLOTS, word, f"{slot.called} is a slot of an app on a plan {sku}, which has no slots")
    for site in assets.of("site"):
        sku = _sku(assets, site)
        if site.get("always on") is True and sku.upper() in _FREE:
            yield site.finding(ALWAYS_ON, "always on", f"{site.called} is always on, and its plan is {sku}")
    for host in assets.of("host"):
        sku = _sku(assets, host)
        if host.text("tls") in _TLS and sku.upper() in _FREE:
            yield host.finding(CERTIFICATE, "tls", f"{host.called} binds a certificate, and its app's plan is {sku}")
    only = regions()["static sites"]["only"]
    for site in assets.of("static site"):
        if site.region and site.region not in only:
            what = f"{site.called} is in {site.region}, and Static Web Apps are in {', '.join(only)}"
            yield site.finding(STATIC_REGION, "region", what)
    for kind, (shortest, longest, pattern, words) in _NAMES.items():
        for asset in assets.of(kind):
            name = asset.text("name")
            if name and not (shortest <= len(name) <= longest and pattern.fullmatch(name)):
                what = f"the name {name!r} of {asset.called} is not of {shortest} to {longest} characters: {words}"
                yield asset.finding(NAME, "name", what)


def _sku(assets: Assets, asset: Asset) -> str:
    """The size of the plan of a site, or of the site of a slot or host; nothing if that is not clear."""
    if asset.read("plan") is None and asset.kind != "site":
        found = {_sku(assets, each) for each in assets.linked(asset, "site") if each.kind == "site"}
    else:
        found = {each.text("sku") for each in assets.linked(asset, "plan") if each.kind == "plan"}
    return found.pop() if len(found) == 1 else ""
