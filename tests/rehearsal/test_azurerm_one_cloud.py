"""One cloud, two tools: what Resource Manager holds, keeps or refuses is so for Terraform's plugin too, and back."""

import asyncio
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from test_azurerm import GROUP, STANDING, SUBNET, SUBSCRIPTION, VAULT, create, refusal
from workspace.rehearsal import behaviour, serving, vault_bin
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.arm_types import find
from workspace.rehearsal.azurerm import Azurerm
from workspace.rehearsal.azurerm_wire import ProviderError, Values
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Faults

OTHER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    made = Cloud(tmp_path / "cloud")
    for resource_id, rest in STANDING.items():
        made.put(behaviour.complete({"id": resource_id, **copy.deepcopy(rest)}))
    made.put({"id": OTHER, "name": "other", "location": "eastus", "properties": {}})
    return made


@pytest.fixture
def plugin(cloud: Cloud, faults: Faults) -> Azurerm:
    return Azurerm(cloud, faults, SUBSCRIPTION, behaviour.TENANT)


@pytest.fixture
def arm(cloud: Cloud, faults: Faults) -> Arm:
    return Arm(
        cloud,
        faults,
        tenant=behaviour.TENANT,
        client_id="c",
        client_secret="s",
        subscription=SUBSCRIPTION,
        deployment_seconds=0.0,
    )


