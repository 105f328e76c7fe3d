"""Rules for clusters and machines: subnets and pod ranges, zones, pools, tiers, disks."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from workspace.preflight.azure_assets import Asset, Assets, whole
from workspace.preflight.finding import Finding, Rule, Severity

SUBNET = Rule(
    "azure/cluster-subnet",
    Severity.ERROR,
    "A cluster's subnet has fewer addresses than its nodes and their pods take.",
    "With Azure CNI each node takes an address and one for each pod it may hold, for the most nodes a pool may have; "
    "Azure says InsufficientSubnetSize (Azure/AKS#456: 310 addresses in a /24 that has 251).",
    "Make the subnet larger, the pools smaller, or let pods have a range of their own (network_plugin_mode overlay).",
)
PODS = Rule(
    "azure/pod-range",
    Severity.ERROR,
    "An overlay's pod range is smaller than the /24 that each node takes of it.",
    "Azure counts the most nodes of every pool and says InsufficientSubnetSize "
    "(Azure/AKS-Construction#701: 1,280 addresses in a /22).",
    "Make pod_cidr larger: a /16 is enough for 256 nodes.",
)
ZONES = Rule(
    "azure/zones",
    Severity.ERROR,
    "Availability zones in a region that has none.",
    "AvailabilityZoneNotSupported when the cluster is created (cloud-barista/cb-spider#1246: westus).",
    "Leave the zones out, or choose another region.",
)
COUNTS = Rule(
    "azure/pool-counts",
    Severity.ERROR,
    "A node pool whose least number of nodes is above its most, or whose own number is not between the two.",
    "AKS refuses the pool when the cluster before it already stands; the numbers came from different data files.",
    "Correct the numbers, and leave node_count out where the pool scales itself.",
)
POOL_NAME = Rule(
    "azure/pool-name",
    Severity.ERROR,
    "A node pool's name that AKS does not take.",
    "A Linux pool has 1 to 12 lower-case letters and digits, a letter first; a Windows pool 6. The names often come "
    "from keys of a map, where `story-generator` looks harmless.",
    "Shorten the name; it cannot be changed later.",
)
LONG_SUPPORT = Rule(
    "azure/long-term-support",
    Severity.ERROR,
    "A cluster with long-term support that is not in the Premium tier.",
    "AKSLongTermSupport is sold with the Premium tier only (hashicorp/terraform-provider-azurerm#23972).",
    "Set the tier to Premium, or the support plan to KubernetesOfficial.",
)
DISK = Rule(
    "azure/disk-without-zone",
    Severity.RISK,
    "A Premium SSD v2 or Ultra disk that names no zone.",
    "Such a disk goes with machines of a zone only: it is made, then no node can attach it, and the node cannot let "
    "go of it either (Azure/AKS#3880, Azure/AKS#3501).",
    "Give the disk the zone of its machine, or take Premium_LRS.",
)
SYSTEM_DISK = Rule(
    "azure/system-disk",
    Severity.ERROR,
    "A machine that would start from a Premium SSD v2 or Ultra disk.",
    "Both are for data only; Azure refuses them as a system disk (gardener-extension-provider-azure#633).",
    "Start from Premium_LRS or StandardSSD_LRS, and attach the fast disk for data.",
)
RULES = (SUBNET, PODS, ZONES, COUNTS, POOL_NAME, LONG_SUPPORT, DISK, SYSTEM_DISK)

_RESERVED = 5
_USUAL_PODS = 30
_PER_NODE = 256
_FAST = ("PremiumV2_LRS", "UltraSSD_LRS")
_LINUX_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
_WINDOWS_NAME = re.compile(r"[a-z][a-z0-9]{0,5}")
_POOL_WORDS = ("name", "size", "count", "least", "most", "pods", "zones", "os")
_IN_BICEP = {
    "name": "name",
    "size": "vmSize",
    "count": "count",
    "least": "minCount",
    "most": "maxCount",
    "pods": "maxPods",
    "zones": "availabilityZones",
    "os": "osType",
}


@dataclass(frozen=True, eq=False)
class Pool:
    """A node pool: the asset it stands in, its cluster where that is known, and what is said of it by word."""

    asset: Asset
    cluster: Asset | None
    before: str
    values: dict[str, Any]
    subnets: tuple[Asset, ...]
    has_pod_subnet: bool

    @property
    def size(self) -> str:
        """The machine's size, or nothing."""
        size = self.values["size"]
        return size if isinstance(size, str) else ""

    @property
    def word(self) -> str:
        """The word that its size is said by."""
        return self.said("size")

    @property
    def region(self) -> str:
        """The cluster's region, or nothing."""
        return self.cluster.region if self.cluster else ""

    def said(self, word: str) -> str:
        """What its asset calls a word of it."""
        return "pools" if self.before == "pools" else f"{self.before}{word}"

    @property
    def largest(self) -> int | None:
        """The most nodes it may have; None when that is not known."""
        most = whole(self.values["most"])
        return most if most is not None else whole(self.values["count"])

    @property
    def name(self) -> str:
        """Its name, or what its file calls it."""
        name = self.values["name"]
        return name if isinstance(name, str) else self.asset.called


def pools(assets: Assets) -> Iterator[Pool]:
    """All node pools, the one of the cluster itself included."""
    for cluster in assets.of("cluster"):
        listed = cluster.get("pools")
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict):
                values = {word: each.get(_IN_BICEP[word]) for word in _POOL_WORDS}
                yield Pool(cluster, cluster, "pools", values, (), "podSubnetID" in each)
        if listed is None and cluster.read("pool size") is not None:
            yield _pool(assets, cluster, cluster, "pool ")
    for each in assets.of("pool"):
        linked = assets.linked(each, "cluster")
        yield _pool(assets, each, linked[0] if len(linked) == 1 else None, "")


