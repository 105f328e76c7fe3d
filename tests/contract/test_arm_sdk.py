"""Resource Manager's manners through Azure's own SDK: operations in every style, pages, locks, names, roles, tokens."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.web import WebSiteManagementClient
from workspace.rehearsal import arm_types, behaviour, serving
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.arm_types import TYPES, Style
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

TENANT = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
REGION = "southafricanorth"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


class World:
    """A served stand-in and the SDK's clients of it."""

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
            kubeconfig=lambda group, name: f"{group}/{name}",
            deployment_seconds=0.02,
        )
        self.tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.arm.app, self.tls)
        self.credential = self.sign_in(TENANT)
        self.resources: Any = self.client(ResourceManagementClient)
        self.clusters: Any = self.client(ContainerServiceClient)

    def sign_in(self, tenant: str) -> ClientSecretCredential:
        return ClientSecretCredential(
            tenant,
            "someone",
            "whisper",
            authority=self.served.url,
            disable_instance_discovery=True,
            connection_verify=str(self.tls.certificate),
        )

    def client(self, kind: Any, scope: str = "", credential: Any = None) -> Any:
        return kind(
            credential or self.credential,
            SUBSCRIPTION,
            base_url=self.served.url,
            credential_scopes=[scope or f"{self.served.url}/.default"],
            connection_verify=str(self.tls.certificate),
            polling_interval=0,
            retry_total=0,
        )

    def faulty(self, *faults: dict[str, Any]) -> None:
        (self.folder / "faults.json").write_text(json.dumps([{"point": "arm", **each} for each in faults]))

    def put(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Make a resource, in a version its type is offered in, and wait for it."""
        resource_id = path if path.startswith("/") else f"{GROUP}/providers/{path}"
        made = {"location": place_of(resource_id), "properties": {}, **(body or {})}
        return self.resources.resources.begin_create_or_update_by_id(
            resource_id, made, api_version=version_of(resource_id)
        )

    def delete(self, path: str) -> Any:
        resource_id = path if path.startswith("/") else f"{GROUP}/providers/{path}"
        return self.resources.resources.begin_delete_by_id(resource_id, api_version=version_of(resource_id))

    def refused(self, attempt: Any) -> tuple[int, str]:
        """The status and code of what a call is refused with."""
        with pytest.raises(HttpResponseError) as caught:
            attempt()
        answer = caught.value.response
        assert answer is not None
        told = json.loads(answer.text())
        return answer.status_code, str((told.get("error") or told)["code"])


def type_of(resource_id: str) -> arm_types.Type:
    rest = resource_id.rpartition("/providers/")[2].split("/")
    known = arm_types.find("/".join([rest[0], *rest[1::2]]))
    assert known is not None, resource_id
    return known


def version_of(resource_id: str) -> str:
    return type_of(resource_id).api_versions[0]


def place_of(resource_id: str) -> str:
    places = arm_types.regions_of(type_of(resource_id))
    return REGION if REGION in places else (places or ("",))[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("sdk"))
    yield made
    made.resources.close()
    made.clusters.close()
    made.credential.close()
    made.served.close()


@pytest.fixture
def world(served: World) -> World:
    served.cloud.delete(f"/subscriptions/{SUBSCRIPTION}")
    (served.folder / "faults.json").unlink(missing_ok=True)
    served.resources.resource_groups.create_or_update("g", {"location": REGION})
    served.arm.exchanges.clear()
    return served


# operations that take their time

WRITTEN = [
    ("Microsoft.Storage/storageAccounts/store", Style.LOCATION, 202, {"location"}),
    ("Microsoft.Cache/redis/cache", Style.ITSELF, 201, {"location"}),
    ("Microsoft.OperationalInsights/workspaces/logs", Style.ITSELF, 201, set()),
    ("Microsoft.ContainerService/managedClusters/k", Style.STATUS, 201, {"azure-asyncoperation"}),
    ("Microsoft.ContainerRegistry/registries/registry1", Style.STATUS, 201, {"azure-asyncoperation"}),
    ("Microsoft.DocumentDB/databaseAccounts/c", Style.STATUS, 200, {"azure-asyncoperation"}),
    ("Microsoft.DBforPostgreSQL/flexibleServers/p-1", Style.BOTH, 202, {"azure-asyncoperation", "location"}),
    ("Microsoft.Network/privateDnsZones/a.test", Style.BOTH, 202, {"azure-asyncoperation", "location"}),
    ("Microsoft.Network/virtualNetworks/v", Style.STATUS, 201, {"azure-asyncoperation"}),
    ("Microsoft.KeyVault/vaults/vault-1", Style.AT_ONCE, 200, set()),
    ("Microsoft.ManagedIdentity/userAssignedIdentities/i-1", Style.AT_ONCE, 201, {"location"}),
]


_EARLY = {"Microsoft.Cache/redis/cache": ("Creating",)}
"""Its 201 points at the resource itself, so the SDK believes that it is done: as with the real one."""


def settled(world: World, path: str) -> str:
    """The state of a resource once it is in one."""

    def ask() -> str:
        resource_id = f"{GROUP}/providers/{path}"
        found = world.resources.resources.get_by_id(resource_id, api_version=version_of(resource_id))
        return str((found.properties or {}).get("provisioningState", "Succeeded"))

    for _ in range(200):
        if ask() not in ("Creating", "Updating"):
            break
        time.sleep(0.01)
    return ask()


@pytest.mark.parametrize(("path", "style", "status", "headers"), WRITTEN, ids=[each[0] for each in WRITTEN])
def test_a_write_is_told_of_in_the_style_of_its_service_and_the_sdk_follows_it(
    world: World, path: str, style: Style, status: int, headers: set[str]
) -> None:
    made = world.put(path).result()

    first, *later = world.arm.exchanges
    assert type_of(f"{GROUP}/providers/{path}").writes is style
    assert first.status == status
    assert {"azure-asyncoperation", "location"} & first.headers.keys() == headers
    assert bool(later) == (style is not Style.AT_ONCE or bool(headers))
    assert (made.properties or {}).get("provisioningState", "Succeeded") in ("Succeeded", *_EARLY.get(path, ()))
    assert settled(world, path) == "Succeeded"
    # whether each exchange is one of Azure's is judged after every test: tests/exchanges.py


@pytest.mark.parametrize("path", [each[0] for each in WRITTEN if each[1] in (Style.STATUS, Style.BOTH, Style.LOCATION)])
def test_a_write_that_comes_to_nothing_says_so_where_it_is_followed(world: World, path: str) -> None:
    world.faulty({"subject": "PUT *", "how": "failed", "code": "QuotaExceeded", "message": "No more."})
    with pytest.raises(HttpResponseError, match="QuotaExceeded"):
        world.put(path).result()
    if type_of(f"{GROUP}/providers/{path}").writes is not Style.LOCATION:
        found = world.resources.resources.get_by_id(
            f"{GROUP}/providers/{path}", api_version=version_of(f"/providers/{path}")
        )
        assert found.properties["provisioningState"] == "Failed"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("Microsoft.Cache/redis/cache", {"location"}),
        ("Microsoft.ContainerService/managedClusters/k", {"azure-asyncoperation", "location"}),
        ("Microsoft.Storage/storageAccounts/store", set()),
    ],
)
def test_a_deletion_is_told_of_in_the_style_of_its_service(world: World, path: str, headers: set[str]) -> None:
    world.put(path).result()
    settled(world, path)
    world.arm.exchanges.clear()
    world.delete(path).result()
    first = world.arm.exchanges[0]
    assert {"azure-asyncoperation", "location"} & first.headers.keys() == headers
    assert first.status == (202 if headers else 200)
    assert world.refused(
        lambda: world.resources.resources.get_by_id(
            f"{GROUP}/providers/{path}", api_version=version_of(f"/providers/{path}")
        )
    ) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("Microsoft.ContainerService/managedClusters/k", "OperationNotAllowed"),
        ("Microsoft.Network/virtualNetworks/v", "AnotherOperationInProgress"),
    ],
)
def test_a_second_write_is_refused_while_the_first_is_under_way(world: World, path: str, code: str) -> None:
    world.faulty({"subject": "PUT *", "how": "never-ending", "times": 1})
    world.put(path)
    found = world.resources.resources.get_by_id(
        f"{GROUP}/providers/{path}", api_version=version_of(f"/providers/{path}")
    )
    assert found.properties["provisioningState"] == "Creating"
    assert world.refused(lambda: world.put(path)) == (409, code)
    assert world.refused(lambda: world.delete(path)) == (409, code)


# groups


def test_a_group_that_goes_takes_all_with_it_and_refuses_what_comes_meanwhile(world: World) -> None:
    world.put("Microsoft.ManagedIdentity/userAssignedIdentities/i-1").result()
    world.faulty({"subject": "DELETE *", "how": "never-ending"})
    world.resources.resource_groups.begin_delete("g")
    assert world.resources.resource_groups.get("g").properties.provisioning_state == "Deleting"
    assert world.refused(lambda: world.put("Microsoft.Cache/redis/r")) == (409, "ResourceGroupBeingDeleted")
    again = {"location": REGION}
    assert world.refused(lambda: world.resources.resource_groups.create_or_update("g", again))[0] == 409
    world.faulty()
    world.resources.resource_groups.begin_delete("g").result()
    assert world.resources.resource_groups.check_existence("g") is False
    assert list(world.resources.resources.list()) == []


def test_lists_come_in_pages_and_a_filtered_one_begins_with_an_empty_page(world: World) -> None:
    for number in range(52):
        world.cloud.put({"id": f"{GROUP}{number}", "name": f"g{number}", "location": REGION, "properties": {}})
    pages = list(world.resources.resource_groups.list().by_page())
    assert [len(list(page)) for page in pages] == [50, 3]
    world.resources.resource_groups.create_or_update("g7", {"location": REGION, "tags": {"env": "dev"}})
    chosen = world.resources.resource_groups.list(filter="tagName eq 'env' and tagValue eq 'dev'").by_page()
    assert [[each.name for each in page] for page in chosen] == [[], ["g7"]]
    assert len(list(world.resources.resource_groups.list(top=20))) == 53


# what is refused

LONG = "x" * 513
REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("a region nobody has", "Microsoft.Cache/redis/r", {"location": "atlantis"}, 400, "LocationNotAvailable*"),
    ("a region the type is not in", "Microsoft.Web/staticSites/s", {"location": REGION}, 400, "LocationNotAvailable*"),
    ("a global type in a region", "Microsoft.BotService/botServices/b", {"location": REGION}, 400, "LocationNot*"),
    ("no region", "Microsoft.KeyVault/vaults/vault-1", {"location": ""}, 400, "LocationRequired"),
    ("capitals in an account", "Microsoft.Storage/storageAccounts/Store", {}, 400, "AccountNameInvalid"),
    ("an account of two letters", "Microsoft.Storage/storageAccounts/st", {}, 400, "AccountNameInvalid"),
    ("a vault that begins with a digit", "Microsoft.KeyVault/vaults/1-vault", {}, 400, "VaultNameNotValid"),
    ("a registry with a dash", "Microsoft.ContainerRegistry/registries/reg-1", {}, 400, "InvalidResourceName"),
    ("a network that ends in a dash", "Microsoft.Network/virtualNetworks/v-", {}, 400, "InvalidResourceName"),
    ("too many tags", "Microsoft.Cache/redis/r", {"tags": {str(n): "" for n in range(51)}}, 400, "TooManyTags"),
    ("a long tag", "Microsoft.Cache/redis/r", {"tags": {LONG: ""}}, 400, "InvalidTagNameCharacters"),
    ("a tag with a slash", "Microsoft.Cache/redis/r", {"tags": {"a/b": ""}}, 400, "InvalidTagNameCharacters"),
    ("a long value", "Microsoft.Cache/redis/r", {"tags": {"a": LONG}}, 400, "InvalidTag"),
]


@pytest.mark.parametrize(("path", "body", "status", "code"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_write_is_refused_in_azures_words(
    world: World, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    told = world.refused(lambda: world.put(path, body))
    assert told[0] == status
    assert told[1] == code or (code.endswith("*") and told[1].startswith(code[:-1])), told


def test_types_and_versions_nobody_offers_are_refused(world: World) -> None:
    ask = world.resources.resources.begin_create_or_update_by_id
    made = {"location": REGION}
    store = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/store"
    assert world.refused(lambda: ask(store, made, api_version="2001-01-01")) == (400, "NoRegisteredProviderFound")
    elsewhere = f"{GROUP}/providers/Microsoft.Storage/warehouses/w"
    assert world.refused(lambda: ask(elsewhere, made, api_version="2023-01-01")) == (404, "InvalidResourceType")
    nowhere = f"{GROUP}/providers/Contoso.Things/things/t"
    assert world.refused(lambda: ask(nowhere, made, api_version="2023-01-01")) == (404, "InvalidResourceNamespace")


def test_a_provider_that_is_not_registered_makes_nothing_until_it_is(world: World) -> None:
    world.resources.providers.unregister("Microsoft.Cache")
    assert world.resources.providers.get("Microsoft.Cache").registration_state == "Unregistered"
    assert world.refused(lambda: world.put("Microsoft.Cache/redis/r")) == (409, "MissingSubscriptionRegistration")
    world.resources.providers.register("Microsoft.Cache")
    assert world.put("Microsoft.Cache/redis/r").result().name == "r"


def test_every_provider_lists_all_it_offers(world: World) -> None:
    listed = {
        f"{provider.namespace}/{each.resource_type}": tuple(each.api_versions)
        for provider in world.resources.providers.list()
        for each in provider.resource_types
    }
    assert listed == {name: each.api_versions for name, each in TYPES.items()}


@pytest.mark.parametrize(
    ("client", "kind"),
    [
        (ContainerRegistryManagementClient, "Microsoft.ContainerRegistry/registries"),
        (ContainerServiceClient, "Microsoft.ContainerService/managedClusters"),
        (DeploymentsMgmtClient, "Microsoft.Resources/deployments"),
        (DnsManagementClient, "Microsoft.Network/dnsZones"),
        (ResourceManagementClient, "Microsoft.Resources/resourceGroups"),
        (WebSiteManagementClient, "Microsoft.Web/sites"),
    ],
)
def test_the_version_each_client_speaks_is_offered(world: World, client: Any, kind: str) -> None:
    made = world.client(client)
    assert made._config.api_version in TYPES[kind].api_versions
    made.close()


# names


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("Microsoft.Storage/storageAccounts", "store", "StorageAccountAlreadyTaken"),
        ("Microsoft.KeyVault/vaults", "vault-1", "VaultAlreadyExists"),
        ("Microsoft.ContainerRegistry/registries", "registry1", "AlreadyInUse"),
        ("Microsoft.DBforPostgreSQL/flexibleServers", "server-1", "ServerNameAlreadyExists"),
        ("Microsoft.DocumentDB/databaseAccounts", "account-1", "Conflict"),
        ("Microsoft.Cache/redis", "cache-1", "NameNotAvailable"),
    ],
)
def test_a_name_the_whole_world_shares_is_taken_once(world: World, kind: str, name: str, code: str) -> None:
    world.put(f"{kind}/{name}").result()
    world.resources.resource_groups.create_or_update("other", {"location": REGION})
    twin = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/{kind}/{name}"
    assert world.refused(lambda: world.put(twin)) == (409, code)


# locks


def test_a_lock_keeps_what_is_below_it_from_being_deleted_or_written(world: World) -> None:
    world.put("Microsoft.Cache/redis/r").result()
    settled(world, "Microsoft.Cache/redis/r")
    lock = f"{GROUP}/providers/Microsoft.Authorization/locks/keep"
    world.put(lock, {"properties": {"level": "CanNotDelete"}}).result()
    assert world.refused(lambda: world.delete("Microsoft.Cache/redis/r")) == (409, "ScopeLocked")
    assert world.refused(lambda: world.resources.resource_groups.begin_delete("g")) == (409, "ScopeLocked")
    world.put("Microsoft.Cache/redis/r", {"tags": {"a": "1"}}).result()
    settled(world, "Microsoft.Cache/redis/r")
    world.put(lock, {"properties": {"level": "ReadOnly"}}).result()
    assert world.refused(lambda: world.put("Microsoft.Cache/redis/r")) == (409, "ScopeLocked")
    world.delete(lock).result()
    world.delete("Microsoft.Cache/redis/r").result()


# vaults that were deleted

VAULT = "Microsoft.KeyVault/vaults/vault-1"


def test_a_deleted_vault_keeps_its_name_until_it_is_recovered_with_all_in_it(world: World) -> None:
    world.put(VAULT).result()
    world.put(f"{VAULT}/secrets/one", {"properties": {"value": "sesame"}}).result()
    world.delete(VAULT).result()
    assert world.refused(lambda: world.put(VAULT)) == (409, "ConflictError")
    world.put(VAULT, {"properties": {"createMode": "recover"}}).result()
    kept = world.cloud.get(f"{GROUP}/providers/{VAULT}/secrets/one")
    assert kept is not None and kept["_value"] == "sesame"
    gone = "Microsoft.KeyVault/vaults/vault-2"
    assert world.refused(lambda: world.put(gone, {"properties": {"createMode": "recover"}}))[0] == 404


def purge(world: World, name: str) -> Any:
    binned = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/{REGION}/deletedVaults/{name}"
    path = f"{world.served.url}{binned}/purge"
    answer = world.resources._client.send_request(HttpRequest("POST", f"{path}?api-version=2023-07-01"))
    return answer.status_code, (json.loads(answer.text()).get("error") or {}).get("code") if answer.text() else ""


def test_a_group_that_goes_leaves_its_vaults_to_be_purged_unless_they_are_protected(world: World) -> None:
    world.put(VAULT).result()
    world.put("Microsoft.KeyVault/vaults/vault-2", {"properties": {"enablePurgeProtection": True}}).result()
    world.resources.resource_groups.begin_delete("g").result()
    world.resources.resource_groups.create_or_update("g", {"location": REGION})
    assert world.refused(lambda: world.put(VAULT)) == (409, "ConflictError")
    assert purge(world, "vault-1") == (202, "")
    world.put(VAULT).result()
    assert purge(world, "vault-2") == (405, "MethodNotAllowed")
    assert purge(world, "vault-3") == (404, "ResourceNotFound")


# roles

ASSIGNED = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-00000000000"
ROLE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLES['Reader']}"


def assign(world: World, number: int, principal: str, role: str = ROLE, **more: str) -> Any:
    properties = {"principalId": principal, "roleDefinitionId": role, **more}
    return world.put(f"{ASSIGNED}{number}", {"location": None, "properties": properties})


def test_a_new_identity_is_not_known_at_once_unless_it_is_said_what_it_is(world: World) -> None:
    made = world.put("Microsoft.ManagedIdentity/userAssignedIdentities/new").result()
    principal = made.properties["principalId"]
    assert world.refused(lambda: assign(world, 1, principal)) == (400, "PrincipalNotFound")
    assert assign(world, 1, principal, principalType="ServicePrincipal").result().name.endswith("1")
    nobody = "00000000-1111-4111-8111-000000000000"
    assert world.refused(lambda: assign(world, 2, nobody)) == (400, "PrincipalNotFound")
    assert assign(world, 3, behaviour.caller(SUBSCRIPTION)).result().name.endswith("3")


def test_a_role_assignment_is_refused_for_what_is_wrong_with_it(world: World) -> None:
    caller = behaviour.caller(SUBSCRIPTION)
    assert world.refused(lambda: assign(world, 1, caller, role=ROLE[:-1] + "x"))[1] == "RoleDefinitionDoesNotExist"
    assign(world, 1, caller).result()
    assert world.refused(lambda: assign(world, 2, caller)) == (409, "RoleAssignmentExists")
    other = ROLE.replace(ROLES["Reader"], ROLES["Contributor"])
    assert world.refused(lambda: assign(world, 1, caller, role=other))[1] == "RoleAssignmentUpdateNotPermitted"
    named = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/mine"
    body = {"location": None, "properties": {"principalId": caller, "roleDefinitionId": ROLE}}
    assert world.refused(lambda: world.put(named, body)) == (400, "InvalidRoleAssignmentId")


# clusters and registries

CLUSTER = {
    "location": REGION,
    "properties": {"agentPoolProfiles": [{"name": "system", "count": 1, "mode": "System", "vmSize": "B2s"}]},
}


def test_node_pools_are_one_thing_in_the_cluster_and_below_it(world: World) -> None:
    world.clusters.managed_clusters.begin_create_or_update("g", "k", CLUSTER).result()
    assert [each.name for each in world.clusters.agent_pools.list("g", "k")] == ["system"]
    added = {"properties": {"count": 2, "mode": "User", "vmSize": "B2s"}}
    world.clusters.agent_pools.begin_create_or_update("g", "k", "chain", added).result()
    grown = {"properties": {"count": 3, "mode": "System", "vmSize": "B2s"}}
    world.clusters.agent_pools.begin_create_or_update("g", "k", "system", grown).result()
    found = world.clusters.managed_clusters.get("g", "k").agent_pool_profiles
    assert [(each.name, each.count) for each in found] == [("system", 3), ("chain", 2)]
    last = world.refused(lambda: world.clusters.agent_pools.begin_delete("g", "k", "system"))
    assert last == (400, "OperationNotAllowed")
    world.clusters.agent_pools.begin_delete("g", "k", "chain").result()
    assert [each.name for each in world.clusters.agent_pools.list("g", "k")] == ["system"]


def test_a_clusters_credentials_are_for_users_and_where_allowed_for_administrators(world: World) -> None:
    world.clusters.managed_clusters.begin_create_or_update("g", "k", CLUSTER).result()
    user = world.clusters.managed_clusters.list_cluster_user_credentials("g", "k").kubeconfigs[0]
    assert (user.name, user.value.decode()) == ("clusterUser", "g/k")
    closed = {**CLUSTER, "properties": {**CLUSTER["properties"], "disableLocalAccounts": True}}  # type: ignore[dict-item]
    world.clusters.managed_clusters.begin_create_or_update("g", "k", closed).result()
    ask = world.clusters.managed_clusters.list_cluster_admin_credentials
    assert world.refused(lambda: ask("g", "k")) == (400, "BadRequest")


def test_a_registry_gives_its_administrators_password_only_where_there_is_an_administrator(world: World) -> None:
    registries = world.client(ContainerRegistryManagementClient)
    body = {"location": REGION, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": False}}
    registries.registries.begin_create("g", "registry1", body).result()
    refused = world.refused(lambda: registries.registries.list_credentials("g", "registry1"))
    assert refused == (400, "UnAuthorizedForCredentialOperations")
    body["properties"] = {"adminUserEnabled": True}
    registries.registries.begin_create("g", "registry1", body).result()
    told = registries.registries.list_credentials("g", "registry1")
    assert (told.username, len(told.passwords)) == ("registry1", 2)
    registries.close()


# deployments


def template(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources)}


def deployed(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": template(*resources), "parameters": {}}, **more}


IDENTITY = {
    "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "apiVersion": "2023-01-31",
    "name": "i-1",
    "location": REGION,
}


@pytest.fixture
def deployments(world: World) -> Iterator[Any]:
    client = world.client(DeploymentsMgmtClient)
    yield client.deployments
    client.close()


def test_a_name_is_not_used_twice_while_its_deployment_runs_and_again_afterwards(
    world: World, deployments: Any
) -> None:
    world.faulty({"subject": "PUT Microsoft.Network/*", "how": "never-ending", "times": 1})
    network = {
        "type": "Microsoft.Network/virtualNetworks",
        "apiVersion": "2024-05-01",
        "name": "v",
        "location": REGION,
        "properties": {},
    }
    deployments.begin_create_or_update("g", "d", deployed(network))
    again = lambda: deployments.begin_create_or_update("g", "d", deployed())  # noqa: E731 - asked twice
    assert world.refused(again) == (409, "DeploymentActive")
    deployments.cancel("g", "d")
    assert deployments.get("g", "d").properties.provisioning_state == "Canceled"
    again().result()
    assert world.refused(lambda: deployments.cancel("g", "d"))[0] == 409


def test_whoever_cancels_in_the_last_moment_is_told_the_truth_for_good(world: World, deployments: Any) -> None:
    world.faulty({"subject": "PUT Microsoft.Storage/*", "how": "never-ending", "times": 1})
    store = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-01-01",
        "name": "store",
        "location": REGION,
    }
    poller = deployments.begin_create_or_update("g", "d", deployed(store))
    while not list(deployments_operations(world, "d")):
        pass
    deployments.cancel("g", "d")
    assert deployments.get("g", "d").properties.provisioning_state == "Canceled"
    with pytest.raises(HttpResponseError):
        poller.result()
    assert deployments.get("g", "d").properties.provisioning_state == "Canceled"


def deployments_operations(world: World, name: str) -> Any:
    client = world.client(DeploymentsMgmtClient)
    found = list(client.deployment_operations.list("g", name))
    client.close()
    return found


def test_cancelling_a_deployment_cancels_those_inside_it(world: World, deployments: Any) -> None:
    world.faulty({"subject": "PUT Microsoft.ManagedIdentity/*", "how": "throttle"})
    world.arm._deployments._pace = lambda: 0.2
    inner = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": "inner",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": template(IDENTITY),
        },
    }
    poller = deployments.begin_create_or_update("g", "outer", deployed(inner))
    while not deployments.check_existence("g", "inner"):
        pass
    deployments.cancel("g", "outer")
    with pytest.raises(HttpResponseError):
        poller.result()
    world.arm._deployments._pace = lambda: 0.02
    assert _settled(lambda: deployments.get("g", "inner").properties.provisioning_state) == "Canceled"
    world.faulty()
    assert deployments.begin_create_or_update("g", "outer", deployed(inner)).result() is not None


def _settled(ask: Any) -> str:
    for _ in range(200):
        if ask().value not in ("Accepted", "Running"):
            break
        time.sleep(0.02)
    return str(ask().value)


def test_a_deployment_of_the_subscription_stays_where_it_was_begun(world: World, deployments: Any) -> None:
    group = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "h", "location": REGION}
    deployments.begin_create_or_update_at_subscription_scope("d", deployed(group, location="eastus")).result()
    moved = lambda: deployments.begin_create_or_update_at_subscription_scope(  # noqa: E731 - called by the helper
        "d", deployed(group, location="westus")
    )
    assert world.refused(moved) == (409, "InvalidDeploymentLocation")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
    ({"tags": {"a/b": ""}}, "InvalidTagNameCharacters"),
    ({"apiVersion": "2001-01-01"}, "NoRegisteredProviderFound"),
    ({"type": "Microsoft.ManagedIdentity/things"}, "InvalidResourceType"),
]


@pytest.mark.parametrize(("change", "code"), WRONG)
def test_what_can_be_seen_to_be_refused_is_refused_before_anything_is_made(
    world: World, deployments: Any, change: dict[str, Any], code: str
) -> None:
    good = {**IDENTITY, "name": "i-0"}
    asked = deployed(good, {**IDENTITY, **change, "dependsOn": [f"{IDENTITY['type']}/i-0"]})
    for attempt in (deployments.begin_validate, deployments.begin_what_if, deployments.begin_create_or_update):
        with pytest.raises(HttpResponseError, match=code) as caught:
            attempt("g", "d", asked)
        assert caught.value.status_code in (400, 404)
    assert deployments.check_existence("g", "d") is False
    assert list(world.resources.resources.list_by_resource_group("g")) == []


def test_a_deployment_registers_the_providers_of_its_template(world: World, deployments: Any) -> None:
    world.resources.providers.unregister("Microsoft.ManagedIdentity")
    deployments.begin_create_or_update("g", "d", deployed(IDENTITY)).result()
    assert world.resources.providers.get("Microsoft.ManagedIdentity").registration_state == "Registered"


def test_what_a_deployment_did_is_told_step_by_step_and_its_template_is_kept(world: World, deployments: Any) -> None:
    deployments.begin_create_or_update("g", "d", deployed(IDENTITY)).result()
    client = world.client(DeploymentsMgmtClient)
    (step,) = list(client.deployment_operations.list("g", "d"))
    same = client.deployment_operations.get("g", "d", step.operation_id)
    assert same.properties.target_resource.id.endswith("/i-1")
    assert world.refused(lambda: client.deployment_operations.get("g", "d", "none"))[0] == 404
    client.close()
    assert deployments.export_template("g", "d").template["resources"] == [IDENTITY]


# tokens


def test_a_token_is_for_one_tenant_and_one_resource(world: World) -> None:
    stranger = world.sign_in("99999999-2222-4333-8444-555555555555")
    with pytest.raises(ClientAuthenticationError, match=r"AADSTS90002|tenant"):
        stranger.get_token(f"{world.served.url}/.default")
    stranger.close()
    with pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
        world.credential.get_token("https://nowhere.example/.default")
    wrong = world.client(ResourceManagementClient, scope="https://vault.azure.net/.default")
    with pytest.raises(HttpResponseError, match="InvalidAuthenticationTokenAudience"):
        wrong.resource_groups.get("g")
    wrong.close()
    right = world.client(ResourceManagementClient, scope="https://management.azure.com/.default")
    assert right.resource_groups.get("g").name == "g"
    right.close()
