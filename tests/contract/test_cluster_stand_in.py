"""What only the cluster stand-in has, as the real Kubernetes client sees it; the rest is test_cluster_contract*.py."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import client, config, dynamic
from kubernetes.client import ApiException
from workspace.rehearsal.cluster import Clusters
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.serving import Served, certificate


@dataclass
class Here:
    """One served cluster and clients of it."""

    clusters: Clusters
    kubeconfig: Path
    api: client.ApiClient

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    directory = tmp_path_factory.mktemp("cluster")
    clusters = Clusters(
        directory / "clusters",
        Faults(directory),
        pulls=lambda reference: True,
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
        # The Gateway API's definitions are established a moment after the cluster is there.
        while "gateway.networking.k8s.io" not in [each.name for each in client.ApisApi(api).get_api_versions().groups]:
            time.sleep(0.02)
        yield found
        api.close()
    clusters.close()


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


def test_a_cluster_that_is_not_there_is_unavailable(here: Here) -> None:
    given = json.loads(here.kubeconfig.read_text())
    given["clusters"][0]["cluster"]["server"] = given["clusters"][0]["cluster"]["server"].replace("/aks", "/other")
    api = config.new_client_from_config_dict(given)
    with pytest.raises(ApiException) as caught:
        client.VersionApi(api).get_code()
    assert caught.value.status == 503
