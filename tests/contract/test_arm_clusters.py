"""Cluster credentials through the real SDK from the stand-in, and what happens when nobody answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.arm import Arm as Client
from workspace.clients.credentials import credential
from workspace.clients.managed_clusters import ManagedClusters
from workspace.errors import Broken, Refused, Unsettled
from workspace.rehearsal import behaviour, serving
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

TENANT = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/mystira-dev-rg"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/mystira-dev-aks"


class Here:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        self.arm = Arm(
            self.cloud,
            Faults(folder),
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            kubeconfig=lambda group, name: f"apiVersion: v1\n# {group}/{name}\n",
        )
        tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.arm.app, tls)
        identity = folder / "identity.json"
        identity.touch(mode=0o600)
        identity.write_text(json.dumps({"client_id": "someone", "client_secret": "whisper"}))
        verify = str(tls.certificate)
        known = credential(authority=self.served.url, tenant=TENANT, identity_file=identity, verify=verify)
        self.options: dict[str, Any] = {"credential": known, "subscription": SUBSCRIPTION, "verify": verify}
        self.clusters = ManagedClusters(**self.options, base_url=self.served.url)

    def furnish(self, **properties: Any) -> None:
        self.cloud.put({"id": GROUP, "name": "mystira-dev-rg", "location": "eastus", "properties": {}})
        made = behaviour.complete({"id": CLUSTER, "location": "eastus"})
        self.cloud.put({**made, "properties": {**made["properties"], **properties}})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    made = Here(tmp_path_factory.mktemp("clusters"))
    yield made
    made.clusters.close()
    made.options["credential"].close()
    made.served.close()


@pytest.fixture
def here(served: Here) -> Here:
    served.cloud.delete(f"/subscriptions/{SUBSCRIPTION}")
    (served.folder / "faults.json").unlink(missing_ok=True)
    return served


def test_the_credentials_of_a_cluster_are_the_text_of_a_kubeconfig(here: Here) -> None:
    here.furnish()
    text = here.clusters.kubeconfig("mystira-dev-rg", "mystira-dev-aks")
    assert text == "apiVersion: v1\n# mystira-dev-rg/mystira-dev-aks\n"


def test_where_the_user_may_not_the_administrator_may_if_allowed(here: Here) -> None:
    here.furnish()
    fault = {"point": "arm", "subject": "POST */listClusterUserCredential *", "how": "403"}
    (here.folder / "faults.json").write_text(json.dumps([fault]))
    with pytest.raises(Broken, match="AuthorizationFailed"):
        here.clusters.kubeconfig("mystira-dev-rg", "mystira-dev-aks")
    assert here.clusters.kubeconfig("mystira-dev-rg", "mystira-dev-aks", admin=True).startswith("apiVersion: v1")


@pytest.mark.parametrize(
    ("properties", "error", "said"),
    [
        ({"powerState": {"code": "Stopped"}}, Refused, "start it with az aks start"),
        ({"provisioningState": "Upgrading"}, Unsettled, "is upgrading"),
        ({"provisioningState": "Failed"}, Broken, "is Failed"),
    ],
)
def test_a_cluster_that_cannot_be_spoken_to_says_why(
    here: Here, properties: dict[str, Any], error: type[Exception], said: str
) -> None:
    here.furnish(**properties)
    with pytest.raises(error, match=said):
        here.clusters.kubeconfig("mystira-dev-rg", "mystira-dev-aks")


def test_a_cluster_that_is_not_there_yet_is_worth_waiting_for(here: Here) -> None:
    with pytest.raises(Unsettled, match="does not exist"):
        here.clusters.ready("mystira-dev-rg", "mystira-dev-aks")


def test_nobody_at_the_address_is_one_sentence(here: Here) -> None:
    gone = serving.Served(here.arm.app, serving.certificate(here.folder / "tls"))
    client = Client(**{**here.options, "credential": None}, base_url=gone.url)
    gone.close()
    with pytest.raises(Unsettled) as caught:
        client.group("g")
    assert str(caught.value) == f"resource group g: no answer from 127.0.0.1:{gone.port}: Connection refused"
