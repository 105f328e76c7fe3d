"""Node pools of managed clusters: one thing with two addresses, in the cluster and below it, as in Azure.

A pool that came with the cluster is kept in its `agentPoolProfiles`; one that was added is a resource of its own. Asked
for, each is seen at both places.
"""

from typing import Any

from workspace.rehearsal import behaviour
from workspace.rehearsal.arm_answers import Json, Refusal
from workspace.rehearsal.cloud import Cloud, parse

CLUSTERS = "Microsoft.ContainerService/managedClusters"
POOLS = f"{CLUSTERS}/agentPools"


def seen(cloud: Cloud, resource: Json) -> Json:
    """A cluster with all its pools; anything else as it is."""
    if parse(resource["id"]).type.lower() != CLUSTERS.lower():
        return resource
    every = [{"name": each["name"], **each["properties"]} for each in pools(cloud, resource["id"])]
    return {**resource, "properties": {**resource["properties"], "agentPoolProfiles": every}}


def pools(cloud: Cloud, cluster_id: str) -> list[Json]:
    """Every pool of a cluster as a resource: its own first, then those that were added."""
    profiles = _profiles(cloud, cluster_id)
    added = [each for each in cloud.under(cluster_id, POOLS) if parse(each["id"]).name.lower() not in profiles]
    return [*(_resource(cluster_id, each) for each in profiles.values()), *added]


def pool(cloud: Cloud, resource_id: str) -> Json | None:
    """A pool that came with its cluster, as a resource; None when there is none of that id."""
    if not is_pool_of_its_cluster(cloud, resource_id):
        return None
    cluster_id = _cluster_of(resource_id)
    return _resource(cluster_id, _profiles(cloud, cluster_id)[parse(resource_id).name.lower()])


def is_pool_of_its_cluster(cloud: Cloud, resource_id: str) -> bool:
    """True for the id of a pool that came with its cluster."""
    place = parse(resource_id)
    return place.type.lower() == POOLS.lower() and place.name.lower() in _profiles(cloud, _cluster_of(resource_id))


def put_pool(cloud: Cloud, resource: Json) -> Json:
    """Change a pool that came with its cluster."""
    cluster = cloud.get(_cluster_of(resource["id"])) or {}
    name = parse(resource["id"]).name
    changed = {**resource["properties"], "name": name}
    profiles = cluster["properties"]["agentPoolProfiles"]
    cluster["properties"]["agentPoolProfiles"] = [
        changed if each["name"].lower() == name.lower() else each for each in profiles
    ]
    cloud.put(cluster)
    return _resource(cluster["id"], changed)


def check_last_pool(cloud: Cloud, resource_id: str) -> None:
    """Refuse to delete the last pool that can hold the cluster's own pods."""
    others = [each for each in pools(cloud, _cluster_of(resource_id)) if each["id"].lower() != resource_id.lower()]
    if not any(str(each["properties"].get("mode") or "System").lower() == "system" for each in others):
        text = "There has to be at least one system node pool in an AKS cluster."
        raise Refusal(400, "OperationNotAllowed", text, bare=True)


def remove_pool(cloud: Cloud, resource_id: str) -> None:
    """Take a pool that came with its cluster out of it."""
    cluster = cloud.get(_cluster_of(resource_id))
    if cluster is None or not is_pool_of_its_cluster(cloud, resource_id):
        return
    name, profiles = parse(resource_id).name.lower(), cluster["properties"]["agentPoolProfiles"]
    cluster["properties"]["agentPoolProfiles"] = [each for each in profiles if each["name"].lower() != name]
    cloud.put(cluster)


def _profiles(cloud: Cloud, cluster_id: str) -> dict[str, dict[str, Any]]:
    cluster = cloud.get(cluster_id) or {}
    listed = (cluster.get("properties") or {}).get("agentPoolProfiles") or []
    return {str(each.get("name", "")).lower(): each for each in listed}


def _cluster_of(resource_id: str) -> str:
    return resource_id.rsplit("/", 2)[0]


def _resource(cluster_id: str, profile: Json) -> Json:
    properties = {name: value for name, value in profile.items() if name != "name"}
    return behaviour.complete({"id": f"{cluster_id}/agentPools/{profile['name']}", "properties": properties})
