"""The workload kind against a cluster and a renderer made of plain values."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import workload
from workspace.node import Kind, Node, Stage
from workspace.work import Certainty, Outcome, Preview, Work

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REFERENCE = f"registry.example/web@{DIGEST}"
SETTINGS = {
    "cluster": {"group": "shop", "name": "shop-aks"},
    "overlay": "overlays/dev/web",
    "namespace": "shop",
    "images": {"web": REFERENCE},
}


def deployment() -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": "web", "image": "web"}]}}}
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


class Renderer:
    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = list(objects)

    def render(self, folder: Path, say: Any = None) -> list[dict[str, Any]]:
        assert folder == Path("/sources/overlays/dev/web")
        return self.objects


class Cluster:
    """Holds what was applied; everything that is there is ready."""

    def __init__(self, running: str = DIGEST, guess: bool = False, **status: Any) -> None:
        self.applied: list[dict[str, Any]] = []
        self.undone: list[str] = []
        self.waited: list[str] = []
        self.failed: list[str] = []
        self._running, self._guess, self._status = running, guess, status

    def differences(self, objects: Sequence[dict[str, Any]]) -> list[Any]:
        new = [each for each in objects if each not in self.applied]
        return [Change(f"create {each['kind']} {each['metadata']['name']}", self._guess) for each in new]

    def apply(self, objects: Sequence[dict[str, Any]], say: Any) -> list[Any]:
        done = self.differences(objects)
        self.applied = list(objects)
        return done

    def wait_ready(self, objects: Sequence[dict[str, Any]], deadline: float, say: Any) -> list[dict[str, Any]]:
        self.waited = [each["kind"] for each in objects]
        return [{**each, "status": self._status} for each in objects]

    def revive(self, objects: Any, say: Any, announce: Any) -> list[str]:
        revived, self.failed = self.failed, []
        return revived

    def running_images(self, thing: Any) -> dict[str, frozenset[str]]:
        return {"web": frozenset({self._running})}

    def undo(self, kind: str, namespace: str, name: str) -> str:
        self.undone.append(f"{kind} {namespace}/{name}")
        return f"{kind} {namespace}/{name} is back at revision 1" if len(self.undone) == 1 else ""


class Change(SimpleNamespace):
    def __init__(self, text: str, is_guess: bool) -> None:
        super().__init__(text=text, is_guess=is_guess)

    def __str__(self) -> str:
        return str(self.text)


def outside(cluster: Cluster, *objects: dict[str, Any]) -> Any:
    def find(group: str, name: str) -> Cluster:
        assert (group, name) == ("shop", "shop-aks")
        return cluster

    return SimpleNamespace(kustomize=Renderer(*(objects or (deployment(),))), cluster=find)


def work(**settings: Any) -> Work:
    node = Node("web-rollout", Kind.WORKLOAD, Stage.CLUSTER_ROLLOUT)
    return Work(node, Environment("dev"), {**SETTINGS, **settings}, Path("/nowhere"), Path("/sources"))


def test_a_preview_tells_the_changes_and_what_it_previewed() -> None:
    found = workload.preview(work(), outside(Cluster()))
    assert found.changes == ("create Deployment web",)
    assert found.certainty is Certainty.EXACT
    assert found.plan.startswith("sha256:")


def test_a_preview_is_deferred_where_the_cluster_could_not_be_asked() -> None:
    assert workload.preview(work(), outside(Cluster(guess=True))).certainty is Certainty.DEFERRED


def test_applying_pins_the_image_and_a_second_time_changes_nothing() -> None:
    cluster = Cluster()
    around = outside(cluster)
    first = workload.apply(work(), workload.preview(work(), around), around)
    assert cluster.applied[0]["spec"]["template"]["spec"]["containers"][0]["image"] == REFERENCE
    second = workload.apply(work(), workload.preview(work(), around), around)
    assert (first.outcome, second.outcome) == (Outcome.CHANGED, Outcome.UNCHANGED)
    assert first.content == second.content == DIGEST


def test_pods_that_failed_before_are_started_anew_although_nothing_else_changed() -> None:
    cluster = Cluster()
    around = outside(cluster)
    workload.apply(work(), Preview(), around)
    cluster.failed = ["web-1"]
    again = workload.apply(work(), workload.preview(work(), around), around)
    assert (again.outcome, again.detail) == (
        Outcome.CHANGED,
        "1 objects were as they should be, started 1 failed pods anew",
    )


def test_an_overlay_that_changed_since_its_preview_is_refused() -> None:
    around = outside(Cluster())
    seen = workload.preview(work(), around)
    around.kustomize.objects[0]["metadata"]["labels"] = {"new": "yes"}
    with pytest.raises(Refused, match="preview it again"):
        workload.apply(work(), seen, around)


def test_an_object_of_another_namespace_is_refused() -> None:
    stranger = deployment()
    stranger["metadata"]["namespace"] = "elsewhere"
    with pytest.raises(Refused, match="namespace elsewhere; it may only touch shop"):
        workload.preview(work(), outside(Cluster(), stranger))


def test_a_config_key_nobody_sets_is_refused() -> None:
    thing = deployment()
    source = {"configMapKeyRef": {"name": "settings", "key": "url"}}
    thing["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "URL", "valueFrom": source}]
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {},
    }
    with pytest.raises(Refused, match="is a rule missing under `set`"):
        workload.preview(work(), outside(Cluster(), thing, config))
    rule = {"kind": "ConfigMap", "name": "settings", "path": "data.url", "value": "https://example.org"}
    assert workload.preview(work(set=[rule]), outside(Cluster(), thing, config)).changes


def test_verifying_gives_the_images_and_the_address() -> None:
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge"}}
    around = outside(Cluster(addresses=[{"value": "203.0.113.9"}]), deployment(), gateway)
    first = workload.apply(work(), Preview(), around)
    done = workload.verify(work(), first, around)
    assert done.gives == {"images": {"web": REFERENCE}, "objects": 2, "address": "203.0.113.9"}


def test_a_certificate_is_left_to_the_node_that_waits_for_it() -> None:
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "web-tls"}}
    cluster = Cluster()
    around = outside(cluster, deployment(), certificate)
    done = workload.verify(work(), workload.apply(work(), Preview(), around), around)
    assert (done.gives["objects"], cluster.waited) == (2, ["Deployment"])


def test_a_gateway_without_address_is_unsettled() -> None:
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge"}}
    around = outside(Cluster(), deployment(), gateway)
    with pytest.raises(Unsettled, match="has no address yet"):
        workload.verify(work(), workload.apply(work(), Preview(), around), around)


def test_a_pod_that_runs_another_digest_is_named() -> None:
    around = outside(Cluster(running=OTHER))
    with pytest.raises(Broken, match="container web of Deployment shop/web does not run"):
        workload.verify(work(), workload.apply(work(), Preview(), around), around)


def test_an_undo_takes_back_each_workload_and_is_harmless_twice() -> None:
    cluster = Cluster()
    around = outside(cluster)
    assert workload.undo(work(), around).outcome is Outcome.CHANGED
    assert workload.undo(work(), around).outcome is Outcome.UNCHANGED
    assert set(cluster.undone) == {"Deployment shop/web"}
