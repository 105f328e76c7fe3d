"""What is asked of Azure before anything is changed, by the real client of the stand-in over loopback https."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from workspace.clients.inspection import Inspection, allows
from workspace.errors import Broken, Unsettled
from workspace.rehearsal import arm_rules, behaviour, serving, vault_bin, web, zone
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

TENANT = behaviour.TENANT
SUBSCRIPTION = "66666666-7777-4888-8999-000000000001"
OTHER = "66666666-7777-4888-8999-000000000002"
BASE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{BASE}/resourceGroups/g"
VAULTS = f"{GROUP}/providers/Microsoft.KeyVault/vaults"
GET_SECRET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"


class Here:
    """A stand-in of its own, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cloud = folder, Cloud(folder / "cloud")
        faults = Faults(folder)
        self.arm = Arm(
            self.cloud,
            faults,
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            extra_routes=[*zone.routes(self.cloud, faults), *web.routes(self.cloud, faults, folder / "packages")],
        )
        self.tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.arm.app, self.tls)
        self.put({"id": GROUP, "name": "g", "location": "eastus"})
        self.client = self.connect()

    def connect(self, **changed: str) -> Inspection:
        told = {"tenant": TENANT, "client_secret": "whisper", "subscription": SUBSCRIPTION, **changed}
        verify = str(self.tls.certificate)
        credential = ClientSecretCredential(
            told["tenant"],
            "someone",
            told["client_secret"],
            authority=self.served.url,
            disable_instance_discovery=True,
            connection_verify=verify,
        )
        return Inspection(
            credential=credential,
            subscription=told["subscription"],
            base_url=self.served.url,
            verify=verify,
            timeout_seconds=5,
        )

    def put(self, resource: dict[str, Any]) -> None:
        self.cloud.put(behaviour.complete(resource))

    def fail(self, *faults: dict[str, Any]) -> None:
        (self.folder / "faults.json").write_text(json.dumps(faults))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    yield made
    made.client.close()
    made.served.close()


def test_it_says_who_we_are_and_what_subscription_we_see(here: Here) -> None:
    caller, subscription = here.client.caller(), here.client.subscription()
    assert (caller.name, caller.tenant, caller.object_id) == ("someone", TENANT, behaviour.caller(SUBSCRIPTION))
    assert subscription is not None
    assert (subscription.tenant, subscription.state) == (TENANT, "Enabled")


def test_a_subscription_that_we_cannot_see_is_none(here: Here) -> None:
    assert here.connect(subscription=OTHER).subscription() is None


def test_a_wrong_secret_is_broken_with_what_the_other_side_said(here: Here) -> None:
    with pytest.raises(Broken, match="AADSTS7000215"):
        here.connect(client_secret="guessed").caller()


def test_providers_are_told_with_their_state(here: Here) -> None:
    arm_rules.register(here.cloud, SUBSCRIPTION, "Microsoft.Web", registered=False)
    told = here.client.providers()
    assert (told["microsoft.web"], told["microsoft.storage"]) == ("Unregistered", "Registered")


def test_an_owner_may_assign_roles_and_may_not_read_secrets_without_a_role_for_them(here: Here) -> None:
    here.put({"id": f"{VAULTS}/v-1", "location": "eastus"})
    here.put({"id": f"{VAULTS}/v-2", "location": "eastus"})
    role = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{ROLES['Key Vault Secrets User']}"
    given = {"principalId": behaviour.caller(SUBSCRIPTION), "roleDefinitionId": role}
    assignment = f"{VAULTS}/v-1/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
    here.put({"id": assignment, "properties": given})
    for scope in ("", GROUP, f"{VAULTS}/v-1", f"{VAULTS}/v-2"):
        told = here.client.permissions(scope)
        assert told is not None
        assert allows(told, ASSIGN)
        assert allows(told, GET_SECRET, data=True) is (scope == f"{VAULTS}/v-1")


def test_permissions_of_a_scope_that_is_not_there_are_none(here: Here) -> None:
    assert here.client.permissions(f"{BASE}/resourceGroups/nowhere") is None
    assert here.client.permissions(f"{VAULTS}/nowhere") is None


def test_permissions_on_a_zone_are_told_by_its_own_routes_too(here: Here) -> None:
    scope = f"{GROUP}/providers/Microsoft.Network/dnszones/a.test"
    here.put({"id": scope, "location": "global"})
    told = here.client.permissions(scope)
    assert told is not None
    assert allows(told, "Microsoft.Network/dnsZones/A/write")


def test_something_is_found_by_type_and_name_in_any_case(here: Here) -> None:
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/kept"
    here.put({"id": account, "location": "eastus"})
    assert here.client.id_of("microsoft.storage/StorageAccounts", "Kept") == account
    assert here.client.id_of("Microsoft.Storage/storageAccounts", "kept2") is None
    assert here.client.id_of("Microsoft.KeyVault/vaults", "kept") is None


