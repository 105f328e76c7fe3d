"""A template as a node: previewed, deployed once, left alone, and its secrets kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.arm import Arm as Client
from workspace.clients.arm import Change, ChangeKind, WhatIf
from workspace.clients.credentials import credential
from workspace.environment import Environment
from workspace.errors import Broken, Refused
from workspace.kinds import template
from workspace.node import Kind, Node, Stage
from workspace.rehearsal import serving
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults
from workspace.work import Certainty, Outcome, Preview, Work

TENANT = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g1"
STORE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/store1"

TEMPLATE: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {
        "size": {"type": "string", "defaultValue": "Standard_LRS"},
        "key": {"type": "securestring", "defaultValue": ""},
    },
    "resources": [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2023-01-01",
            "name": "store1",
            "location": "[resourceGroup().location]",
            "sku": {"name": "[parameters('size')]"},
            "kind": "StorageV2",
        }
    ],
    "outputs": {
        "STORE_NAME": {"type": "string", "value": "store1"},
        "connection": {
            "type": "string",
            "value": "[listKeys('Microsoft.Storage/storageAccounts/store1', '2023-01-01').keys[0].value]",
        },
        "hidden": {"type": "securestring", "value": "[parameters('key')]"},
    },
}


class Outside:
    """What a template needs of the world: Resource Manager, and a compiler nobody calls here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        self.stand_in = Arm(
            self.cloud,
            Faults(folder),
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            deployment_seconds=0.0,
        )
        tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.stand_in.app, tls)
        identity = folder / "identity.json"
        identity.touch(mode=0o600)
        identity.write_text(json.dumps({"client_id": "someone", "client_secret": "whisper"}))
        verify = str(tls.certificate)
        self.known: Any = credential(authority=self.served.url, tenant=TENANT, identity_file=identity, verify=verify)
        self.arm = Client(
            credential=self.known,
            subscription=SUBSCRIPTION,
            base_url=self.served.url,
            verify=verify,
            polling_seconds=0.01,
        )
        self.bicep = self

    def compile(self, file: Path, say: Any) -> dict[str, Any]:
        say(f"compiled {file.name}")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def writes(self) -> int:
        return sum(each.method in ("PUT", "PATCH", "DELETE") for each in self.stand_in.exchanges)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    made = Outside(tmp_path_factory.mktemp("template"))
    yield made
    made.arm.close()
    made.known.close()
    made.served.close()


@pytest.fixture
def outside(served: Outside) -> Outside:
    served.cloud.delete(f"/subscriptions/{SUBSCRIPTION}")
    (served.folder / "faults.json").unlink(missing_ok=True)
    served.stand_in.exchanges.clear()
    return served


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "main.json").write_text(json.dumps(TEMPLATE))
    return tmp_path


def work(sources: Path, carried: str = "", **settings: Any) -> Work:
    said = {"template": "main.json", "group": "g1", "location": "eastus", "name": "app-base", **settings}
    node = Node("app-base", Kind.TEMPLATE, Stage.SHARED_INFRASTRUCTURE)
    return Work(node, Environment("dev"), said, sources, sources, carried=carried)


def applied(asked: Work, outside: Outside) -> Any:
    return template.apply(asked, template.preview(asked, outside), outside)


def test_into_a_new_group_the_preview_lists_what_the_template_describes(sources: Path, outside: Outside) -> None:
    seen = template.preview(work(sources), outside)
    assert seen.changes == ("create resource group g1", "create Microsoft.Storage/storageAccounts")
    assert seen.certainty is Certainty.DEFERRED
    assert outside.writes() == 0


def test_a_template_is_deployed_once_and_then_unchanged(sources: Path, outside: Outside) -> None:
    first = applied(work(sources), outside)
    written = outside.writes()
    second = applied(work(sources), outside)
    assert (first.outcome, second.outcome) == (Outcome.CHANGED, Outcome.UNCHANGED)
    assert outside.writes() == written
    assert template.preview(work(sources), outside).is_empty
    assert second.gives == first.gives == {"STORE_NAME": "store1"}
    assert second.content == first.content


def test_a_second_apply_of_an_old_preview_writes_nothing(sources: Path, outside: Outside) -> None:
    seen = template.preview(work(sources), outside)
    template.apply(work(sources), seen, outside)
    written = outside.writes()
    assert template.apply(work(sources), seen, outside).outcome is Outcome.UNCHANGED
    assert outside.writes() == written


