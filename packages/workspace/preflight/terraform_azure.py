"""Rules about values that Azure refuses late: names, ranges, delegations, sizes, metrics, in every environment."""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import Any

from workspace import naming
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_facts import DELEGATIONS, METRICS, NAMED
from workspace.preflight.terraform_read import references
from workspace.preflight.terraform_tree import Instance, Tree, inner_blocks, valued
from workspace.preflight.terraform_values import UNKNOWN

ILLEGAL_NAME = Rule(
    "terraform/illegal-name",
    Severity.ERROR,
    "A name is too long, too short, or has characters that Azure does not take for the type.",
    "A vault's name was too long, and Azure said so late; an action group's short name has 12 characters.",
    "Choose another name; most names cannot be changed later.",
)
SAME_NAME = Rule(
    "terraform/same-name",
    Severity.ERROR,
    "Two stacks or environments give the same name to things whose names are unique in the world.",
    "The second environment fails when it is created, or takes over what the first one owns.",
    "Put the environment into the name.",
)
RANGE = Rule(
    "terraform/range",
    Severity.ERROR,
    "An address range is no range, or its address is not the first one of its size.",
    "The same unaligned /22 was fixed on 20, 28 and 29 December, once per environment.",
    "Begin the range at a multiple of its size.",
)
OUTSIDE = Rule(
    "terraform/range-outside",
    Severity.ERROR,
    "A subnet is not inside its network.",
    "Azure refuses the subnet when the network already stands.",
    "Choose a range of the network's address space.",
)
OVERLAP = Rule(
    "terraform/range-overlap",
    Severity.ERROR,
    "Ranges overlap: two subnets, the networks of two environments, or a network and a cluster's service range.",
    "Overlapping networks can never be peered; a service range inside the network breaks routing in the cluster.",
    "Move one of the two.",
)
DELEGATION = Rule(
    "terraform/delegation",
    Severity.RISK,
    "A subnet is delegated to something Azure does not delegate to.",
    "Redis was given a delegation that does not exist.",
    "Remove the delegation, or name the service as Azure does.",
)
SMALL_SHARE = Rule(
    "terraform/small-share",
    Severity.ERROR,
    "A Premium file share is smaller than 100 GB.",
    "Found after five commits that blamed the tool.",
    "Ask for 100 GB or more; the share is billed by what is asked for.",
)
BURSTABLE = Rule(
    "terraform/burstable",
    Severity.ERROR,
    "A Burstable PostgreSQL server has a replica or a standby.",
    "Azure refuses both when the server already stands.",
    "Choose a GP_ or MO_ size, or do without.",
)
UNKNOWN_METRIC = Rule(
    "terraform/unknown-metric",
    Severity.RISK,
    "An alert watches a metric that its kind of resource does not have.",
    "Azure refuses the alert when everything before it is made.",
    "Use a metric of Azure Monitor's list for the type.",
)
RULES = (ILLEGAL_NAME, SAME_NAME, RANGE, OUTSIDE, OVERLAP, DELEGATION, SMALL_SHARE, BURSTABLE, UNKNOWN_METRIC)

Network = IPv4Network | IPv6Network
_SMALLEST_SHARE = 100


def check(tree: Tree) -> Iterator[Finding]:
    """What Azure would refuse in what each environment's data make of each root."""
    yield from attempted((_names, _ranges), tree)
    for instance in tree.instances:
        yield from attempted((_delegations, _share, _burstable, _metrics), tree, instance)


def told(tree: Tree, instance: Instance, value: Any, *path: str) -> str:
    """Where a value is said: its line in the environment's data if it stands there, else its argument's line."""
    block, line = instance.item.block, instance.item.block.line
    for kind in path[:-1]:
        block = next((each for each in block.inner(kind)), block)
    attribute = block.attributes.get(path[-1])
    if attribute:
        line = attribute.line
    if attribute and instance.data:
        names = {step for each in references(attribute.expression) for step in each.path[1:]}
        wanted = str(value).lower() if isinstance(value, bool) else str(value)
        said = [_said(tree, file, wanted, names) for file in instance.data.read if instance.data.values]
        places = next((found for kind in zip(*said, strict=True) for found in kind if found), "")
        if places:
            return places
    return instance.item.at(line)