def test_a_contributor_to_blobs_on_a_container_may_not_sign_for_its_account(here: Here) -> None:
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/kept"
    container = f"{account}/blobServices/default/containers/ledger"
    here.put({"id": account, "location": "eastus"})
    here.put({"id": container})
    here.fail({"point": "permissions", "subject": "kept", "how": "Reader"})
    role = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{ROLES['Storage Blob Data Contributor']}"
    given = {"principalId": behaviour.caller(SUBSCRIPTION), "roleDefinitionId": role}
    assignment = f"{container}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
    here.put({"id": assignment, "properties": given})
    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
    sign = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
    on_container, on_account = here.client.permissions(container), here.client.permissions(account)
    assert on_container is not None and on_account is not None
    assert all(allows(on_container, f"{blobs}/{each}", data=True) for each in ("read", "write", "add/action", "delete"))
    assert not allows(on_account, sign)
    here.fail({"point": "permissions", "subject": "kept", "how": "Storage Blob Delegator"})
    assert allows(here.client.permissions(account) or (), sign)


def test_a_contributor_may_write_and_not_assign_roles(here: Here) -> None:
    here.fail({"point": "permissions", "subject": "g", "how": "Contributor"})
    told = here.client.permissions(GROUP)
    assert told is not None
    assert allows(told, "Microsoft.Web/sites/write")
    assert not allows(told, ASSIGN)
    assert allows(told, "Microsoft.Authorization/roleAssignments/read")


def test_usages_count_the_cores_of_the_clusters_of_that_region(here: Here) -> None:
    pools = [{"name": "system", "vmSize": "Standard_D4s_v3", "count": 3}]
    cluster = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/k"
    here.put({"id": cluster, "location": "East US", "properties": {"agentPoolProfiles": pools}})
    told = {each.name: (each.used, each.limit) for each in here.client.usages("eastus")}
    assert (told["cores"], told["standardDSv3Family"], told["standardBSFamily"]) == ((12, 350), (12, 350), (0, 350))
    assert {each.used for each in here.client.usages("westeurope")} == {0}


def test_a_name_is_free_taken_or_held_by_something_deleted(here: Here) -> None:
    vault = {"id": f"{VAULTS}/gone", "name": "gone", "location": "eastus", "properties": {}}
    here.cloud.put(vault)
    vault_bin.throw_away(here.cloud, vault)
    here.put({"id": f"/subscriptions/{OTHER}/resourceGroups/h/providers/Microsoft.Storage/storageAccounts/theirs"})
    assert here.client.availability("Microsoft.Storage/storageAccounts", "ours1").available
    taken = here.client.availability("Microsoft.Storage/storageAccounts", "theirs")
    assert (taken.available, taken.reason) == (False, "The storage account named theirs is already taken.")
    assert not here.client.availability("Microsoft.KeyVault/vaults", "gone").available
    assert [(each.name, each.region) for each in here.client.deleted("Microsoft.KeyVault/vaults")] == [
        ("gone", "eastus")
    ]


@pytest.mark.parametrize(
    "kind",
    ["Microsoft.ContainerRegistry/registries", "Microsoft.Web/sites", "Microsoft.DBforPostgreSQL/flexibleServers"],
)
def test_other_kinds_are_asked_at_their_own_provider(here: Here, kind: str) -> None:
    assert here.client.availability(kind, "something5").available


def test_what_is_ours_is_told_page_after_page(here: Here) -> None:
    for number in range(120):
        here.put({"id": f"{VAULTS}/v-{number}", "location": "eastus"})
    assert len({name for kind, name in here.client.resources() if kind == "microsoft.keyvault/vaults"}) == 120


def test_nobody_at_the_address_is_unsettled(here: Here) -> None:
    here.client.caller()
    here.served.close()
    with pytest.raises(Unsettled):
        here.client.providers()


@pytest.mark.parametrize("by", ["name", "id"])
def test_an_assignment_of_a_role_is_found_by_scope_principal_and_role(here: Here, by: str) -> None:
    here.put({"id": f"{VAULTS}/v-1", "location": "eastus"})
    roles = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions"
    pulls, reads = f"{roles}/{ROLES['AcrPull']}", f"{roles}/{ROLES['Reader']}"
    scope = f"{VAULTS}/v-1"
    numbers = {(scope, "p-1", reads): 1, (scope, "p-1", pulls): 2, (GROUP, "p-1", pulls): 3, (scope, "p-2", pulls): 4}
    for (at, principal, role), number in numbers.items():
        its = f"{at}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-00000000000{number}"
        here.put({"id": its, "properties": {"principalId": principal, "roleDefinitionId": role, "scope": at}})
    wanted = {"name": "AcrPull", "id": pulls}[by]
    assert here.client.role_assignment(scope, "p-1", wanted).endswith("/00000000-0000-4000-8000-000000000002")
    other_case = scope.replace("resourceGroups/g", "resourcegroups/G")
    assert here.client.role_assignment(other_case, "P-1", wanted).endswith("2"), "Azure's ids have no case"
    assert here.client.role_assignment(scope, "p-3", wanted) == ""
    assert here.client.role_assignment(scope, "p-2", reads) == ""
