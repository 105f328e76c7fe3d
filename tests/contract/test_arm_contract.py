"""The real client and the real credential against the stand-in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.arm import Arm as Client
from workspace.clients.arm import ChangeKind, deployment_name
from workspace.clients.credentials import credential
from workspace.errors import Broken, Refused, Unsettled
from workspace.rehearsal import serving
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

TENANT = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = "mys-dev-mystira-rg-san"
REGION = "southafricanorth"

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
STORE = {
    "type": "Microsoft.Storage/storageAccounts",
    "apiVersion": "2023-01-01",
    "name": "mysdevmystirastsan",
    "location": "[resourceGroup().location]",
    "sku": {"name": "Standard_LRS"},
    "kind": "StorageV2",
    "properties": {"allowBlobPublicAccess": False},
}


def a_template(*resources: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources or (STORE,)), **parts}


class World:
    """A served stand-in and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        self.arm = self.open()
        self.tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.arm.app, self.tls)
        secret = folder / "identity.json"
        secret.touch(mode=0o600)
        secret.write_text(json.dumps({"client_id": "someone", "client_secret": "whisper"}))
        self.credential: Any = credential(
            authority=self.served.url, tenant=TENANT, identity_file=secret, verify=str(self.tls.certificate)
        )
        self.client = self.connect()

    def open(self) -> Arm:
        return Arm(
            self.cloud,
            Faults(self.folder),
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            deployment_seconds=0.01,
        )

    def connect(self) -> Client:
        return Client(
            credential=self.credential,
            subscription=SUBSCRIPTION,
            base_url=self.served.url,
            verify=str(self.tls.certificate),
            polling_seconds=0.01,
        )

    def faulty(self, *faults: dict[str, Any]) -> None:
        (self.folder / "faults.json").write_text(json.dumps([{"point": "arm", **each} for each in faults]))

    def reset(self) -> None:
        self.cloud.delete(f"/subscriptions/{SUBSCRIPTION}")
        (self.folder / "faults.json").unlink(missing_ok=True)
        self.arm.exchanges.clear()

    def writes(self) -> list[tuple[str, str]]:
        return [(e.method, e.path) for e in self.arm.exchanges if e.method in ("PUT", "PATCH", "DELETE")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("arm"))
    yield made
    made.client.close()
    made.credential.close()
    made.served.close()


@pytest.fixture
def world(served: World) -> World:
    served.reset()
    return served


@pytest.fixture
def group(world: World) -> str:
    world.client.ensure_group(GROUP, REGION, {"env": "dev"})
    return GROUP


def test_a_group_is_made_once_and_then_left_alone(world: World) -> None:
    assert world.client.ensure_group(GROUP, REGION, {"env": "dev"}) is True
    assert world.client.ensure_group(GROUP, "South Africa North", {"env": "dev"}) is False
    assert [method for method, _ in world.writes()] == ["PUT"]


def test_a_missing_tag_is_added_and_other_tags_stay(world: World, group: str) -> None:
    assert world.client.ensure_group(group, REGION, {"owner": "team"}) is True
    found = world.client.group(group)
    assert found is not None
    assert found.tags == {"env": "dev", "owner": "team"}


def test_a_group_that_is_elsewhere_is_refused(world: World, group: str) -> None:
    with pytest.raises(Refused, match="is in southafricanorth, not in eastus"):
        world.client.ensure_group(group, "eastus")


def test_a_group_is_deleted_with_what_is_in_it_and_deleting_it_again_does_nothing(world: World, group: str) -> None:
    world.client.deploy(group, "d", a_template(), {})
    assert world.client.delete_group(group) is True
    assert world.client.group(group) is None
    assert world.client.resources(group) == ()
    assert world.client.delete_group(group) is False


def test_whether_something_exists_is_asked_in_a_version_of_its_type(world: World, group: str) -> None:
    done = world.client.deploy(group, "d", a_template(), {})
    (made,) = done.resources
    assert world.client.exists(made)
    assert not world.client.exists(f"{made}x")
    assert not world.client.exists(f"{made}/blobServices/default/containers/none")
    scope = made.partition("/providers/")[0]
    assert world.client.exists(scope)
    assert not world.client.exists(f"{scope}x")