def _said(tree: Tree, file: str, wanted: str, names: set[str]) -> tuple[str, str, str]:
    """Where a data file says a value under one of the names, says it at all, and has one of the names; or nothing."""
    lines = tree.checkout.text(file).splitlines()
    saying = [number for number, each in enumerate(lines, 1) if wanted in each and ("=" in each or ":" in each)]
    named = [number for number in saying if any(name in lines[number - 1] for name in names)]
    partly = [number for number, each in enumerate(lines, 1) if any(f'"{name}"' in each for name in names)]
    first, second, third = (f"{file}:{each[0]}" if each else "" for each in (named, saying, partly))
    return first, second, third


# ---- names


def _names(tree: Tree) -> Iterator[Finding]:
    owners: dict[tuple[str, str], list[tuple[Instance, str]]] = defaultdict(list)
    for instance in tree.instances:
        for named in NAMED.get(instance.type, ()):
            name = instance.get(named.argument)
            if not isinstance(name, str):
                continue
            complaint = naming.RULES[named.kind].complaint(name)
            if complaint:
                place = told(tree, instance, name, named.argument)
                what = f"{named.argument} {name!r} of {instance.item.address} {complaint} ({named.kind})."
                yield ILLEGAL_NAME.at(place, what, instance.environment)
            if named.is_global:
                owners[named.kind, name.lower()].append((instance, named.argument))
    yield from _twice(tree, owners)


def _twice(tree: Tree, owners: dict[tuple[str, str], list[tuple[Instance, str]]]) -> Iterator[Finding]:
    for (kind, name), users in owners.items():
        first, _ = users[0]
        for instance, argument in users[1:]:
            what = f"{name} ({kind}) is claimed by {_stack(instance)} and by {_stack(first)}."
            yield SAME_NAME.at(told(tree, instance, name, argument), what, instance.environment)


def _stack(instance: Instance) -> str:
    return f"{instance.root} in {instance.environment}" if instance.environment else instance.root


# ---- ranges


def _ranges(tree: Tree) -> Iterator[Finding]:
    networks: list[tuple[Instance, Network]] = []
    services: list[tuple[Instance, Network]] = []
    subnets: dict[tuple[str, str, str], list[tuple[Instance, Network]]] = defaultdict(list)
    for instance in tree.instances:
        for path in _RANGES.get(instance.type, ()):
            for text in _list(instance.get(*path)):
                range_ = _network(text)
                if range_ is None:
                    what = f"{text} of {instance.item.address} is no address range{_aligned(text)}."
                    yield RANGE.at(told(tree, instance, text, *path), what, instance.environment)
                elif path[-1] == "address_space":
                    networks.append((instance, range_))
                elif path[-1] == "service_cidr":
                    services.append((instance, range_))
                elif path[-1] == "address_prefixes":
                    subnets[instance.environment, instance.root, instance.folder].append((instance, range_))
    yield from _subnets(tree, subnets, networks)
    yield from _apart(tree, networks, services)


_RANGES = {
    "azurerm_virtual_network": (("address_space",),),
    "azurerm_subnet": (("address_prefixes",),),
    "azurerm_kubernetes_cluster": (("network_profile", "service_cidr"), ("network_profile", "pod_cidr")),
}


def _list(value: Any) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _aligned(text: str) -> str:
    try:
        return f": its size begins at {ip_network(text, strict=False)}"
    except ValueError:
        return ""


def _subnets(
    tree: Tree,
    subnets: dict[tuple[str, str, str], list[tuple[Instance, Network]]],
    networks: list[tuple[Instance, Network]],
) -> Iterator[Finding]:
    for (environment, root, folder), found in subnets.items():
        spaces = [
            space
            for each, space in networks
            if (each.environment, each.root, each.folder) == (environment, root, folder)
        ]
        for instance, range_ in found:
            if len(spaces) > 0 and not any(_holds(space, range_) for space in spaces):
                what = f"The subnet {_called(instance)} {range_} is not inside {', '.join(map(str, spaces))}."
                yield OUTSIDE.at(told(tree, instance, range_, "address_prefixes"), what, environment)
        for (one, left), (other, right) in combinations(found, 2):
            if left.overlaps(right) and _network_of(one) == _network_of(other):
                what = f"The subnets {_called(one)} {left} and {_called(other)} {right} overlap."
                yield OVERLAP.at(told(tree, other, right, "address_prefixes"), what, environment)


def _called(instance: Instance) -> str:
    name = instance.get("name")
    return name if isinstance(name, str) else instance.item.address


def _network_of(instance: Instance) -> str:
    attribute = instance.item.block.attributes.get("virtual_network_name")
    return str([each.path for each in attribute.references]) if attribute else ""


