"""Stand-in for what Azure answers whoever looks before changing: what one may do where, and which quota is left.

Real are the shapes and the rules of roles; made up are the limits. The client that signs in is an owner of its
subscription, with the data roles that it was given in it. Faults: `permissions` with the last part of a scope takes
the ownership away there (`how`: the role that is left, `Reader` or `Contributor`); `quota` with `region family` leaves
no more than `limit` of it.
"""

import re
from collections.abc import Iterator, Mapping

from workspace.rehearsal import arm_roles
from workspace.rehearsal.arm_answers import Json, Refusal, missing, missing_group
from workspace.rehearsal.arm_types import REGIONS
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Faults

_LIMIT = 350
_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_SIZE = re.compile(r"Standard_([A-Z]+)(\d+)([a-z]*)(_v\d+)?")
_FAMILIES = ("standardBSFamily", "standardDSv3Family", "standardDSv4Family", "standardDSv5Family", "standardFSv2Family")
_NOT_CONTRIBUTORS = ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"]
_SECRETS = "Microsoft.KeyVault/vaults/secrets"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_BLOBS = f"{_CONTAINERS}/blobs"
_SIGN = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
_ROLES: Mapping[str, Mapping[str, list[str]]] = {
    "Owner": {"actions": ["*"]},
    "Contributor": {"actions": ["*"], "notActions": _NOT_CONTRIBUTORS},
    "Reader": {"actions": ["*/read"]},
    "User Access Administrator": {"actions": ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"]},
    "AcrPull": {"actions": ["Microsoft.ContainerRegistry/registries/pull/read"]},
    "AcrPush": {
        "actions": [
            "Microsoft.ContainerRegistry/registries/pull/read",
            "Microsoft.ContainerRegistry/registries/push/write",
        ]
    },
    "DNS Zone Contributor": {"actions": ["Microsoft.Network/dnsZones/*"]},
    "Website Contributor": {"actions": ["Microsoft.Web/sites/*"]},
    "Key Vault Administrator": {"dataActions": ["Microsoft.KeyVault/vaults/*"]},
    "Key Vault Secrets Officer": {"dataActions": [f"{_SECRETS}/*"]},
    "Key Vault Secrets User": {
        "dataActions": [f"{_SECRETS}/getSecret/action", f"{_SECRETS}/readMetadata/action"],
    },
    "Storage Blob Delegator": {"actions": [_SIGN]},
    "Storage Blob Data Contributor": {
        "actions": [f"{_CONTAINERS}/{each}" for each in ("delete", "read", "write")] + [_SIGN],
        "dataActions": [f"{_BLOBS}/{each}" for each in ("delete", "read", "write", "move/action", "add/action")],
    },
    "Storage Blob Data Owner": {
        "dataActions": ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    },
    "Storage Blob Data Reader": {"dataActions": [f"{_BLOBS}/read"]},
}


def permissions(cloud: Cloud, faults: Faults, caller: str, scope: str) -> list[Json]:
    """What the client may do at a scope: one entry for each role it has there; refused where there is no such scope."""
    place = parse(scope)
    if place.group and cloud.get(scope) is None:
        if cloud.get(f"/subscriptions/{place.subscription}/resourceGroups/{place.group}") is None:
            raise missing_group(place.group)
        raise missing(place.type, "/".join(place.names), place.group)
    fault = faults.find("permissions", place.name or place.subscription)
    held = {fault.how if fault and fault.how in _ROLES else "Owner"}
    if fault is None:
        held |= arm_roles.roles_of(cloud, caller, scope)
    return [_told(_ROLES[name]) for name in sorted(held) if name in _ROLES]


def _told(role: Mapping[str, list[str]]) -> Json:
    return {name: role.get(name, []) for name in ("actions", "notActions", "dataActions", "notDataActions")}


def usages(cloud: Cloud, faults: Faults, region: str) -> list[Json]:
    """Cores used and allowed in a region: what the clusters there have, of limits that are made up."""
    spelled = region.lower().replace(" ", "")
    if spelled not in REGIONS:
        text = f"The provided location '{region}' is not available for resource type 'locations/usages'."
        raise Refusal(400, "InvalidLocation", text)
    used = dict.fromkeys(_FAMILIES, 0)
    for cluster in cloud.all(_CLUSTERS):
        if str(cluster.get("location", "")).lower().replace(" ", "") == spelled:
            for family, cores in _cores(cloud, cluster):
                used[family] = used.get(family, 0) + cores
    rows = {"cores": sum(used.values()), **used}
    return [_usage(faults, spelled, name, value) for name, value in rows.items()]


def _usage(faults: Faults, region: str, name: str, used: int) -> Json:
    fault = faults.find("quota", f"{region} {name}")
    limit = int(fault.details.get("limit", 0)) if fault else _LIMIT
    shown = "Total Regional vCPUs" if name == "cores" else f"{name.removeprefix('standard')} vCPUs"
    return {"unit": "Count", "currentValue": used, "limit": limit, "name": {"value": name, "localizedValue": shown}}


def _cores(cloud: Cloud, cluster: Resource) -> Iterator[tuple[str, int]]:
    own = {str(each.get("name")): each for each in (cluster.get("properties") or {}).get("agentPoolProfiles") or []}
    added = {
        parse(each["id"]).name: each["properties"] for each in cloud.under(cluster["id"], f"{_CLUSTERS}/agentPools")
    }
    for pool in {**own, **added}.values():
        found = _SIZE.fullmatch(str(pool.get("vmSize", "")))
        if found:
            series, cores, more, version = found[1], int(found[2]), found[3], (found[4] or "").removeprefix("_")
            features = more.replace("m", "").upper()
            yield (
                f"standard{series}{features}{version}Family",
                cores * int(pool.get("count") or pool.get("minCount") or 1),
            )
