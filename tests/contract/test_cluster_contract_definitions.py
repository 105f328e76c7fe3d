"""Our own definitions against every kind of cluster: taken as they are, ready, and then nothing left to change."""

import copy
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from clusters_here import NAMED, REAL, Place
from workspace import manifests
from workspace.clients.cluster import Cluster
from workspace.clients.kustomize import Kustomize

Body = dict[str, Any]

OVERLAYS = Path(__file__).parents[2] / "infra" / "kubernetes" / "overlays"
ENVIRONMENTS = ("dev", "staging", "prod")
NAMES = ("gateway", "cert-manager", "chain", "publisher", "story-generator")
SERVICES = ("chain", "publisher", "story-generator")
EXTERNAL = ("quay.io/jetstack/",)
KUSTOMIZE = Kustomize(engines=["pykustomize", "kubectl", "kustomize"])
SECONDS = 90.0
# What a plain control plane of that age does not serve, and why; anything else that is not served fails.
NOT_SERVED = {
    ("policy/v1", "PodDisruptionBudget"): (21, "only policy/v1beta1"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): (23, "only autoscaling/v1 and v2beta2"),
}
# What the promotion puts in from what other parts give.
VALUES = {
    name: [{"kind": "ConfigMap", "name": f"mystira-{name}-config", "path": "data.key_vault_url", "value": "https://v"}]
    for name in ("publisher", "story-generator")
}
MIXED = (24, "a load balancer of one protocol only")
BROUGHT_BY_AKS = ("gateway.networking.k8s.io/v1",)
pytestmark = pytest.mark.ours("it makes namespaces and definitions of the workspace's own names")


@pytest.fixture(scope="module")
def cluster(cluster_place: Place) -> Iterator[Cluster]:
    if cluster_place.name == NAMED:
        pytest.skip("not asked of a cluster of somebody's: it makes the workspace's own namespaces")
    yield cluster_place.client()
    for each in (*(f"mystira-{name}" for name in ENVIRONMENTS), "cert-manager"):
        cluster_place.ask("DELETE", f"/api/v1/namespaces/{each}")


def objects_of(environment: str, name: str) -> list[Body]:
    """The overlay's objects, its images pinned to a digest."""
    return copy.deepcopy(_rendered(environment, name))


@lru_cache
def _rendered(environment: str, name: str) -> list[Body]:
    images = {name: f"mystiraacr.azurecr.io/{name}@sha256:{'a' * 64}"} if name in SERVICES else {}
    external = EXTERNAL if name == "cert-manager" else ()
    pinned = manifests.pinned(KUSTOMIZE.render(OVERLAYS / environment / name), images, external)
    return manifests.with_values(pinned, VALUES.get(name, ()))


def served(place: Place, objects: list[Body], record: Any) -> list[Body]:
    """The objects whose kind is served here; every other one is declared, and told in the report."""
    kept = []
    for each in objects:
        version, kind = each["apiVersion"], each["kind"]
        since, why = NOT_SERVED.get((version, kind), (0, ""))
        if place.minor < since:
            record("not served", f"{kind} of {version}: {why} before 1.{since}")
        elif place.minor < MIXED[0] and is_mixed(each):
            record("not served", f"Service {each['metadata']['name']}: {MIXED[1]} before 1.{MIXED[0]}")
        elif place.name == REAL and version in BROUGHT_BY_AKS:
            record("not served", f"{kind} of {version}: AKS brings its definition")
        else:
            kept.append(each)
    return kept


def is_mixed(thing: Body) -> bool:
    """Whether it is a load balancer for several protocols."""
    spec = thing.get("spec") or {}
    balanced = thing["kind"] == "Service" and spec.get("type") == "LoadBalancer"
    return balanced and len({each.get("protocol", "TCP") for each in spec["ports"]}) > 1


def secrets_of(objects: list[Body]) -> dict[str, dict[str, str]]:
    """The secrets that containers name, with a value for each key."""
    found: dict[str, dict[str, str]] = {}
    for container in (c for each in objects for c in _containers(each)):
        for variable in container.get("env") or []:
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if reference:
                found.setdefault(reference["name"], {})[reference["key"]] = "x"
    return found


def _containers(thing: Body) -> list[Body]:
    spec = (
        ((thing.get("spec") or {}).get("template") or {}).get("spec") or {}
        if isinstance(thing.get("spec"), dict)
        else {}
    )
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


# cert-manager is the same in every environment, and large.
CASES = [(each, name) for name in NAMES for each in ENVIRONMENTS if name != "cert-manager" or each == "dev"]


def test_cert_manager_is_the_same_in_every_environment() -> None:
    assert objects_of("dev", "cert-manager") == objects_of("staging", "cert-manager")
    assert objects_of("dev", "cert-manager") == objects_of("prod", "cert-manager")


@pytest.mark.parametrize(("environment", "name"), CASES)
def test_an_overlay_is_taken_as_it_is_and_then_nothing_is_left_to_change(
    place: Place, cluster: Cluster, environment: str, name: str, record_property: Any
) -> None:
    objects = served(place, [*objects_of(environment, "namespace"), *objects_of(environment, name)], record_property)
    cluster.apply(objects)
    assert cluster.differences(objects) == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_ours_rolls_out(place: Place, cluster: Cluster, name: str, record_property: Any) -> None:
    cluster.apply(served(place, objects_of("dev", "namespace"), record_property))
    objects = served(place, objects_of("dev", name), record_property)
    for secret, values in secrets_of(objects).items():
        cluster.write_secret("mystira-dev", secret, values)
    cluster.apply(objects)
    workloads = [each for each in objects if each["kind"] in ("Deployment", "StatefulSet")]
    provide_volumes(place, workloads)
    for live in cluster.wait_ready(workloads, SECONDS):
        running = cluster.running_images(live)
        assert set(running) == {each["name"] for each in live["spec"]["template"]["spec"]["containers"]}
        assert set(running.values()) == {frozenset({f"sha256:{'a' * 64}"})}


def provide_volumes(place: Place, workloads: list[Body]) -> None:
    """Volumes for the claims of StatefulSets: a control plane without a cloud has nobody who makes them."""
    if place.name != REAL:
        return
    for thing in workloads:
        for number in range(thing["spec"].get("replicas", 1)):
            for claim in thing["spec"].get("volumeClaimTemplates") or []:
                metadata = {"name": f"{claim['metadata']['name']}-{thing['metadata']['name']}-{number}"}
                wanted = {"name": metadata["name"], "namespace": thing["metadata"]["namespace"]}
                spec = {
                    "capacity": {"storage": "1Ti"},
                    "accessModes": claim["spec"]["accessModes"],
                    "storageClassName": claim["spec"].get("storageClassName", ""),
                    "hostPath": {"path": "/nowhere"},
                    "claimRef": wanted,
                }
                volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
                answer = place.ask("POST", "/api/v1/persistentvolumes", volume)
                assert answer.status in (201, 409), answer.text
