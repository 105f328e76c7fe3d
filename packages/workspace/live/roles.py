"""What we may: the actions that a plan needs, scope by scope, against the permissions that Azure says we have there."""

import fnmatch
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workspace.errors import Broken
from workspace.live.needs import Needs
from workspace.node import Kind, Node
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import DATA_ROLE, ROLE

_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/write"
_VAULTS, ZONES = "Microsoft.KeyVault/vaults", "Microsoft.Network/dnsZones"
_REGISTRIES = "Microsoft.ContainerRegistry/registries"
_VAULT_VERSION = "2023-07-01"
_IN_POLICIES: Mapping[str, str] = {f"{_VAULTS}/secrets/getSecret/action": "get"}
_WIDE = "Contributor"
_ASSIGNS = "Role Based Access Control Administrator"
_SHOWN = 3
# The smallest role that is made for an action, the first that fits.
_ROLES: Sequence[tuple[str, str]] = (
    ("Microsoft.Authorization/*", _ASSIGNS),
    (f"{ZONES}/*", "DNS Zone Contributor"),
    (f"{_REGISTRIES}/push/write", "AcrPush"),
    (f"{_REGISTRIES}/pull/read", "AcrPull"),
    ("Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action", "Storage Blob Delegator"),
    (f"{_VAULTS}/secrets/getSecret/action", "Key Vault Secrets User"),
    (f"{_VAULTS}/secrets/setSecret/action", "Key Vault Secrets Officer"),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*", "Storage Blob Data Contributor"),
    (
        "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
        "Azure Kubernetes Service Cluster User Role",
    ),
    ("Microsoft.Web/sites/*", "Website Contributor"),
    ("*", _WIDE),
)
_OF_KIND: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEMPLATE: ("Microsoft.Resources/deployments/write", "Microsoft.Resources/deployments/whatIf/action"),
    Kind.APP: ("Microsoft.Web/sites/publish/action", "Microsoft.Web/sites/slots/slotsswap/action"),
    Kind.SITE: ("Microsoft.Web/staticSites/zipdeploy/action",),
    Kind.BINDING: ("Microsoft.Web/sites/hostNameBindings/write", "Microsoft.Web/certificates/write"),
}


@dataclass
class Wanted:
    """What is done at one scope: actions, and those on data."""

    actions: set[str] = field(default_factory=set)
    data: set[str] = field(default_factory=set)


def wanted(needs: Needs, inspection: Any) -> Mapping[str, Wanted]:
    """By scope, all that a plan does there; the group of a resource stands for it where it need not be there yet."""
    found: dict[str, Wanted] = defaultdict(Wanted)
    for node in needs.own:
        group = needs.group(node)
        if group:
            kinds = {f"{each}/write" for each in needs.types(node)}
            found[inspection.group_id(group)].actions |= kinds | set(_OF_KIND.get(node.kind, ()))
    _cluster(needs, inspection, found)
    _registry(needs, inspection, found)
    _records(needs, inspection, found)
    for vault, group in _vaults(needs):
        found[f"{inspection.group_id(group)}/providers/{_VAULTS}/{vault}"].data.add(
            f"{_VAULTS}/secrets/getSecret/action"
        )
    return {scope: each for scope, each in found.items() if each.actions or each.data}


def check(inspection: Any, scope: str, asked: Wanted) -> Iterator[Finding]:
    """The roles that are missing at one scope, each with the actions that want it."""
    told = inspection.permissions(scope)
    actions = set(asked.actions)
    if told is None and "/providers/" in scope:
        return  # what is not there yet is made by the plan, and its roles with it
    if told is None:
        told, actions = inspection.permissions() or (), actions | {_GROUPS}
    yield from _missing(ROLE, scope, {each for each in actions if not _allows(told, each)})
    if asked.data and f"/providers/{_VAULTS}/" in scope and (policies := _policies(inspection, scope)) is not None:
        yield from _left_out(inspection, scope, asked.data, policies)
        return
    yield from _missing(DATA_ROLE, scope, {each for each in asked.data if not _allows(told, each, data=True)})


