"""The cluster stand-in as the real Kubernetes client and, where it is on PATH, kubectl see it."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client import ApiException
from workspace.rehearsal.cluster import Clusters
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.serving import Served, certificate

A, B = (f"registry.test/web@sha256:{letter * 64}" for letter in "ab")
APPLY = "application/apply-patch+yaml"
NEEDS_KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


@dataclass
class Here:
    """One served cluster and clients of it."""

    clusters: Clusters
    kubeconfig: Path
    api: client.ApiClient

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api)

    @property
    def apps(self) -> client.AppsV1Api:
        return client.AppsV1Api(self.api)

    def kubectl(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [
            "kubectl",
            "--kubeconfig",
            str(self.kubeconfig),
            "--cache-dir",
            str(self.kubeconfig.parent),
            *arguments,
        ]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    directory = tmp_path_factory.mktemp("cluster")
    clusters = Clusters(
        directory / "clusters",
        Faults(directory),
        pulls=lambda reference: "c" * 64 not in reference,
        exists=lambda group, name: name == "aks",
        address=lambda subject: "127.77.0.1",
        rollout_seconds=0.05,
        deadline_scale=0.001,
    )
    tls = certificate(directory)
    with Served(clusters.app, tls) as served:
        file = directory / "kubeconfig"
        file.write_text(clusters.kubeconfig("rg", "aks", served.url, tls.certificate.read_text()))
        api = config.new_client_from_config(str(file))
        found = Here(clusters, file, api)
        found.core.create_namespace({"metadata": {"name": "dev"}})
        wait(lambda: found.core.list_namespaced_service_account("dev").items)
        yield found
        api.close()
    clusters.close()


def wait(there: Callable[[], Any]) -> Any:
    for _ in range(500):
        found = there()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to pass")


def deployment(name: str, image: str = A, replicas: int = 2) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/health", "port": 8080}}
    container = {"name": "main", "image": image, "ports": [{"containerPort": 8080}], "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "dev"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def apply(here: Here, body: dict[str, Any], manager: str = "workspace", **more: Any) -> Any:
    patch = here.apps.patch_namespaced_deployment
    return patch(body["metadata"]["name"], "dev", body, field_manager=manager, _content_type=APPLY, **more)


def test_the_typed_client_applies_and_sees_the_rollout(here: Here) -> None:
    made = apply(here, deployment("typed"))
    assert (made.metadata.generation, made.metadata.managed_fields[0].operation) == (1, "Apply")
    seen = watch.Watch()
    version = made.metadata.resource_version
    stream = seen.stream(
        here.apps.list_namespaced_deployment,
        "dev",
        field_selector="metadata.name=typed",
        resource_version=version,
        timeout_seconds=10,
    )
    for event in stream:
        if event["object"].status.available_replicas == 2:
            seen.stop()
    live = here.apps.read_namespaced_deployment("typed", "dev")
    assert live.status.updated_replicas == 2


def test_the_typed_clients_conflict_carries_its_causes(here: Here) -> None:
    apply(here, deployment("contested", replicas=0), manager="one")
    with pytest.raises(ApiException) as caught:
        apply(here, deployment("contested", image=B, replicas=0), manager="two")
    body = json.loads(caught.value.body)
    assert (caught.value.status, body["reason"]) == (409, "Conflict")
    assert body["details"]["causes"][0]["field"] == '.spec.template.spec.containers[name="main"].image'
    assert apply(here, deployment("contested", image=B, replicas=0), manager="two", force=True).metadata.generation == 2


def test_a_dry_run_of_the_typed_client_leaves_no_trace(here: Here) -> None:
    assert apply(here, deployment("dry"), dry_run="All").spec.replicas == 2
    with pytest.raises(ApiException) as caught:
        here.apps.read_namespaced_deployment("dry", "dev")
    assert caught.value.status == 404


def test_the_dynamic_client_discovers_and_applies_any_kind(here: Here, tmp_path: Path) -> None:
    found = dynamic.DynamicClient(here.api, cache_file=str(tmp_path / "cache"))
    routes = found.resources.get(api_version="gateway.networking.k8s.io/v1", kind="HTTPRoute")
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "route", "namespace": "dev"},
        "spec": {"parentRefs": [{"name": "none"}]},
    }
    made = routes.server_side_apply(body=body, namespace="dev", field_manager="workspace")
    again = routes.server_side_apply(body=body, namespace="dev", field_manager="workspace")
    assert made.spec.parentRefs[0].kind == "Gateway"
    assert made.metadata.generation == again.metadata.generation
    assert [each.metadata.name for each in routes.get(namespace="dev").items] == ["route"]
    routes.delete(name="route", namespace="dev")


def test_a_watch_from_a_forgotten_version_is_a_410(here: Here) -> None:
    start = here.core.list_namespaced_config_map("dev").metadata.resource_version
    here.core.create_namespaced_config_map("dev", {"metadata": {"name": "later"}})
    here.clusters.compact("rg", "aks")
    with pytest.raises(ApiException) as caught:
        list(
            watch.Watch().stream(here.core.list_namespaced_config_map, "dev", resource_version=start, timeout_seconds=1)
        )
    assert caught.value.status == 410


def test_patches_of_every_kind_are_taken(here: Here) -> None:
    apply(here, deployment("patched", replicas=0))
    patch = here.apps.patch_namespaced_deployment
    containers = [{"name": "main", "image": B}]
    strategic = {"spec": {"template": {"spec": {"containers": containers}}}}
    live = patch("patched", "dev", strategic, _content_type="application/strategic-merge-patch+json")
    assert (live.spec.template.spec.containers[0].image, live.spec.template.spec.containers[0].ports[0].name) == (
        B,
        None,
    )
    live = patch("patched", "dev", [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])
    assert live.metadata.labels == {"a": "b"}
    live = patch("patched", "dev", {"metadata": {"labels": None}}, _content_type="application/merge-patch+json")
    assert live.metadata.labels is None


def test_scaling_goes_through_its_subresource(here: Here) -> None:
    apply(here, deployment("scaled", replicas=0))
    here.apps.patch_namespaced_deployment_scale("scaled", "dev", {"spec": {"replicas": 1}})
    assert here.apps.read_namespaced_deployment_scale("scaled", "dev").spec.replicas == 1


def test_a_cluster_that_is_not_there_is_unavailable(here: Here) -> None:
    given = json.loads(here.kubeconfig.read_text())
    given["clusters"][0]["cluster"]["server"] = given["clusters"][0]["cluster"]["server"].replace("/aks", "/other")
    api = config.new_client_from_config_dict(given)
    with pytest.raises(ApiException) as caught:
        client.VersionApi(api).get_code()
    assert caught.value.status == 503


@NEEDS_KUBECTL
def test_kubectl_applies_waits_and_rolls_back(here: Here) -> None:
    def apply_file(body: dict[str, Any]) -> str:
        done = here.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(body))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert apply_file(deployment("kube")) == "deployment.apps/kube serverside-applied\n"
    done = here.kubectl("rollout", "status", "deployment/kube", "-n", "dev", "--timeout=10s")
    assert 'deployment "kube" successfully rolled out' in done.stdout, done.stderr
    done = here.kubectl("wait", "--for=condition=Available", "deployment/kube", "-n", "dev", "--timeout=10s")
    assert done.stdout == "deployment.apps/kube condition met\n", done.stderr
    assert "2/2" in here.kubectl("get", "deploy", "kube", "-n", "dev").stdout
    apply_file(deployment("kube", image=B))
    assert "deployment.apps/kube rolled back" in here.kubectl("rollout", "undo", "deployment/kube", "-n", "dev").stdout


@NEEDS_KUBECTL
def test_kubectl_sees_a_rollout_that_failed(here: Here) -> None:
    apply(here, deployment("absent", image="registry.test/web@sha256:" + "c" * 64, replicas=1))
    done = here.kubectl("rollout", "status", "deployment/absent", "-n", "dev", "--timeout=10s")
    assert done.returncode == 1
    assert 'deployment "absent" exceeded its progress deadline' in done.stderr
