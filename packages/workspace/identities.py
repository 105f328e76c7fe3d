"""What a node touches, told apart from everything that may have the same name: who is asked for it, and what answers.

Names and addresses can lead elsewhere after a mistake; these answers cannot. Which they are follows from the kind of a
node and its settings alone. What a group is, Azure tells only by its id; of a zone it tells the name servers, too,
which are drawn when the zone is made; a vault or a registry has the moment it was made.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from workspace.kinds import stack
from workspace.node import Kind, Node
from workspace.work import Work

_ZONES = "Microsoft.Network/dnsZones"
_ZONE_VERSION = "2018-05-01"
_VAULTS = "Microsoft.KeyVault/vaults"
_REGISTRIES = "Microsoft.ContainerRegistry/registries"
_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_GROUPS = "Microsoft.Resources/resourceGroups"
_GROUP_VERSION = "2022-09-01"
_NAMED = re.compile(r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/([^/]+/[^/]+)/([^/]+)$", re.IGNORECASE)
_MAKING = ("create ", "replace ")
_ANNOUNCED = {
    _GROUPS: ("azurerm_resource_group.", "resource group "),
    _CLUSTERS: ("azurerm_kubernetes_cluster.",),
    _ZONES: ("azurerm_dns_zone.",),
    _REGISTRIES: ("azurerm_container_registry.",),
    _VAULTS: ("azurerm_key_vault.",),
}


class What(StrEnum):
    """What sort of thing is told apart."""

    TENANT = "tenant"
    SUBSCRIPTION = "subscription"
    GROUP = "group"
    CLUSTER = "cluster"
    ZONE = "zone"
    STATE = "state"
    REGISTRY = "registry"
    VAULT = "vault"


@dataclass(frozen=True)
class Identity:
    """One thing, by what it is and by the names that lead to it, the last of them its own."""

    what: What
    names: tuple[str, ...]

    @property
    def place(self) -> str:
        """The names as people read them: `mystira-dev-aks in mystira-dev-rg`."""
        return " in ".join(reversed(self.names))

    @property
    def is_declared(self) -> bool:
        """True for what the addresses say themselves, so that it is wrong from the first run on."""
        return self.what in (What.TENANT, What.SUBSCRIPTION)


def touched(work: Work, addresses: Any) -> tuple[Identity, ...]:
    """Everything that the step of a node may write to, or takes what it writes from; nothing where it only reads."""
    own = tuple(dict.fromkeys(_TOUCHED.get(work.node.kind, _nothing)(work, addresses)))
    if not own:
        return ()
    asked = str((work.settings.get("variables") or {}).get("subscription_id") or addresses.subscription)
    return Identity(What.TENANT, (asked,)), Identity(What.SUBSCRIPTION, (asked,)), *own


def is_made_by(identity: Identity, node: Node) -> bool:
    """Whether that thing is one of those this node makes, so that another one after its step may be no surprise."""
    if identity.what not in _TYPES:
        return False
    name = _registry_name(identity.names[-1]) if identity.what is What.REGISTRY else identity.names[-1]
    return f"{_TYPES[identity.what]} {name}".lower() in {each.lower() for each in node.owns}


def announces(changes: Iterable[str], identity: Identity) -> bool:
    """Whether a preview says that such a thing is made, anew or for the first time."""
    words = _ANNOUNCED.get(_TYPES.get(identity.what, ""), ())
    return any(each.startswith(_MAKING) and any(word in each for word in words) for each in changes)


def read(identity: Identity, work: Work, outside: Any) -> str:
    """What answers there now, in words that are the same as long as it is the same; empty where nothing is.

    Reads only. Raises what the client says when nobody can tell.
    """
    return _READERS[identity.what](identity, work, outside)


def renew(identity: Identity, outside: Any) -> None:
    """Forget what was kept to speak to it, once it may have been made anew."""
    if identity.what is What.CLUSTER:
        outside.forget_cluster(*identity.names)


# What each kind touches.


def _nothing(_: Work, __: Any) -> Iterator[Identity]:
    return iter(())


def _stack(work: Work, _: Any) -> Iterator[Identity]:
    variables: Mapping[str, Any] = work.settings.get("variables") or {}
    if group := variables.get("resource_group_name"):
        yield Identity(What.GROUP, (str(group),))
    yield Identity(What.STATE, (str(work.settings["root"]),))
    for text in _texts(variables):
        found = _NAMED.match(text)
        if found and found[1].lower() == _VAULTS.lower():
            yield Identity(What.VAULT, (found[2],))
        if found and found[1].lower() == _REGISTRIES.lower():
            yield Identity(What.REGISTRY, (found[2].lower(),))


def _grouped(work: Work, _: Any) -> Iterator[Identity]:
    yield Identity(What.GROUP, (str(work.settings["group"]),))


def _image(_: Work, addresses: Any) -> Iterator[Identity]:
    yield Identity(What.REGISTRY, (str(addresses.registry_name),))


def _in_cluster(work: Work, _: Any) -> Iterator[Identity]:
    where = work.settings["cluster"]
    yield Identity(What.CLUSTER, (str(where["group"]), str(where["name"])))


def _secret(work: Work, addresses: Any) -> Iterator[Identity]:
    yield from _in_cluster(work, addresses)
    for source in work.settings["keys"].values():
        if source.get("vault"):
            yield Identity(What.VAULT, (str(source["vault"]),))


def _record(work: Work, _: Any) -> Iterator[Identity]:
    yield Identity(What.ZONE, (str(work.settings["group"]), str(work.settings["zone"])))


_TOUCHED: Mapping[Kind, Callable[[Work, Any], Iterator[Identity]]] = {
    Kind.STACK: _stack,
    Kind.TEMPLATE: _grouped,
    Kind.APP: _grouped,
    Kind.SITE: _grouped,
    Kind.BINDING: _grouped,
    Kind.IMAGE: _image,
    Kind.WORKLOAD: _in_cluster,
    Kind.SECRET: _secret,
    Kind.RECORD: _record,
}
_TYPES = {
    What.GROUP: _GROUPS,
    What.CLUSTER: _CLUSTERS,
    What.ZONE: _ZONES,
    What.REGISTRY: _REGISTRIES,
    What.VAULT: _VAULTS,
}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


# What answers.


def _read_subscription(identity: Identity, _: Work, outside: Any) -> str:
    return str(outside.arm.subscription(identity.names[-1])[0]).lower()


def _read_tenant(identity: Identity, _: Work, outside: Any) -> str:
    return str(outside.arm.subscription(identity.names[-1])[1]).lower()


def _read_group(identity: Identity, _: Work, outside: Any) -> str:
    found = outside.arm.resource(_group_id(outside, identity.names[0]), _GROUP_VERSION)
    return _id(found)


def _read_zone(identity: Identity, _: Work, outside: Any) -> str:
    group, zone = identity.names
    found = outside.arm.resource(f"{_group_id(outside, group)}/providers/{_ZONES}/{zone}", _ZONE_VERSION)
    if not found:
        return ""
    servers = sorted(str(each).rstrip(".").lower() for each in (found.get("properties") or {}).get("nameServers") or ())
    return f"{_id(found)} at {', '.join(servers)}"


def _read_cluster(identity: Identity, _: Work, outside: Any) -> str:
    """The UID of its namespace kube-system, read with the credentials that are written with."""
    if outside.managed_clusters.cluster(*identity.names) is None:
        return ""
    return str(outside.cluster(*identity.names).identity())


def _read_state(_: Identity, work: Work, outside: Any) -> str:
    return stack.lineage(work, outside)


def _read_vault(identity: Identity, _: Work, outside: Any) -> str:
    return _made(outside.arm.named(_VAULTS, identity.names[-1]))


def _read_registry(identity: Identity, _: Work, outside: Any) -> str:
    """The registry in the subscription, and where it is asked, if that is anywhere but at its own name."""
    host = identity.names[-1]
    found = _made(outside.arm.named(_REGISTRIES, _registry_name(host)))
    asked = urlsplit(str(outside.addresses.registry))
    is_here = asked.hostname in ("127.0.0.1", "localhost", "::1")
    if "." not in host or is_here or asked.netloc.lower() == host.lower():
        return found
    return f"{found or 'no registry of this subscription'}, asked at {asked.netloc}"


def _registry_name(host: str) -> str:
    """`mystiraacr` of `mystiraacr.azurecr.io`, and of a name that Azure made longer to keep it to one tenant."""
    return host.partition(".")[0].partition("-")[0].lower()


def _group_id(outside: Any, group: str) -> str:
    return f"/subscriptions/{outside.addresses.subscription}/resourceGroups/{group}"


def _id(found: Mapping[str, Any] | None) -> str:
    return str(found["id"]).lower() if found else ""


def _made(found: Mapping[str, Any] | None) -> str:
    at = str((found or {}).get("createdTime") or "")
    return f"{_id(found)}, made {at}" if at else _id(found)


_READERS: Mapping[What, Callable[[Identity, Work, Any], str]] = {
    What.TENANT: _read_tenant,
    What.SUBSCRIPTION: _read_subscription,
    What.GROUP: _read_group,
    What.ZONE: _read_zone,
    What.CLUSTER: _read_cluster,
    What.STATE: _read_state,
    What.VAULT: _read_vault,
    What.REGISTRY: _read_registry,
}
