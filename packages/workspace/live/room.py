"""Whether there is room for what is made: providers that are registered, cores that are left, names that are free."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workspace.errors import Broken
from workspace.live.needs import Needs, Pool, pools
from workspace.node import Kind
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import GROWTH, PROVIDER, QUOTA, SOFT_DELETED, TAKEN

_SIZE = re.compile(r"Standard_([A-Z]+?)(\d+)(?:-\d+)?([a-z]*)(?:_(v\d+))?", re.IGNORECASE)
_CLUSTERS, _CLUSTER_VERSION = "Microsoft.ContainerService/managedClusters", "2024-09-01"
_ALWAYS = {"microsoft.authorization", "microsoft.resources"}


def providers(needs: Needs, inspection: Any) -> Iterator[Finding]:
    """The providers of what the plan makes that are not registered."""
    used = {each.partition("/")[0] for node in needs.of_kind(Kind.STACK, Kind.TEMPLATE) for each in needs.types(node)}
    states = inspection.providers()
    for each in sorted(used):
        state = states.get(each.lower(), "unknown")
        if each.lower() not in _ALWAYS and state.lower() != "registered":
            place = f"/subscriptions/{inspection.subscription_id}/providers/{each}"
            yield PROVIDER.at(place, f"{each} is not registered in the subscription (it is {state}).")


def names(inspection: Any, kind: str, wanted: Iterable[str]) -> Iterator[Finding]:
    """The names of a type that somebody else has, or that something deleted holds."""
    ours = inspection.resources()
    deleted = {each.name.lower(): each for each in inspection.deleted(kind)} if inspection.is_kept(kind) else {}
    for name in wanted:
        if (kind.lower(), name.lower()) in ours:
            continue
        place = f"{kind}/{name}"
        if kept := deleted.get(name.lower()):
            until = f" until {kept.until}" if kept.until else ""
            how = "recover it, as it is protected from purging" if kept.protected else "recover or purge it"
            yield SOFT_DELETED.at(place, f"{name} was deleted in {kept.region} and holds its name{until}: {how}.")
        elif inspection.is_shared(kind) and not (told := inspection.availability(kind, name)).available:
            yield TAKEN.at(place, f"The name {name} cannot be had: {told.reason or 'somebody has it'}")


def family(size: str) -> tuple[str, int]:
    """The family that a size counts in, in small letters, and its cores; broken for a size that is none."""
    found = _SIZE.fullmatch(size)
    if found is None:
        raise Broken(f"{size} is no size of a machine whose cores are known.")
    series, cores, more, version = found.groups()
    features = more.lower().replace("m", "").replace("i", "")
    return f"standard{series}{features}{version or ''}family".lower(), int(cores)


def quota(needs: Needs, inspection: Any) -> Iterator[Finding]:
    """The families of which fewer cores are left than the cluster asks for beyond what it has."""
    cluster = needs.cluster()
    if cluster is None or not needs.region:
        return
    group, name, variables = cluster
    usages = {each.name.lower(): each for each in inspection.usages(needs.region)}
    has = _cores(_existing(inspection, f"{inspection.group_id(group)}/providers/{_CLUSTERS}/{name}"), least=True)
    asked = pools(variables)
    place = f"/subscriptions/{inspection.subscription_id}/providers/Microsoft.Compute/locations/{needs.region}"
    for key in sorted(_cores(asked, least=True)):
        usage = usages.get(key)
        if usage is None:
            raise Broken(f"{needs.region} says nothing of {key}, which {name} has machines of.")
        left = usage.limit - usage.used
        least, most = (max(0, _cores(asked, least=each)[key] - has[key]) for each in (True, False))
        told = f"of {usage.name} in {needs.region} {left} cores are left ({usage.used} of {usage.limit} are used)"
        if least > left:
            yield QUOTA.at(place, f"{name} needs {least} cores more at least, and {told}.")
        elif most > left:
            yield GROWTH.at(place, f"{name} may grow by {most} cores, and {told}.")


def _existing(inspection: Any, cluster: str) -> tuple[Pool, ...]:
    found: Mapping[str, Any] = inspection.resource(cluster, _CLUSTER_VERSION) or {}
    told = (found.get("properties") or {}).get("agentPoolProfiles") or []
    return tuple(Pool(str(each.get("vmSize")), *[int(each.get("count") or 0)] * 2) for each in told)


def _cores(asked: Iterable[Pool], *, least: bool) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in asked:
        key, cores = family(each.size)
        count = cores * (each.least if least else each.most)
        found[key] += count
        found["cores"] += count
    return found
