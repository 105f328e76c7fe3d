"""The App's own definitions, from Bicep to resources: compiled, previewed, deployed once and then left alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.arm import Arm as Client
from workspace.clients.credentials import credential
from workspace.environment import Environment
from workspace.errors import Broken
from workspace.kinds import template
from workspace.node import Kind, Node, Stage
from workspace.rehearsal import bicep, serving, vault, web, zone
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults
from workspace.work import Outcome, Work

TENANT = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = "mys-dev-mystira-rg-san"
SOURCES = Path(__file__).parents[2]
FOLDER = "packages/app/infrastructure"


class Outside:
    """Resource Manager with the zones, sites and vaults of the rehearsal, and its compiler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        faults = Faults(folder)
        self.stand_in = Arm(
            self.cloud,
            faults,
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            extra_routes=[
                *zone.routes(self.cloud, faults),
                *web.routes(self.cloud, faults, folder / "deployed", kudu_seconds=0, azure_seconds=0),
                *vault.routes(self.cloud, faults),
            ],
            deployment_seconds=0.0,
        )
        tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.stand_in.app, tls)
        identity = folder / "identity.json"
        identity.touch(mode=0o600)
        identity.write_text(json.dumps({"client_id": "someone", "client_secret": "whisper"}))
        verify = str(tls.certificate)
        known = credential(authority=self.served.url, tenant=TENANT, identity_file=identity, verify=verify)
        options: dict[str, Any] = {"credential": known, "subscription": SUBSCRIPTION, "verify": verify}
        self.arm = Client(**options, base_url=self.served.url, polling_seconds=0.05)
        self.bicep = self

    def compile(self, file: Path, _: Any) -> dict[str, Any]:
        return bicep.compile(file)

    def writes(self) -> int:
        return sum(each.method in ("PUT", "PATCH", "DELETE") for each in self.stand_in.exchanges)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    monkeypatch.setenv("TEST_PRIVATE", "open sesame")
    monkeypatch.setenv("TEST_PUBLIC", "close sesame")
    made = Outside(tmp_path)
    yield made
    made.arm.close()
    made.served.close()


def work(folder: Path) -> Work:
    settings = {
        "template": f"{FOLDER}/main.bicep",
        "parameters_file": f"{FOLDER}/params.dev.json",
        "secure": {
            "jwtRsaPrivateKey": {"environment": "TEST_PRIVATE"},
            "jwtRsaPublicKey": {"environment": "TEST_PUBLIC"},
        },
        "group": GROUP,
        "location": "southafricanorth",
        "name": "app-base",
    }
    node = Node("app-base", Kind.TEMPLATE, Stage.SHARED_INFRASTRUCTURE)
    return Work(node, Environment("dev"), settings, folder, SOURCES)


def test_the_app_is_deployed_once_and_then_unchanged(outside: Outside, tmp_path: Path) -> None:
    asked = work(tmp_path)
    first = template.verify(asked, template.apply(asked, template.preview(asked, outside), outside), outside)
    written = outside.writes()
    seen = template.preview(asked, outside)
    second = template.apply(asked, seen, outside)

    assert (first.outcome, second.outcome) == (Outcome.CHANGED, Outcome.UNCHANGED)
    assert outside.writes() == written
    assert [line for line in seen.changes if not line.startswith("uncertain ")] == []
    assert first.gives["apiAppServiceName"] == "mys-dev-mystira-api-san"
    assert first.gives["keyVaultUri"] == "https://mys-dev-mystira-kv-san.vault.azure.net/"
    assert "sesame" not in json.dumps([dict(first.gives), first.detail, seen.changes])


def test_a_name_somebody_else_has_is_told_from_two_deployments_down(outside: Outside, tmp_path: Path) -> None:
    fault = {"point": "arm", "subject": "PUT Microsoft.Storage/storageAccounts *", "how": "taken", "status": 409}
    said = {"code": "StorageAccountAlreadyTaken", "message": "The storage account named x is already taken."}
    (outside.folder / "faults.json").write_text(json.dumps([{**fault, **said}]))
    asked = work(tmp_path)
    with pytest.raises(Broken, match=r"StorageAccountAlreadyTaken.*mysdevmystirastsan.*choose another"):
        template.apply(asked, template.preview(asked, outside), outside)