def test_a_group_whose_deletion_is_blocked_is_told_with_the_reason(world: World, group: str) -> None:
    world.faulty({"subject": "DELETE *", "how": "failed"})
    with pytest.raises(Broken, match="could not be deleted"):
        world.client.delete_group(group)


def test_a_deployment_makes_its_resources_and_gives_its_outputs(world: World, group: str) -> None:
    outputs = {
        "STORAGE_NAME": {"type": "string", "value": "mysdevmystirastsan"},
        "blob": {
            "type": "string",
            "value": "[reference('Microsoft.Storage/storageAccounts/mysdevmystirastsan').primaryEndpoints.blob]",
        },
        "hidden": {"type": "securestring", "value": "do not tell"},
    }
    done = world.client.deploy(group, "d", a_template(outputs=outputs), {})
    assert done.succeeded
    assert done.named(["STORAGE_NAME", "blob", "hidden"]) == {
        "STORAGE_NAME": "mysdevmystirastsan",
        "blob": "https://mysdevmystirastsan.blob.core.windows.net/",
    }
    assert "storagE_NAME" in done.outputs
    assert world.client.resources(group) == done.resources


def test_what_if_knows_a_first_deployment_from_a_second(world: World, group: str) -> None:
    first = world.client.what_if(group, "d", a_template(), {})
    world.client.deploy(group, "d", a_template(), {})
    second = world.client.what_if(group, "d", a_template(), {})
    assert [str(each) for each in first.certain] == ["create Microsoft.Storage/storageAccounts mysdevmystirastsan"]
    assert (second.certain, second.uncertain) == ((), ())
    assert [each.kind for each in second.changes] == [ChangeKind.NO_CHANGE]


def test_what_if_names_the_property_that_would_change_and_ignores_strangers(world: World, group: str) -> None:
    world.client.deploy(group, "d", a_template(), {})
    stranger = {**STORE, "name": "stranger"}
    world.client.deploy(group, "e", a_template(stranger), {})
    changed = {**STORE, "properties": {"allowBlobPublicAccess": True}}
    seen = world.client.what_if(group, "d", a_template(changed), {})
    assert [str(each) for each in seen.certain] == [
        "modify Microsoft.Storage/storageAccounts mysdevmystirastsan (properties.allowBlobPublicAccess)"
    ]
    assert [each.kind for each in seen.changes if each.resource.endswith("/stranger")] == [ChangeKind.IGNORE]


def test_values_azure_leaves_uncomputed_are_uncertain_and_not_no_change(world: World, group: str) -> None:
    tagged = {**STORE, "tags": {"when": "[parameters('when')]", "key": "[parameters('key')]"}}
    parameters = {
        "when": {"type": "string", "defaultValue": "[utcNow('u')]"},
        "key": {"type": "securestring"},
    }
    template = a_template(tagged, parameters=parameters)
    world.client.deploy(group, "d", template, {"key": "sesame"})
    seen = world.client.what_if(group, "d", template, {"key": "sesame"})
    assert seen.certain == ()
    assert [str(each) for each in seen.uncertain] == [
        "uncertain Microsoft.Storage/storageAccounts mysdevmystirastsan (tags.when, tags.key)"
    ]


def test_a_template_that_is_wrong_is_refused_before_anything_is_made(world: World, group: str) -> None:
    with pytest.raises(Refused, match="InvalidTemplate"):
        world.client.deploy(group, "d", a_template(), {"nobody": "asked"})
    assert world.client.deployment(group, "d") is None


def test_a_deployment_into_no_group_says_so(world: World) -> None:
    with pytest.raises(Broken, match="ResourceGroupNotFound: Resource group 'nowhere' could not be found"):
        world.client.deploy("nowhere", "d", a_template(), {})