def _pool(assets: Assets, asset: Asset, cluster: Asset | None, before: str) -> Pool:
    values = {word: asset.get(f"{before}{word}") for word in _POOL_WORDS}
    subnets = assets.linked(asset, f"{before}subnet")
    return Pool(asset, cluster, before, values, subnets, asset.read(f"{before}pods' subnet") is not None)


def check(assets: Assets) -> Iterator[Finding]:
    """What Azure would refuse of clusters, pools, machines and disks."""
    every = tuple(pools(assets))
    yield from _subnets(every)
    yield from _pod_ranges(every)
    yield from _zones(assets, every)
    for pool in every:
        yield from _counts(pool)
        yield from _named(pool)
    for cluster in assets.of("cluster"):
        tier = cluster.text("tier") or ("Free" if cluster.read("tier") is None else "")
        if cluster.text("plan") == "AKSLongTermSupport" and tier and tier != "Premium":
            what = f"{cluster.called} has the support plan AKSLongTermSupport in the tier {tier}"
            yield cluster.finding(LONG_SUPPORT, "plan", what)
    yield from _disks(assets)


def _subnets(every: tuple[Pool, ...]) -> Iterator[Finding]:
    by_subnet: dict[Asset, list[Pool]] = defaultdict(list)
    for pool in every:
        cluster = pool.cluster
        plain = cluster and cluster.text("plugin") == "azure" and cluster.read("mode") is None
        if plain and not pool.has_pod_subnet and len(pool.subnets) == 1:
            by_subnet[pool.subnets[0]].append(pool)
    for subnet, its in by_subnet.items():
        ranges = subnet.get("ranges")
        room = sum(_addresses(each) for each in ranges) - _RESERVED if isinstance(ranges, list) else None
        needs = [(pool, _takes(pool)) for pool in its]
        total = sum(need for _, need in needs if need is not None)
        if room is not None and room > 0 and total > room:
            largest = max(needs, key=lambda each: each[1] or 0)[0]
            what = f"the nodes and pods of {_names(its)} take {total} addresses, and {subnet.called} has {room}"
            yield largest.asset.finding(SUBNET, largest.word, what)


def _takes(pool: Pool) -> int | None:
    pods = pool.values["pods"]
    each = _USUAL_PODS if pods is None and not pool.asset.is_open(pool.said("pods")) else whole(pods)
    return pool.largest * (each + 1) if pool.largest is not None and each is not None else None


def _addresses(range_: Any) -> int:
    try:
        return ip_network(range_).num_addresses if isinstance(range_, str) else 1 << 32
    except ValueError:
        return 1 << 32


def _pod_ranges(every: tuple[Pool, ...]) -> Iterator[Finding]:
    by_cluster: dict[Asset, list[Pool]] = defaultdict(list)
    for pool in every:
        if pool.cluster and pool.cluster.text("mode") == "overlay":
            by_cluster[pool.cluster].append(pool)
    for cluster, its in by_cluster.items():
        range_ = cluster.text("pod range")
        room = _addresses(range_) if range_ else 1 << 32
        need = sum((pool.largest or 0) * _PER_NODE for pool in its)
        if need > room:
            what = f"the nodes of {_names(its)} take {need} addresses of the pod range {range_}, which has {room}"
            yield cluster.finding(PODS, "pod range", what)


def _names(its: list[Pool]) -> str:
    return ", ".join(sorted(each.name for each in its))


def _zones(assets: Assets, every: tuple[Pool, ...]) -> Iterator[Finding]:
    without = regions()["zones"]["not"]
    for pool in every:
        if pool.region in without and pool.values["zones"]:
            yield pool.asset.finding(
                ZONES, pool.said("zones"), f"{pool.name} asks for zones, and {pool.region} has none"
            )
    for each in assets.of("machine", "disk", "address", "gateway"):
        if each.region in without and each.get("zones"):
            yield each.finding(ZONES, "zones", f"{each.called} asks for zones, and {each.region} has none")


@cache
def regions() -> dict[str, dict[str, Any]]:
    """What is known of regions, each with its source, from `azure_regions.json`."""
    read: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("azure_regions.json").read_text("utf-8"))
    return read


def _counts(pool: Pool) -> Iterator[Finding]:
    least, most, count = (whole(pool.values[word]) for word in ("least", "most", "count"))
    if least is not None and most is not None and least > most:
        what = f"{pool.name} has at least {least} nodes and at most {most}"
        yield pool.asset.finding(COUNTS, pool.said("least"), what)
    elif count is not None and ((least is not None and count < least) or (most is not None and count > most)):
        what = f"{pool.name} has {count} nodes, which is not from {least} to {most}"
        yield pool.asset.finding(COUNTS, pool.said("count"), what)


def _named(pool: Pool) -> Iterator[Finding]:
    name = pool.values["name"]
    if isinstance(name, str):
        is_windows = pool.values["os"] == "Windows"
        if not (_WINDOWS_NAME if is_windows else _LINUX_NAME).fullmatch(name):
            what = f"the pool's name {name!r} is not of 1 to {6 if is_windows else 12} lower-case letters and digits"
            yield pool.asset.finding(POOL_NAME, pool.said("name"), what)


def _disks(assets: Assets) -> Iterator[Finding]:
    for disk in assets.of("disk"):
        if disk.text("type") in _FAST and disk.read("zones") is None:
            yield disk.finding(DISK, "type", f"{disk.called} is {disk.text('type')} and names no zone")
    for machine in assets.of("machine"):
        if machine.text("disk") in _FAST:
            yield machine.finding(SYSTEM_DISK, "disk", f"{machine.called} starts from {machine.text('disk')}")
