"""Rules for cores: what all environments ask for together in a region, against what the subscription may have."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from workspace.preflight.azure_assets import Asset, Assets, whole
from workspace.preflight.azure_nodes import pools
from workspace.preflight.finding import Finding, Rule, Severity

QUOTA = Rule(
    "azure/quota",
    Severity.ERROR,
    "All environments together ask for more than the subscription's declared quota in a region.",
    "Node pools count with the most nodes they may have. The owners' smallest sizes needed 13 to 17 cores where the "
    "regional quota was 10; the refusal came when half of the environment stood.",
    "Ask for more quota and write it into quota.json, or choose fewer or smaller nodes.",
)
UNDECLARED = Rule(
    "azure/quota-undeclared",
    Severity.NOTE,
    "More than ten cores of a family in a region, and no quota.json says what the subscription may have.",
    "A new subscription often has 10 cores in a region; what is above is refused in the middle of the first rollout.",
    'Write quota.json: {"eastus": {"total": 100, "standardDSv3Family": 50}}, as `az vm list-usage` shows it.',
)
RULES = (QUOTA, UNDECLARED)

_USUAL = 10
_SIZE = re.compile(r"^Standard_([A-Z]+?)(\d+)([a-z]*)(?:_(v\d+))?$")
_POSTGRESQL = re.compile(r"^(?:B|GP|MO)_(?:Standard_)?[A-Z]+(\d+)")
# Sizes of these families count up, not their cores.
_NUMBERED = {"standardDFamily", "standardDSFamily", "standardDv2Family", "standardDSv2Family", "standardGFamily"}
_TIERS = {"B": "appServiceBasic", "S": "appServiceStandard", "P": "appServicePremium"}
_COUNTED = {"postgresql": "vCores of PostgreSQL", **{each: f"instances of {each}" for each in _TIERS.values()}}


@dataclass(frozen=True)
class Want:
    """So much of a family in a region, for one asset."""

    asset: Asset
    word: str
    family: str
    amount: int
    region: str = ""


def check(assets: Assets) -> Iterator[Finding]:
    """Sums by region and family that are above their limit, told at the largest part."""
    limits = dict(_declared(assets))
    by_region: dict[str, dict[str, list[Want]]] = defaultdict(lambda: defaultdict(list))
    for want in _wants(assets):
        region = want.region or want.asset.region or _region_of(assets, want.asset)
        if region:
            by_region[region][want.family.lower()].append(want)
            if want.family not in _COUNTED:
                by_region[region]["total"].append(want)
    for region, families in sorted(by_region.items()):
        for family, wants in sorted(families.items()):
            total = sum(each.amount for each in wants)
            limit = limits.get((region, family))
            largest = max(wants, key=lambda each: each.amount)
            parts = _parts(wants)
            if limit is not None and total > limit:
                what = f"{_called(family, largest)} in {region}: {parts} make {total}, and {limit} are allowed"
                yield largest.asset.finding(QUOTA, largest.word, what)
            elif not limits and total > _USUAL and family != "total" and largest.family not in _COUNTED:
                what = f"{_called(family, largest)} in {region}: {parts} make {total}, and no quota is declared"
                yield largest.asset.finding(UNDECLARED, largest.word, what)


def cores(size: str) -> tuple[str, int] | None:
    """The family and the cores of a machine's size; None where its name does not tell them."""
    found = _SIZE.match(size)
    if not found:
        return None
    letters, number, features, version = found.groups()
    if letters == "B" and not version:
        features = "s"
    family = f"standard{letters}{features.upper()}{version or ''}Family"
    return None if family in _NUMBERED else (family, int(number))


def _wants(assets: Assets) -> Iterator[Want]:
    for pool in pools(assets):
        known = cores(pool.size)
        if known and pool.largest is not None:
            yield Want(pool.asset, pool.word, known[0], known[1] * pool.largest, pool.region)
    for machine in assets.of("machine"):
        known = cores(machine.text("size"))
        count = machine.number("count") if machine.read("count") is not None else 1
        if known and count is not None:
            yield Want(machine, "size", known[0], known[1] * count)
    for server in assets.of("postgresql"):
        found = _POSTGRESQL.match(server.text("size"))
        if found:
            yield Want(server, "size", "postgresql", int(found[1]))
    for plan in assets.of("plan"):
        tier = _TIERS.get(plan.text("sku")[:1])
        count = plan.number("count") if plan.read("count") is not None else 1
        if tier and count is not None:
            yield Want(plan, "sku", tier, count)


def _region_of(assets: Assets, asset: Asset) -> str:
    """The one region of all that the environment's stacks, or its templates, make; nothing when there are several."""
    alike = [each for each in assets.all if each.environment == asset.environment and len(each.home) == len(asset.home)]
    known = {each.region for each in alike if each.region and each.kind != "static site"}
    return next(iter(known)) if len(known) == 1 and asset.environment else ""


def _declared(assets: Assets) -> Iterator[tuple[tuple[str, str], int]]:
    for file in assets.checkout.matching("quota.json", "*/quota.json"):
        try:
            said = json.loads(assets.checkout.text(file))
        except (OSError, ValueError, RecursionError):
            continue
        for region, families in said.items() if isinstance(said, dict) else ():
            for family, limit in families.items() if isinstance(families, dict) else ():
                number = whole(limit)
                if number is not None:
                    yield (re.sub(r"\s", "", str(region)).lower(), str(family).lower()), number


def _parts(wants: list[Want]) -> str:
    sums: dict[str, int] = defaultdict(int)
    for each in wants:
        sums[each.asset.environment or each.asset.called] += each.amount
    return ", ".join(f"{amount} for {name}" for name, amount in sorted(sums.items()) if amount)


def _called(family: str, want: Want) -> str:
    if family == "total":
        return "Cores of all families"
    return _COUNTED.get(want.family, f"Cores of {want.family}")