def test_a_failed_resource_is_told_by_its_innermost_cause_and_its_name(world: World, group: str) -> None:
    world.faulty(
        {
            "subject": "PUT Microsoft.Storage/storageAccounts *",
            "how": "taken",
            "status": 409,
            "code": "StorageAccountAlreadyTaken",
            "message": "The storage account named mysdevmystirastsan is already taken.",
        }
    )
    with pytest.raises(Broken) as caught:
        world.client.deploy(group, "d", a_template(), {})
    said = str(caught.value)
    assert "StorageAccountAlreadyTaken" in said
    assert "[Microsoft.Storage/storageAccounts mysdevmystirastsan]" in said
    assert "choose another" in said


def test_a_new_principal_that_is_not_known_everywhere_yet_is_worth_waiting_for(world: World, group: str) -> None:
    message = "Principal 42 does not exist in the directory 7."
    fault = {"status": 400, "code": "PrincipalNotFound", "message": message}
    world.faulty({"subject": "PUT Microsoft.Storage/storageAccounts *", "how": "x", "times": 1, **fault})
    with pytest.raises(Unsettled, match="PrincipalNotFound"):
        world.client.deploy(group, "d", a_template(), {})
    assert world.client.deploy(group, "d", a_template(), {}).succeeded


def test_a_failure_in_a_nested_deployment_in_another_group_is_found(world: World, group: str) -> None:
    world.client.ensure_group("mys-prod-mystira-rg-glob", "eastus")
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": "names",
        "resourceGroup": "mys-prod-mystira-rg-glob",
        "properties": {
            "mode": "Incremental",
            "template": a_template(),
            "expressionEvaluationOptions": {"scope": "inner"},
        },
    }
    world.faulty({"subject": "PUT Microsoft.Storage/*", "how": "q", "status": 409, "code": "QuotaExceeded", "times": 1})
    with pytest.raises(Broken, match=r"QuotaExceeded.*\[Microsoft.Storage/storageAccounts mysdevmystirastsan\]"):
        world.client.deploy(group, "outer", a_template(nested), {})
    assert world.client.deploy(group, "outer", a_template(nested), {}).succeeded
    assert len(world.client.resources("mys-prod-mystira-rg-glob")) == 1


def test_a_deployment_that_still_runs_is_adopted_and_not_started_again(world: World, group: str) -> None:
    world.faulty({"subject": "PUT Microsoft.Resources/deployments d", "how": "never-ending"})
    with pytest.raises(Unsettled, match="still runs after 0 s"):
        world.client.deploy(group, "d", a_template(), {}, deadline_seconds=0)
    heard: list[str] = []
    with pytest.raises(Unsettled):
        world.client.deploy(group, "d", a_template(), {}, say=heard.append, deadline_seconds=0)
    started = [path for method, path in world.writes() if path.endswith("/deployments/d")]
    assert len(started) == 1
    assert "runs already" in heard[0]
    # it would go on once the fault is lifted, beside what the next test deploys
    world.client.cancel(group, "d")


def test_a_cancelled_deployment_says_so_and_cancelling_again_is_harmless(world: World, group: str) -> None:
    world.faulty({"subject": "PUT Microsoft.Resources/deployments d", "how": "never-ending", "times": 1})
    with pytest.raises(Unsettled):
        world.client.deploy(group, "d", a_template(), {}, deadline_seconds=0)
    world.client.cancel(group, "d")
    world.client.cancel(group, "d")
    found = world.client.deployment(group, "d")
    assert found is not None
    assert found.state == "Canceled"
    assert world.client.deploy(group, "d", a_template(), {}).succeeded


def test_a_deployment_left_by_a_stopped_rehearsal_has_failed_and_runs_again(world: World, group: str) -> None:
    world.faulty({"subject": "PUT Microsoft.Resources/deployments d", "how": "never-ending", "times": 1})
    with pytest.raises(Unsettled):
        world.client.deploy(group, "d", a_template(), {}, deadline_seconds=0)
    world.open()
    assert world.client.deploy(group, "d", a_template(), {}).succeeded


