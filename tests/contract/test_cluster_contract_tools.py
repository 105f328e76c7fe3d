"""Every kind of cluster as other people's tools see it: the Kubernetes client for Python and, on PATH, kubectl."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from clusters_here import ABSENT, APPLY, STRATEGIC, Place, self_contained
from kubernetes import client, dynamic, watch
from kubernetes.client import ApiException

Body = dict[str, Any]
NEEDS_KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


def apply(place: Place, body: Body, manager: str = "workspace", **more: Any) -> Any:
    patch = client.AppsV1Api(place.api).patch_namespaced_deployment
    name = body["metadata"]["name"]
    return patch(name, place.namespace, body, field_manager=manager, _content_type=APPLY, **more)


def kubectl(place: Place, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kubeconfig"
        file.write_text(self_contained(place.api))
        command = ["kubectl", "--kubeconfig", str(file), "--cache-dir", folder, "--namespace", place.namespace, *words]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.pods
def test_the_typed_client_applies_and_sees_the_rollout(place: Place) -> None:
    made = apply(place, place.workload("typed", replicas=2))
    assert (made.metadata.generation, made.metadata.managed_fields[0].operation) == (1, "Apply")
    seen, apps = watch.Watch(), client.AppsV1Api(place.api)
    stream = seen.stream(
        apps.list_namespaced_deployment,
        place.namespace,
        field_selector="metadata.name=typed",
        resource_version=made.metadata.resource_version,
        timeout_seconds=int(place.patience),
    )
    for event in stream:
        if event["object"].status.available_replicas == 2:
            seen.stop()
    assert apps.read_namespaced_deployment("typed", place.namespace).status.updated_replicas == 2


def test_the_typed_clients_conflict_carries_its_causes(place: Place) -> None:
    apply(place, place.workload("typed-contested", replicas=0), manager="one")
    other = place.workload("typed-contested", image="registry.invalid/other:1", replicas=0)
    with pytest.raises(ApiException) as caught:
        apply(place, other, manager="two")
    body = json.loads(caught.value.body)
    assert (caught.value.status, caught.value.reason, body["reason"]) == (409, "Conflict", "Conflict")
    assert body["details"]["causes"][0]["field"] == '.spec.template.spec.containers[name="main"].image'
    assert apply(place, other, manager="two", force=True).metadata.generation == 2


def test_a_dry_run_of_the_typed_client_leaves_no_trace(place: Place) -> None:
    assert apply(place, place.workload("typed-dry", replicas=3), dry_run="All").spec.replicas == 3
    with pytest.raises(ApiException) as caught:
        client.AppsV1Api(place.api).read_namespaced_deployment("typed-dry", place.namespace)
    assert caught.value.status == 404


def test_the_typed_client_patches_and_scales(place: Place) -> None:
    apply(place, place.workload("typed-patched", replicas=0))
    apps = client.AppsV1Api(place.api)
    containers = [{"name": "main", "image": "registry.invalid/other:1"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    live = apps.patch_namespaced_deployment("typed-patched", place.namespace, patch, _content_type=STRATEGIC)
    assert live.spec.template.spec.containers[0].image == "registry.invalid/other:1"
    live = apps.patch_namespaced_deployment(
        "typed-patched", place.namespace, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
    )
    assert live.metadata.labels == {"a": "b"}
    apps.patch_namespaced_deployment_scale("typed-patched", place.namespace, {"spec": {"replicas": 1}})
    assert apps.read_namespaced_deployment_scale("typed-patched", place.namespace).spec.replicas == 1


@pytest.mark.ours("only etcd's own door can make it forget")
def test_the_typed_client_turns_an_expired_watch_into_a_410(place: Place) -> None:
    core = client.CoreV1Api(place.api)
    involved = {"kind": "Pod", "name": "p", "namespace": place.namespace}
    place.put(place.made("Event", "typed-expired", involvedObject=involved, reason="Made", message="up"))
    place.compact()
    with pytest.raises(ApiException) as caught:
        list(watch.Watch().stream(core.list_namespaced_event, place.namespace, resource_version="1", timeout_seconds=5))
    assert caught.value.status == 410


def test_the_dynamic_client_discovers_any_kind(place: Place, tmp_path: Path) -> None:
    found = dynamic.DynamicClient(place.api, cache_file=str(tmp_path / "cache"))
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    body = place.made("ConfigMap", "discovered", data={"a": "1"})
    made = maps.server_side_apply(body=body, namespace=place.namespace, field_manager="workspace")
    again = maps.server_side_apply(body=body, namespace=place.namespace, field_manager="workspace")
    assert made.metadata.resourceVersion == again.metadata.resourceVersion
    assert maps.get(name="discovered", namespace=place.namespace).data.a == "1"
    maps.delete(name="discovered", namespace=place.namespace)


@NEEDS_KUBECTL
@pytest.mark.pods
def test_kubectl_applies_waits_and_rolls_back(place: Place) -> None:
    def apply_file(body: Body) -> str:
        done = kubectl(place, "apply", "--server-side", "-f", "-", given=json.dumps(body))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert apply_file(place.workload("kube", replicas=2)) == "deployment.apps/kube serverside-applied\n"
    done = kubectl(place, "rollout", "status", "deployment/kube", "--timeout=60s")
    assert 'deployment "kube" successfully rolled out' in done.stdout, done.stderr
    done = kubectl(place, "wait", "--for=condition=Available", "deployment/kube", "--timeout=60s")
    assert done.stdout == "deployment.apps/kube condition met\n", done.stderr
    assert "2/2" in kubectl(place, "get", "deploy", "kube").stdout
    apply_file(place.workload("kube", "Deployment", "b", 2))
    assert "deployment.apps/kube rolled back" in kubectl(place, "rollout", "undo", "deployment/kube").stdout
    assert "kube-" in kubectl(place, "describe", "deployment", "kube").stdout
    assert 'deployment.apps "kube" deleted' in kubectl(place, "delete", "deployment", "kube", "--wait=false").stdout


@NEEDS_KUBECTL
@pytest.mark.pods
def test_kubectl_sees_a_rollout_that_failed(place: Place) -> None:
    place.put(place.workload("kube-absent", "Deployment", ABSENT, spec={"progressDeadlineSeconds": 2}))
    done = kubectl(place, "rollout", "status", "deployment/kube-absent", "--timeout=60s")
    assert done.returncode == 1
    assert 'deployment "kube-absent" exceeded its progress deadline' in done.stderr


@NEEDS_KUBECTL
def test_kubectl_tells_a_conflict(place: Place) -> None:
    place.put(place.made("ConfigMap", "kube-contested", data={"a": "1"}), "somebody")
    body = json.dumps(place.made("ConfigMap", "kube-contested", data={"a": "2"}))
    done = kubectl(place, "apply", "--server-side", "-f", "-", given=body)
    assert done.returncode == 1
    assert 'conflict with "somebody": .data.a' in done.stderr