def _holds(space: Network, range_: Network) -> bool:
    return space.version == range_.version and range_.subnet_of(space)  # type: ignore[arg-type]


def _apart(
    tree: Tree, networks: list[tuple[Instance, Network]], services: list[tuple[Instance, Network]]
) -> Iterator[Finding]:
    for (one, left), (other, right) in combinations(networks, 2):
        if left.overlaps(right) and one.environment != other.environment:
            pair = [f"{_called(each)} {space} of {each.environment}" for each, space in ((one, left), (other, right))]
            what = f"The networks {pair[0]} and {pair[1]} overlap."
            yield OVERLAP.at(told(tree, other, right, "address_space"), what, other.environment)
    for cluster, service in services:
        for network, space in networks:
            if cluster.environment == network.environment and service.overlaps(space):
                what = f"The service range {service} of {_called(cluster)} overlaps {_called(network)} {space}."
                place = told(tree, cluster, service, "network_profile", "service_cidr")
                yield OVERLAP.at(place, what, cluster.environment)


# ---- kinds of resources


def _delegations(tree: Tree, instance: Instance) -> Iterator[Finding]:
    if instance.type != "azurerm_subnet":
        return
    for delegation, scope in instance.inner("delegation"):
        for service, within in inner_blocks(delegation, "service_delegation", scope):
            name = valued(service, "name", within)
            if isinstance(name, str) and name not in DELEGATIONS:
                what = f"The subnet {_called(instance)} is delegated to {name}, and Azure has no such delegation."
                yield DELEGATION.at(_written(tree, instance, name, service.line), what, instance.environment)


def _written(tree: Tree, instance: Instance, text: str, line: int) -> str:
    """Where the folder writes a text in quotes, else a line of the resource."""
    files = dict.fromkeys(each.file for each in tree.folders[instance.folder].items)
    places = [tree.checkout.line(file, f'"{text}"') for file in files if f'"{text}"' in tree.checkout.text(file)]
    return places[0] if places else instance.item.at(line)


def _share(tree: Tree, instance: Instance) -> Iterator[Finding]:
    quota = instance.get("quota")
    if instance.type != "azurerm_storage_share" or not isinstance(quota, int) or quota >= _SMALLEST_SHARE:
        return
    if instance.get("access_tier") == "Premium":
        what = f"The Premium share {_called(instance)} has {quota} GB; Azure takes none below {_SMALLEST_SHARE}."
        yield SMALL_SHARE.at(told(tree, instance, quota, "quota"), what, instance.environment)


def _burstable(tree: Tree, instance: Instance) -> Iterator[Finding]:
    if instance.type != "azurerm_postgresql_flexible_server":
        return
    size = instance.get("sku_name")
    if not isinstance(size, str) or not size.startswith("B_"):
        return
    for other in tree.instances:
        if _is_replica_of(other, instance):
            what = f"{_called(instance)} is {size} and has the replica {_called(other)}; Burstable servers have none."
            yield BURSTABLE.at(told(tree, instance, size, "sku_name"), what, instance.environment)
    if instance.inner("high_availability"):
        what = f"{_called(instance)} is {size} and has a standby; Burstable servers have none."
        yield BURSTABLE.at(told(tree, instance, size, "sku_name"), what, instance.environment)


def _is_replica_of(other: Instance, server: Instance) -> bool:
    if (other.root, other.environment, other.folder) != (server.root, server.environment, server.folder):
        return False
    if other.scope.bound.get("count", {}).get("index") is UNKNOWN:
        return False
    source = other.item.block.attributes.get("source_server_id")
    return bool(source) and any(".".join(each.path[:2]) == server.item.address for each in source.references)  # type: ignore[union-attr]


def _metrics(tree: Tree, instance: Instance) -> Iterator[Finding]:
    if instance.type != "azurerm_monitor_metric_alert":
        return
    for kind in ("criteria", "dynamic_criteria"):
        for block, scope in instance.inner(kind):
            space, name = valued(block, "metric_namespace", scope), valued(block, "metric_name", scope)
            known = METRICS.get(space) if isinstance(space, str) else None
            # A metric that is told of only once something runs: Azure is asked not to look for it.
            if valued(block, "skip_metric_validation", scope) is True:
                continue
            if known and isinstance(name, str) and name not in known:
                what = f"{_called(instance)} watches {name}, which {space} does not have."
                place = _written(tree, instance, name, block.attributes["metric_name"].line)
                yield UNKNOWN_METRIC.at(place, what, instance.environment)