def test_what_drifted_is_previewed_and_put_right(sources: Path, outside: Outside) -> None:
    applied(work(sources), outside)
    drifted = outside.cloud.get(STORE)
    assert drifted is not None
    outside.cloud.put({**drifted, "sku": {"name": "Premium_LRS"}})
    seen = template.preview(work(sources), outside)
    assert seen.changes == ("modify Microsoft.Storage/storageAccounts store1 (sku.name)",)
    assert template.apply(work(sources), seen, outside).outcome is Outcome.CHANGED
    put_right = outside.cloud.get(STORE)
    assert put_right is not None
    assert put_right["sku"]["name"] == "Standard_LRS"


class Doubting:
    """Azure that cannot compare one thing."""

    def __init__(self, arm: Any) -> None:
        self.arm = self
        self._arm = arm

    def __getattr__(self, name: str) -> Any:
        return getattr(self._arm, name)

    def what_if(self, *asked: Any) -> WhatIf:
        return WhatIf((Change(ChangeKind.UNCERTAIN, STORE, reason="cannot be compared"),))


def test_what_azure_cannot_compare_is_a_doubt_once_it_is_deployed(sources: Path, outside: Outside) -> None:
    outside.arm.ensure_group("g1", "eastus", {})
    doubting = Doubting(outside.arm)
    before = template.preview(work(sources), doubting)
    assert (before.only_doubts, before.changes[-1].startswith("deploy app-base-")) == (False, True)
    applied(work(sources), outside)
    after = template.preview(work(sources), doubting)
    assert (after.only_doubts, after.is_empty, len(after.changes)) == (True, False, 1)


def test_a_template_is_made_from_its_content_and_its_parameters(sources: Path, outside: Outside) -> None:
    def read(**settings: Any) -> Any:
        asked = work(sources, **settings)
        return template.reads(asked, template.preview(asked, outside), outside)

    before = read()
    assert read(parameters={"size": "Premium_LRS"}) != before
    applied(work(sources), outside)
    assert read() == before


def test_a_changed_parameter_is_a_change_even_where_no_resource_would_change(sources: Path, outside: Outside) -> None:
    applied(work(sources), outside)
    (sources / "params.json").write_text(json.dumps({"parameters": {"size": {"value": "Standard_LRS"}}}))
    asked = work(sources, parameters_file="params.json")
    seen = template.preview(asked, outside)
    assert seen.changes == (f"deploy {seen.plan}",)
    assert template.apply(asked, seen, outside).outcome is Outcome.CHANGED


def test_settings_go_over_the_parameters_file(sources: Path, outside: Outside) -> None:
    (sources / "params.json").write_text(json.dumps({"parameters": {"size": {"value": "Standard_GRS"}}}))
    applied(work(sources, parameters_file="params.json", parameters={"size": "Standard_ZRS"}), outside)
    made = outside.cloud.get(STORE)
    assert made is not None
    assert made["sku"]["name"] == "Standard_ZRS"


def test_what_changed_after_the_preview_is_not_deployed(sources: Path, outside: Outside) -> None:
    seen = template.preview(work(sources), outside)
    with pytest.raises(Refused, match="changed since the preview"):
        template.apply(work(sources, parameters={"size": "Standard_GRS"}), seen, outside)
    assert outside.writes() == 0


def test_another_template_than_the_one_that_was_proven_is_refused(sources: Path, outside: Outside) -> None:
    proven = applied(work(sources), outside).content
    assert applied(work(sources, carried=proven), outside).outcome is Outcome.UNCHANGED
    with pytest.raises(Refused, match="not the one that was proven"):
        template.preview(work(sources, carried="sha256:other"), outside)


def test_another_version_of_the_compiler_does_not_change_the_content(sources: Path, outside: Outside) -> None:
    contents = set()
    for version in ("9", "10"):
        signed = {**TEMPLATE, "metadata": {"_generator": {"name": "bicep", "version": version}}}
        (sources / "main.json").write_text(json.dumps(signed))
        contents.add(applied(work(sources), outside).content)
    assert len(contents) == 1


def test_a_bicep_file_is_compiled_and_the_compiler_is_heard(sources: Path, outside: Outside) -> None:
    (sources / "main.bicep").write_text(json.dumps(TEMPLATE))
    heard: list[str] = []
    asked = work(sources, template="main.bicep")
    asked = Work(asked.node, asked.environment, asked.settings, sources, sources, say=heard.append)
    assert applied(asked, outside).outcome is Outcome.CHANGED
    assert "compiled main.bicep" in heard