def test_the_newest_deployment_that_ended_well_is_found_behind_an_empty_page(world: World, group: str) -> None:
    world.client.deploy(group, "app-base-1", a_template(), {})
    world.client.deploy(group, "app-base-2", a_template(), {})
    world.client.deploy(group, "other", a_template(), {})
    found = world.client.last(group, "app-base-")
    assert found is not None
    assert found.name == "app-base-2"
    assert world.client.last(group, "nothing-") is None


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("throttle", Unsettled, "SubscriptionRequestsThrottled"),
        ("500", Unsettled, "InternalServerError"),
        ("409", Unsettled, "AnotherOperationInProgress"),
        ("403", Broken, "a role with Microsoft.Resources/deployments/write"),
    ],
)
def test_refusals_at_the_door_are_told_as_what_they_are(
    world: World, group: str, how: str, error: type[Exception], said: str
) -> None:
    world.faulty({"subject": "PUT Microsoft.Resources/deployments *", "how": how})
    with pytest.raises(error, match=said):
        world.client.deploy(group, "d", a_template(), {})


def test_progress_is_told_while_a_deployment_runs(world: World, group: str) -> None:
    heard: list[str] = []
    many = [{**STORE, "name": f"store{number}"} for number in range(5)]
    world.client.deploy(group, "d", a_template(*many), {}, say=heard.append)
    assert heard[0] == f"deployment d in {group} accepted"


def test_deployments_at_the_subscription_make_groups(world: World) -> None:
    made = {"type": GROUP_TYPE, "apiVersion": "2021-04-01", "name": GROUP, "location": REGION}
    assert world.client.deploy("", "d", a_template(made), {}, location="eastus").succeeded
    seen = world.client.what_if("", "d", a_template(made), {}, location="eastus")
    assert [each.kind for each in seen.changes] == [ChangeKind.NO_CHANGE]
    assert world.client.group(GROUP) is not None


GROUP_TYPE = "Microsoft.Resources/resourceGroups"


def test_the_same_deployment_has_the_same_name_whatever_the_order_of_its_words() -> None:
    one = deployment_name("app-base", {"a": 1, "b": 2}, {"x": 1})
    assert one == deployment_name("app-base", {"b": 2, "a": 1}, {"x": 1})
    assert one != deployment_name("app-base", {"a": 1, "b": 2}, {"x": 2})
    assert len(deployment_name("n" * 90, {}, {}, "secret")) == 64


def test_a_secret_nobody_gave_is_refused_by_the_token_endpoint(world: World, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.touch(mode=0o600)
    wrong.write_text(json.dumps({"client_id": "someone", "client_secret": "guess"}))
    stranger: Any = credential(
        authority=world.served.url, tenant=TENANT, identity_file=wrong, verify=str(world.tls.certificate)
    )
    client = Client(
        credential=stranger, subscription=SUBSCRIPTION, base_url=world.served.url, verify=str(world.tls.certificate)
    )
    with pytest.raises(Broken, match="AADSTS7000215") as caught:
        client.group(GROUP)
    assert "guess" not in str(caught.value)
    client.close()
    stranger.close()


def test_a_whole_life_of_a_group_is_served(world: World) -> None:
    client = world.client
    client.ensure_group(GROUP, REGION)
    client.ensure_group(GROUP, REGION, {"env": "dev"})
    client.what_if(GROUP, "d", a_template(), {})
    client.deploy(GROUP, "d", a_template(), {})
    client.what_if(GROUP, "d", a_template(), {})
    client.last(GROUP, "d")
    client.cancel(GROUP, "d")
    client.resources(GROUP)
    client.resource(client.resources(GROUP)[0], "2023-01-01")
    world.faulty({"subject": "PUT Microsoft.Storage/*", "how": "failed", "times": 1})
    with pytest.raises(Broken):
        client.deploy(GROUP, "e", a_template({**STORE, "name": "other"}), {})
    client.delete_group(GROUP)
    client.group(GROUP)
    # whether each exchange is one of Azure's is judged after every test: tests/exchanges.py
    assert len(world.arm.exchanges) > 20
    assert world.client.group(GROUP) is None