def ask(arm: Arm, method: str, resource_id: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
    """The status Resource Manager answers with, and the code where it is an error."""
    known = find(parse(resource_id).type)
    assert known is not None
    headers = {"authorization": f"Bearer {arm.identity.token()}"}
    target = f"{resource_id}?api-version={known.api_versions[0]}"
    content = json.dumps(body).encode() if body is not None else b""
    answer = asyncio.run(serving.ask(arm.app, method, target, headers, content))
    told = json.loads(answer.content) if answer.content else {}
    return answer.status, str(told.get("error", {}).get("code", ""))


def destroy(plugin: Azurerm, kind: str, made: Values) -> None:
    plugin.apply("", kind, made, None, {})


def test_what_a_template_made_is_there_already_for_terraform(plugin: Azurerm, arm: Arm) -> None:
    made = f"{GROUP}/providers/Microsoft.KeyVault/vaults/mystiradev"
    assert ask(arm, "PUT", made, {"location": "eastus", "properties": {}})[0] == 200
    assert f'A resource with the ID "{made}" already exists' in refusal(plugin, "azurerm_key_vault")


@pytest.mark.parametrize(
    ("kind", "type", "code"),
    [
        ("azurerm_key_vault", "Microsoft.KeyVault/vaults", "VaultAlreadyExists"),
        ("azurerm_storage_account", "Microsoft.Storage/storageAccounts", "StorageAccountAlreadyTaken"),
        ("azurerm_container_registry", "Microsoft.ContainerRegistry/registries", "AlreadyInUse"),
        ("azurerm_redis_cache", "Microsoft.Cache/redis", "NameNotAvailable"),
        ("azurerm_postgresql_flexible_server", "Microsoft.DBforPostgreSQL/flexibleServers", "ServerNameAlreadyExists"),
        ("azurerm_servicebus_namespace", "Microsoft.ServiceBus/namespaces", "NamespaceUnavailable"),
    ],
)
def test_a_name_that_one_tool_took_is_taken_for_the_other_in_every_group(
    plugin: Azurerm, arm: Arm, cloud: Cloud, kind: str, type: str, code: str
) -> None:
    asked = {"location": "eastus", "properties": {}}
    assert ask(arm, "PUT", f"{OTHER}/providers/{type}/mystiradev", asked)[0] in (200, 201, 202)
    assert f"409 (409 Conflict) with error: {code}" in refusal(plugin, kind)
    cloud.delete(f"{OTHER}/providers/{type}/mystiradev")
    create(plugin, kind)
    assert ask(arm, "PUT", f"{OTHER}/providers/{type}/mystiradev", asked) == (409, code)


def test_a_lock_of_terraforms_stops_resource_manager_and_the_other_way_round(plugin: Azurerm, arm: Arm) -> None:
    made = create(plugin, "azurerm_storage_account")
    lock = create(plugin, "azurerm_management_lock", scope=GROUP)
    assert ask(arm, "DELETE", made["id"]) == (409, "ScopeLocked")
    with pytest.raises(ProviderError, match=r"performing Delete: unexpected status 409.*ScopeLocked"):
        destroy(plugin, "azurerm_storage_account", made)
    destroy(plugin, "azurerm_management_lock", lock)
    destroy(plugin, "azurerm_storage_account", made)


def test_a_region_that_is_none_is_refused(plugin: Azurerm) -> None:
    said = refusal(plugin, "azurerm_storage_account", location="Atlantis")
    assert "LocationNotAvailableForResourceType: The provided location 'atlantis'" in said


def test_a_vault_terraform_destroys_is_purged_unless_features_or_protection_keep_it(
    plugin: Azurerm, arm: Arm, cloud: Cloud
) -> None:
    destroy(plugin, "azurerm_key_vault", create(plugin, "azurerm_key_vault"))
    assert list(vault_bin.listed(cloud)) == []
    protected = create(plugin, "azurerm_key_vault", purge_protection_enabled=True)
    destroy(plugin, "azurerm_key_vault", protected)
    assert [each["name"] for each in vault_bin.listed(cloud)] == ["mystiradev"]
    asked = {"location": "eastus", "properties": {}}
    assert ask(arm, "PUT", f"{OTHER}/providers/Microsoft.KeyVault/vaults/mystiradev", asked) == (409, "ConflictError")


def features(**settings: bool) -> Values:
    return {"features": [{"key_vault": [settings]}]}


def test_features_decide_whether_a_deleted_vault_is_recovered(plugin: Azurerm, cloud: Cloud) -> None:
    plugin.configure("", features(purge_soft_delete_on_destroy=False))
    made = create(plugin, "azurerm_key_vault", tags={"a": "1"})
    destroy(plugin, "azurerm_key_vault", made)
    plugin.configure("", features(recover_soft_deleted_key_vaults=False))
    assert "automatically recovering this KeyVault has been disabled" in refusal(plugin, "azurerm_key_vault")
    plugin.configure("", features())
    assert create(plugin, "azurerm_key_vault")["id"] == made["id"]
    assert list(vault_bin.listed(cloud)) == []


def test_features_decide_whether_a_deleted_secret_holds_its_name(plugin: Azurerm, cloud: Cloud) -> None:
    kind, name = "azurerm_key_vault_secret", f"{VAULT}/deletedsecrets/mystiradev"
    destroy(plugin, kind, create(plugin, kind))
    assert cloud.get(name) is None
    plugin.configure("", features(purge_soft_deleted_secrets_on_destroy=False))
    destroy(plugin, kind, create(plugin, kind))
    assert cloud.get(name) is not None
    plugin.configure("", features(recover_soft_deleted_secrets=False))
    assert "deleted but recoverable" in refusal(plugin, kind)
    plugin.configure("", features())
    create(plugin, kind)
    assert cloud.get(name) is None


def test_whoever_has_no_role_on_a_vault_writes_no_secret_into_it(plugin: Azurerm, cloud: Cloud) -> None:
    cloud.delete(f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/deployer")
    assert "403 (403 Forbidden) with error: Forbidden" in refusal(plugin, "azurerm_key_vault_secret")


def test_what_something_else_uses_is_not_deleted_by_either_tool(plugin: Azurerm, arm: Arm, cloud: Cloud) -> None:
    group = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/nsg"
    link = {"subnet_id": SUBNET, "network_security_group_id": group}
    made = create(plugin, "azurerm_subnet_network_security_group_association", **link)
    assert ask(arm, "DELETE", group) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
    prior = {"id": group, "name": "nsg", "resource_group_name": "rg"}
    with pytest.raises(ProviderError, match=r"InUseNetworkSecurityGroupCannotBeDeleted.*subnets/apps"):
        destroy(plugin, "azurerm_network_security_group", prior)
    destroy(plugin, "azurerm_subnet_network_security_group_association", made)
    destroy(plugin, "azurerm_network_security_group", prior)


@pytest.mark.parametrize(
    ("used", "user", "code"),
    [
        ("Microsoft.Web/serverfarms/plan", ("Microsoft.Web/sites/app", "serverFarmId"), (409, "Conflict")),
        (
            "Microsoft.Network/publicIPAddresses/ip",
            ("Microsoft.Network/natGateways/nat2", "publicIpAddress"),
            (400, "PublicIPAddressCannotBeDeleted"),
        ),
        (
            "Microsoft.Network/privateDnsZones/internal.test",
            ("Microsoft.Network/privateDnsZones/internal.test/virtualNetworkLinks/l", "virtualNetwork"),
            (409, "CannotDeleteResource"),
        ),
    ],
)
def test_a_plan_an_address_or_a_zone_in_use_stays(
    arm: Arm, cloud: Cloud, used: str, user: tuple[str, str], code: tuple[int, str]
) -> None:
    mine = f"{GROUP}/providers/{used}"
    cloud.put(behaviour.complete({"id": mine, "location": "eastus"}))
    cloud.put({"id": f"{GROUP}/providers/{user[0]}", "properties": {user[1]: {"id": mine.upper()}}})
    assert ask(arm, "DELETE", mine) == code
    cloud.delete(f"{GROUP}/providers/{user[0]}")
    assert ask(arm, "DELETE", mine)[0] in (200, 202)