def _policies(inspection: Any, vault: str) -> Sequence[Mapping[str, Any]] | None:
    """The access policies of a vault that is opened by them; None for one that is opened by roles."""
    properties = (inspection.resource(vault, _VAULT_VERSION) or {}).get("properties") or {}
    return None if properties.get("enableRbacAuthorization") else properties.get("accessPolicies") or ()


def _left_out(
    inspection: Any, vault: str, data: Iterable[str], policies: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """What no access policy lets us do. Broken where one names somebody else: it may be a group that we are in."""
    us = str(inspection.caller().object_id).lower()
    for action in sorted(data):
        permission = _IN_POLICIES[action]
        named = {str(each.get("objectId", "")).lower() for each in policies if _gives(each, permission)}
        if us in named:
            continue
        name = vault.rpartition("/")[2]
        if named:
            raise Broken(
                f"access policies open {name}, the roles on it count for nothing, and they let {len(named)} others "
                f"{permission} secrets; whether one of these is a group of ours is not known"
            )
        told = f"We may not {permission} secrets: access policies open {name}, and none lets us; roles on it do not."
        yield DATA_ROLE.at(vault, told)


def _gives(policy: Mapping[str, Any], permission: str) -> bool:
    told = (policy.get("permissions") or {}).get("secrets") or ()
    return bool({str(each).lower() for each in told} & {permission, "all"})


def _missing(rule: Any, scope: str, actions: set[str]) -> Iterator[Finding]:
    by_role: dict[str, list[str]] = defaultdict(list)
    for each in sorted(actions):
        by_role[_role(each)].append(each)
    if rule is ROLE and _WIDE in by_role:
        narrow = [role for role in by_role if role not in (_WIDE, _ASSIGNS)]
        by_role[_WIDE] = sorted([*by_role[_WIDE], *(each for role in narrow for each in by_role.pop(role))])
    for role, its in sorted(by_role.items()):
        more = f" and {len(its) - _SHOWN} more" if len(its) > _SHOWN else ""
        yield rule.at(scope, f"We may not {', '.join(its[:_SHOWN])}{more}; the role {role} on {scope} allows it.")


def _role(action: str) -> str:
    return next(role for pattern, role in _ROLES if fnmatch.fnmatchcase(action.lower(), pattern.lower()))


def _allows(permissions: Any, action: str, *, data: bool = False) -> bool:
    from workspace.clients.inspection import allows

    return allows(permissions, action, data=data)


def _cluster(needs: Needs, inspection: Any, found: dict[str, Wanted]) -> None:
    cluster = needs.cluster()
    if cluster and needs.of_kind(Kind.WORKLOAD, Kind.SECRET, Kind.CERTIFICATE):
        action = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
        found[inspection.group_id(cluster[0])].actions.add(action)


def _registry(needs: Needs, inspection: Any, found: dict[str, Wanted]) -> None:
    if not needs.of_kind(Kind.IMAGE):
        return
    for node, name in owners(needs, _REGISTRIES):
        scope = f"{inspection.group_id(needs.group(node))}/providers/{_REGISTRIES}/{name}"
        found[scope].actions |= {f"{_REGISTRIES}/push/write", f"{_REGISTRIES}/pull/read"}


def _records(needs: Needs, inspection: Any, found: dict[str, Wanted]) -> None:
    for node, name in owners(needs, ZONES):
        scope = f"{inspection.group_id(needs.group(node))}/providers/{ZONES}/{name}"
        kinds = {str(each.settings.get("type")) for each in needs.of_kind(Kind.RECORD)}
        found[scope].actions |= {f"{ZONES}/{kind}/write" for kind in kinds}


def owners(needs: Needs, kind: str) -> Iterator[tuple[Node, str]]:
    """The nodes that own something of a type, with its name; those of the world are among them."""
    for node in needs.nodes.values():
        for owned in node.owns:
            if owned.startswith(f"{kind} "):
                yield node, owned.partition(" ")[2]


def _vaults(needs: Needs) -> Iterator[tuple[str, str]]:
    """The vaults whose secrets are read, with their groups."""
    for node in needs.of_kind(Kind.SECRET):
        for key in (node.settings.get("keys") or {}).values():
            vault = key.get("vault")
            stack = needs.nodes.get(getattr(vault, "node", ""))
            name = needs.known(vault)
            if stack and name:
                yield name, needs.group(stack)
