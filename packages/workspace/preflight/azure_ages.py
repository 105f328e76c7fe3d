"""Rules of age: services, runtimes, clusters, databases and base images, each with the day its support ends."""

import re
from collections.abc import Iterator
from datetime import date

from workspace.preflight.ages import age_of
from workspace.preflight.azure_assets import Asset, Assets, told_once
from workspace.preflight.checkout import Checkout
from workspace.preflight.docker_syntax import is_dockerfile, parse
from workspace.preflight.finding import Finding, Rule, Severity

GONE = Rule(
    "azure/gone",
    Severity.ERROR,
    "A service, cluster version or tier that has ended and of which Azure makes no new one.",
    "Azure refuses to make it: a cluster of 1.28, as the guide of December 2025 asks for, is refused at its creation.",
    "Take the successor that is named; the day and its source stand in the package's ages.json.",
)
ENDED = Rule(
    "azure/ended",
    Severity.RISK,
    "A runtime, cluster version, database version or base image whose support has ended.",
    "It still works and nobody mends it any more: images on Node 18 have had no security fixes since April 2025.",
    "Take the successor that is named; the day and its source stand in the package's ages.json.",
)
ENDING = Rule(
    "azure/ending",
    Severity.NOTE,
    "A service, runtime, version or base image whose support ends within 180 days.",
    "Three environments, one after the other, take longer than a last-minute upgrade has; Front Door (classic) ends "
    "in March 2027 and has taken no new profiles since August 2025.",
    "Plan the move now, dev first.",
)
AGING = Rule(
    "azure/aging",
    Severity.NOTE,
    "A service, runtime, version or base image whose support ends within a year.",
    "The owners met each end of support as a failed run, never as a date in a plan.",
    "Put the move into the plan of the coming year.",
)
RULES = (GONE, ENDED, ENDING, AGING)

_SOON = 180
_YEAR = 365
_DOTNET = re.compile(r"^mcr\.microsoft\.com/dotnet/(?:sdk|aspnet|runtime|runtime-deps)$")
_OFFICIAL = ("node", "python", "alpine", "debian", "ubuntu", "postgres")
_CODE_NAMES = ("jessie", "stretch", "buster", "bullseye", "bookworm", "trusty", "xenial", "bionic", "focal", "jammy")
_UBUNTU = ("trusty", "xenial", "bionic", "focal", "jammy")
# The words of an asset that hold a version, by kind, and what they are versions of.
_VERSIONS = {
    "cluster": (("version", "aks", "Kubernetes"),),
    "pool": (("version", "aks", "Kubernetes"),),
    "postgresql": (("version", "azure-postgresql", "PostgreSQL"),),
    "site": (("dotnet", "dotnet", ".NET"), ("node", "node", "Node.js"), ("python", "python", "Python")),
    "cdn": (("sku", "azure-cdn", "the CDN tier"),),
    "address": (("sku", "azure-public-ip", "the address tier"),),
    "balancer": (("sku", "azure-load-balancer", "the load balancer tier"),),
    "gateway": (("sku", "azure-application-gateway", "the gateway tier"),),
}
_STACKS = {"DOTNETCORE": "dotnet", "NODE": "node", "PYTHON": "python"}


def check(assets: Assets, checkout: Checkout, today: date) -> Iterator[Finding]:
    """What has ended by a day, and what ends within a year of it."""
    for asset in assets.all:
        yield from told_once(_of_asset(asset, today))
    for file in checkout.files:
        if is_dockerfile(file):
            yield from _of_dockerfile(checkout, file, today)


def _of_asset(asset: Asset, today: date) -> Iterator[Finding]:
    found = _judged("azure-service", asset.type, asset.type, today)
    if found:
        yield asset.finding(found[0], "", f"{asset.called}: {found[1]}")
    for word, product, said in _VERSIONS.get(asset.kind, ()):
        version = re.sub(r"^[vV~]", "", asset.text(word) or str(asset.number(word) or ""))
        version = re.sub(r"[-.]lts$", "", version, flags=re.IGNORECASE)
        if asset.kind == "cluster" and asset.text("plan") == "AKSLongTermSupport":
            continue
        found = _judged(product, version, f"{said} {version}", today) if version else None
        if found:
            yield asset.finding(found[0], word, f"{asset.called}: {found[1]}")
    stack, _, version = asset.text("linux").partition("|")
    if stack.upper() in _STACKS:
        version = re.sub(r"-lts$", "", version, flags=re.IGNORECASE)
        found = _judged(_STACKS[stack.upper()], version, f"{stack} {version}", today)
        if found:
            yield asset.finding(found[0], "linux", f"{asset.called}: {found[1]}")


def _of_dockerfile(checkout: Checkout, file: str, today: date) -> Iterator[Finding]:
    try:
        parsed = parse(checkout.text(file))
    except OSError:
        return
    told = set()
    for stage in parsed.stages:
        image = parsed.image(stage)
        for product, version in _inside(image):
            found = _judged(product, version, f"{product} {version}", today)
            if found and (product, version) not in told:
                told.add((product, version))
                yield found[0].at(f"{file}:{stage.line}", f"{image}: {found[1]}")


def _inside(image: str) -> Iterator[tuple[str, str]]:
    """What stands in an image, as its name tells: `node:18-alpine3.18` has Node 18 and Alpine 3.18."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    name = name.removeprefix("docker.io/").removeprefix("library/")
    if "$" in tag or "/" in tag or not name:
        return
    version, *rest = tag.split("-")
    if _DOTNET.match(name):
        yield "dotnet", version
    elif name in _OFFICIAL:
        yield name, version
    else:
        return
    for part in rest:
        alpine = re.fullmatch(r"alpine(\d+\.\d+)", part)
        if alpine:
            yield "alpine", alpine[1]
        elif part in _CODE_NAMES:
            yield ("ubuntu" if part in _UBUNTU else "debian"), part


def _judged(product: str, version: str, said: str, today: date) -> tuple[Rule, str] | None:
    """The rule and the sentence for a version, by how far its end is; None while that is far, or not known."""
    age = age_of(product, version)
    if age is None:
        return None
    left = (age.ends - today).days
    if left <= 0:
        return (GONE if age.gone else ENDED), f"{said} ended on {age.ends}; take {age.instead}"
    if left <= _YEAR:
        return (ENDING if left <= _SOON else AGING), f"{said} ends on {age.ends}; take {age.instead}"
    return None