# secrets


def test_a_secret_is_read_where_the_settings_point_and_nowhere_told(
    sources: Path, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "open sesame")
    asked = work(sources, secure={"key": {"environment": "TEST_KEY"}})
    seen = template.preview(asked, outside)
    result = template.verify(asked, template.apply(asked, seen, outside), outside)
    told = json.dumps([seen.changes, seen.plan, result.detail, dict(result.gives), result.content])
    assert "sesame" not in told
    kept = "".join(file.read_text() for file in (outside.folder / "cloud").rglob("*.json"))
    assert "sesame" not in kept


def test_what_a_failed_deployment_may_have_left_is_put_right_though_nothing_else_shows(
    sources: Path, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = work(sources, secure={"key": {"environment": "TEST_KEY"}})
    monkeypatch.setenv("TEST_KEY", "one")
    applied(asked, outside)
    monkeypatch.setenv("TEST_KEY", "two")
    fault = {"point": "arm", "subject": "PUT Microsoft.Storage/*", "how": "failed", "times": 1}
    (outside.folder / "faults.json").write_text(json.dumps([fault]))
    with pytest.raises(Broken):
        applied(asked, outside)
    monkeypatch.setenv("TEST_KEY", "one")
    seen = template.preview(asked, outside)
    assert seen.changes == (f"deploy {seen.plan}",)
    assert template.apply(asked, seen, outside).outcome is Outcome.CHANGED


def test_another_secret_is_another_deployment(sources: Path, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = work(sources, secure={"key": {"environment": "TEST_KEY"}})
    monkeypatch.setenv("TEST_KEY", "one")
    first = template.preview(asked, outside).plan
    assert template.preview(asked, outside).plan == first
    monkeypatch.setenv("TEST_KEY", "two")
    assert template.preview(asked, outside).plan != first


def test_a_secret_in_a_private_file_is_taken_and_in_an_open_one_refused(sources: Path, outside: Outside) -> None:
    file = sources / "key"
    file.touch(mode=0o600)
    file.write_text("sesame\n")
    asked = work(sources, secure={"key": {"file": str(file)}})
    assert template.preview(asked, outside).plan
    file.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        template.preview(asked, outside)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"secure": {"key": {"environment": "TEST_NOT_SET"}}}, "TEST_NOT_SET, which is not set"),
        ({"secure": {"key": {"file": "/nowhere/key"}}}, "cannot be read"),
        ({"secure": {"key": "sesame"}}, "must point to a file or an environment variable"),
        ({"secure": {"size": {"environment": "PATH"}}}, "mark it @secure"),
        ({"parameters": {"colour": "red"}}, "has no parameter colour"),
        ({"template": "nothing.json"}, "cannot be read as JSON"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(
    sources: Path, outside: Outside, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said) as caught:
        template.preview(work(sources, **settings), outside)
    assert "sesame" not in str(caught.value)


def test_a_parameter_without_a_value_is_refused(sources: Path, outside: Outside) -> None:
    needy = {**TEMPLATE, "parameters": {**TEMPLATE["parameters"], "colour": {"type": "string"}}}
    (sources / "main.json").write_text(json.dumps(needy))
    with pytest.raises(Refused, match="needs a value for colour"):
        template.preview(work(sources), outside)


# asking again


def test_what_was_deployed_is_verified_and_what_is_gone_is_missed(sources: Path, outside: Outside) -> None:
    asked = work(sources)
    result = applied(asked, outside)
    assert template.verify(asked, result, outside) == result
    outside.cloud.delete(STORE)
    with pytest.raises(Broken, match="store1 in g1 was deployed and is gone"):
        template.verify(asked, result, outside)


def test_a_deployment_nobody_made_is_not_verified(sources: Path, outside: Outside) -> None:
    asked = work(sources)
    outside.arm.ensure_group("g1", "eastus")
    with pytest.raises(Broken, match="is not in g1"):
        template.verify(asked, template.Result(Outcome.CHANGED), outside)


def test_a_preview_of_nothing_still_deploys_what_is_asked_for(sources: Path, outside: Outside) -> None:
    assert template.apply(work(sources), Preview(), outside).outcome is Outcome.CHANGED
