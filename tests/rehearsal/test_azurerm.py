"""The azurerm stand-in without Terraform: what it plans, writes, reads back and refuses."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from workspace.rehearsal import behaviour
from workspace.rehearsal.azurerm import LINKS, SUBSCRIPTION, Azurerm, schemas
from workspace.rehearsal.azurerm_rules import role_id
from workspace.rehearsal.azurerm_types import TYPES
from workspace.rehearsal.azurerm_wire import UNKNOWN, Block, ProviderCrash, ProviderError, Values, conform, elements
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/mystiraaccount"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg"
BUS = f"{GROUP}/providers/Microsoft.ServiceBus/namespaces/mystira-bus"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/vault"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/somebody"
PRIVATE_ZONE = f"{NETWORK}/privateDnsZones/internal.test"
SUBNET = f"{NETWORK}/virtualNetworks/vnet/subnets/apps"
STANDING: Mapping[str, Values] = {
    GROUP: {"location": "eastus"},
    f"{NETWORK}/virtualNetworks/vnet": {"properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}},
    SUBNET: {"properties": {"addressPrefixes": ["10.0.1.0/24"]}},
    f"{NETWORK}/networkSecurityGroups/nsg": {},
    f"{NETWORK}/natGateways/nat": {},
    f"{NETWORK}/publicIPAddresses/ip": {},
    f"{NETWORK}/dnsZones/example.test": {},
    PRIVATE_ZONE: {},
    ACCOUNT: {"sku": {"name": "Standard_LRS", "tier": "Standard"}},
    CLUSTER: {"location": "eastus"},
    SERVER: {},
    BUS: {"sku": {"name": "Standard"}},
    f"{BUS}/topics/topic": {},
    VAULT: {"location": "eastus", "properties": {"enableRbacAuthorization": True}},
    f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/deployer": {
        "properties": {
            "principalId": behaviour.caller(SUBSCRIPTION),
            "roleDefinitionId": role_id(SUBSCRIPTION, "Key Vault Secrets Officer"),
        }
    },
    IDENTITY: {},
    f"{GROUP}/providers/Microsoft.Cache/redis/cache": {},
    f"{GROUP}/providers/Microsoft.Insights/components/insights": {},
}
BY_NAME: Mapping[str, Any] = {
    "address_space": ["10.9.0.0/16"],
    "audience": ["api://AzureADTokenExchange"],
    "key_vault_id": VAULT,
    "kubernetes_cluster_id": CLUSTER,
    "location": "East US",
    "name": "mystiradev",
    "namespace_id": BUS,
    "network_security_group_name": "nsg",
    "private_dns_zone_id": PRIVATE_ZONE,
    "redis_cache_name": "cache",
    "resource_group_id": GROUP,
    "resource_group_name": "rg",
    "scope": GROUP,
    "server_id": SERVER,
    "server_name": "pg",
    "storage_account_id": ACCOUNT,
    "subnet_id": SUBNET,
    "target_resource_id": VAULT,
    "topic_id": f"{BUS}/topics/topic",
    "ttl": 300,
    "user_assigned_identity_id": IDENTITY,
    "virtual_network_name": "vnet",
}
BY_KIND: Mapping[str, Values] = {
    "azurerm_application_insights": {"application_type": "web"},
    "azurerm_consumption_budget_resource_group": {
        "time_period": [{"start_date": "2026-11-01T00:00:00Z"}],
        "notification": [{"operator": "GreaterThan", "threshold": 80, "contact_emails": ["a@example.test"]}],
    },
    "azurerm_container_registry": {"sku": "Standard"},
    "azurerm_dns_caa_record": {"zone_name": "example.test", "record": [{"flags": 0, "tag": "issue", "value": "ca"}]},
    "azurerm_dns_a_record": {"zone_name": "example.test", "records": ["10.0.0.1"]},
    "azurerm_dns_cname_record": {"zone_name": "example.test", "record": "www.example.test"},
    "azurerm_dns_ns_record": {"zone_name": "example.test", "records": ["ns1.example.test"]},
    "azurerm_dns_txt_record": {"zone_name": "example.test", "record": [{"value": "hello"}]},
    "azurerm_dns_zone": {"name": "other.test"},
    "azurerm_key_vault": {"sku_name": "standard", "tenant_id": behaviour.TENANT, "rbac_authorization_enabled": True},
    "azurerm_key_vault_secret": {"value": "canary-of-the-vault"},
    "azurerm_kubernetes_cluster": {
        "dns_prefix": "mystira",
        "oidc_issuer_enabled": True,
        "identity": [{"type": "SystemAssigned"}],
        "default_node_pool": [{"name": "system", "vm_size": "Standard_B2s", "node_count": 2}],
    },
    "azurerm_managed_redis": {"sku_name": "Balanced_B0", "default_database": [{}]},
    "azurerm_management_lock": {"lock_level": "CanNotDelete"},
    "azurerm_monitor_action_group": {"short_name": "mystira-dev"},
    "azurerm_portal_dashboard": {"dashboard_properties": '{"lenses":{"0":{"order":0,"parts":{}}}}'},
    "azurerm_monitor_diagnostic_setting": {
        "log_analytics_workspace_id": VAULT,
        "enabled_log": [{"category_group": "allLogs"}],
    },
    "azurerm_monitor_metric_alert": {
        "scopes": [VAULT],
        "criteria": [
            {
                "aggregation": "Average",
                "metric_name": "Availability",
                "metric_namespace": "Microsoft.KeyVault/vaults",
                "operator": "LessThan",
                "threshold": 99,
            }
        ],
    },
    "azurerm_postgresql_flexible_server": {"administrator_login": "boss", "administrator_password": "canary-pg"},
    "azurerm_private_dns_a_record": {"records": ["10.0.0.1"]},
    "azurerm_private_dns_cname_record": {"record": "a.example.test"},
    "azurerm_private_dns_zone": {"name": "second.test"},
    "azurerm_private_dns_zone_virtual_network_link": {"virtual_network_id": f"{NETWORK}/virtualNetworks/vnet"},
    "azurerm_private_endpoint": {
        "private_service_connection": [
            {"name": "c", "is_manual_connection": False, "private_connection_resource_id": VAULT}
        ]
    },
    "azurerm_public_ip": {"allocation_method": "Static"},
    "azurerm_redis_cache": {"capacity": 1, "family": "C", "sku_name": "Standard"},
    "azurerm_role_assignment": {"role_definition_name": "AcrPull", "principal_id": "p"},
    "azurerm_servicebus_namespace": {"sku": "Standard"},
    "azurerm_storage_account": {"account_tier": "Standard", "account_replication_type": "ZRS"},
    "azurerm_storage_share": {"quota": 100},
    "azurerm_subnet": {"address_prefixes": ["10.0.8.0/22"]},
}
LINKED: Mapping[str, Values] = {
    "azurerm_subnet_network_security_group_association": {
        "subnet_id": SUBNET,
        "network_security_group_id": f"{NETWORK}/networkSecurityGroups/nsg",
    },
    "azurerm_subnet_nat_gateway_association": {"subnet_id": SUBNET, "nat_gateway_id": f"{NETWORK}/natGateways/nat"},
    "azurerm_nat_gateway_public_ip_association": {
        "nat_gateway_id": f"{NETWORK}/natGateways/nat",
        "public_ip_address_id": f"{NETWORK}/publicIPAddresses/ip",
    },
}
KINDS = sorted(TYPES)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """A cloud that holds what the resources under test belong to."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    for resource_id, rest in STANDING.items():
        cloud.put(behaviour.complete({"id": resource_id, **copy.deepcopy(rest)}))
    return cloud


@pytest.fixture
def cloud(standing: Cloud) -> Iterator[Cloud]:
    """The same cloud for every test, put back as it was afterwards."""
    before = {each["id"]: each for each in standing.all()}
    yield standing
    for each in list(standing.all()):
        if each["id"] not in before:
            standing.delete(each["id"])
    for resource_id, each in before.items():
        if standing.get(resource_id) != each:
            standing.put(each)


@pytest.fixture
def plugin(cloud: Cloud, faults: Faults) -> Azurerm:
    return Azurerm(cloud, faults, SUBSCRIPTION, behaviour.TENANT)


def config_of(kind: str, **changes: Any) -> Values:
    """A small configuration that Azure would accept."""
    schema = schemas().resources[kind]
    given = {**{name: BY_NAME.get(name) for name in schema.attributes if schema.attributes[name].required}}
    given |= {name: BY_NAME[name] for name in ("resource_group_name", "name") if name in schema.attributes}
    if kind == "azurerm_role_assignment":
        del given["name"]
    wanted = {**given, **LINKED.get(kind, {}), **BY_KIND.get(kind, {}), **changes}
    for name, attribute in schema.attributes.items():
        if attribute.required and wanted.get(name) is None:
            wanted[name] = {"string": "some", "number": 1, "bool": True}.get(str(attribute.type), ["some"])
    return conform(schema, copy.deepcopy(wanted))


def proposed(schema: Block, prior: Values | None, config: Values) -> Values:
    """What Terraform proposes: the configuration, with computed values kept where nothing is configured."""
    made = dict(config)
    for name, attribute in schema.attributes.items():
        if attribute.computed and made.get(name) is None and prior is not None:
            made[name] = prior.get(name)
    for name, nested in schema.blocks.items():
        before = elements(nested, (prior or {}).get(name))
        blocks = [
            proposed(nested.block, before[index] if index < len(before) else None, each)
            for index, each in enumerate(elements(nested, config.get(name)))
        ]
        made[name] = blocks if nested.nesting != "single" else (blocks[0] if blocks else None)
    return made


def create(plugin: Azurerm, kind: str, **changes: Any) -> Values:
    config = config_of(kind, **changes)
    plugin.validate(kind, config)
    planned, _ = plugin.plan("", kind, None, copy.deepcopy(config), config)
    made = plugin.apply("", kind, None, planned, config)
    assert made is not None
    return made


def plan_again(plugin: Azurerm, kind: str, prior: Values, **changes: Any) -> tuple[Values, list[list[str | int]]]:
    config = config_of(kind, **changes)
    return plugin.plan("", kind, prior, proposed(schemas().resources[kind], prior, config), config)


def refusal(plugin: Azurerm, kind: str, **changes: Any) -> str:
    with pytest.raises(ProviderError) as refused:
        create(plugin, kind, **changes)
    return f"{refused.value.summary} {refused.value.detail}"


@pytest.mark.parametrize("kind", [*KINDS, *sorted(LINKS)])
def test_what_was_just_made_needs_no_change(plugin: Azurerm, kind: str) -> None:
    made = create(plugin, kind)
    read = plugin.read("", kind, made)
    assert read == made
    planned, replacing = plan_again(plugin, kind, made)
    assert planned == made
    assert replacing == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_unknown_after_it_was_made(plugin: Azurerm, kind: str) -> None:
    assert "known after apply" not in repr(create(plugin, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_stands_in_the_cloud_as_azure_would_show_it(plugin: Azurerm, cloud: Cloud, kind: str) -> None:
    before = {each["id"] for each in cloud.all()}
    create(plugin, kind)
    found = [each for each in cloud.all() if each["id"] not in before and "_terraform" in each]
    assert len(found) == 1
    assert found[0]["id"].startswith(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/")
    assert found[0]["name"] and "/" in found[0]["type"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_somebody_else_made_can_be_taken_over(plugin: Azurerm, cloud: Cloud, kind: str) -> None:
    made = create(plugin, kind)
    for each in list(cloud.all()):
        if each.pop("_terraform", None):
            cloud.put(each)
    adopted = plugin.import_("", kind, made["id"])
    assert adopted["id"].lower() == made["id"].lower()
    assert adopted.get("name") == made.get("name")


@pytest.mark.parametrize("kind", [*KINDS, *sorted(LINKS)])
def test_what_is_deleted_is_gone_and_deleting_it_again_is_harmless(plugin: Azurerm, kind: str) -> None:
    made = create(plugin, kind)
    for _ in range(2):
        assert plugin.apply("", kind, made, None, {}) is None
    assert plugin.read("", kind, made) is None


def test_what_only_azure_knows_is_unknown_while_planning(plugin: Azurerm) -> None:
    config = config_of("azurerm_kubernetes_cluster")
    planned, _ = plugin.plan("", "azurerm_kubernetes_cluster", None, copy.deepcopy(config), config)
    assert planned["id"] is UNKNOWN
    assert planned["oidc_issuer_url"] is UNKNOWN
    assert planned["kubelet_identity"] is UNKNOWN
    assert planned["identity"][0]["principal_id"] is UNKNOWN
    assert planned["sku_tier"] == "Free"


def test_the_addresses_are_those_the_other_tools_see(plugin: Azurerm, cloud: Cloud) -> None:
    vault = create(plugin, "azurerm_key_vault")
    cluster = create(plugin, "azurerm_kubernetes_cluster")
    shown = cloud.get(cluster["id"])
    assert shown is not None
    assert vault["vault_uri"] == "https://mystiradev.vault.azure.net/"
    assert cluster["fqdn"] == shown["properties"]["fqdn"]
    assert (
        cluster["kubelet_identity"][0]["object_id"]
        == (shown["properties"]["identityProfile"]["kubeletidentity"]["objectId"])
    )
    assert cluster["identity"][0]["principal_id"] == shown["identity"]["principalId"]


def test_the_location_is_written_as_azure_writes_it(plugin: Azurerm) -> None:
    assert create(plugin, "azurerm_key_vault")["location"] == "eastus"


@pytest.mark.parametrize(
    ("kind", "changes", "path"),
    [
        ("azurerm_key_vault", {"name": "another"}, ["name"]),
        ("azurerm_key_vault", {"location": "westus"}, ["location"]),
        ("azurerm_key_vault", {"soft_delete_retention_days": 7}, ["soft_delete_retention_days"]),
        ("azurerm_storage_account", {"account_tier": "Premium"}, ["account_tier"]),
        ("azurerm_postgresql_flexible_server", {"delegated_subnet_id": SUBNET}, ["delegated_subnet_id"]),
        ("azurerm_role_assignment", {"principal_id": "q"}, ["principal_id"]),
        ("azurerm_dns_a_record", {"name": "second"}, ["name"]),
        ("azurerm_kubernetes_cluster_node_pool", {"vm_size": "Standard_D4s_v3"}, ["vm_size"]),
        (
            "azurerm_kubernetes_cluster",
            {"default_node_pool": [{"name": "other", "vm_size": "Standard_B2s", "node_count": 2}]},
            ["default_node_pool", 0, "name"],
        ),
    ],
)
def test_a_change_azure_cannot_make_in_place_replaces(
    plugin: Azurerm, kind: str, changes: Values, path: list[str | int]
) -> None:
    _, replacing = plan_again(plugin, kind, create(plugin, kind), **changes)
    assert path in replacing


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("azurerm_key_vault", {"tags": {"a": "b"}}),
        ("azurerm_dns_a_record", {"records": ["10.0.0.2"]}),
        ("azurerm_postgresql_flexible_server", {"storage_mb": 65536}),
        ("azurerm_storage_account", {"account_replication_type": "LRS"}),
        ("azurerm_kubernetes_cluster", {"kubernetes_version": "1.36"}),
    ],
)
def test_other_changes_are_made_in_place(plugin: Azurerm, kind: str, changes: Values) -> None:
    made = create(plugin, kind)
    planned, replacing = plan_again(plugin, kind, made, **changes)
    assert replacing == []
    assert planned != made
    updated = plugin.apply("", kind, made, planned, config_of(kind, **changes))
    assert updated is not None
    assert {name: updated[name] for name in changes} == changes
    assert plan_again(plugin, kind, updated, **changes) == (updated, [])


def test_a_new_value_gives_a_secret_a_new_version(plugin: Azurerm) -> None:
    made = create(plugin, "azurerm_key_vault_secret")
    planned, _ = plan_again(plugin, "azurerm_key_vault_secret", made, value="another canary")
    assert planned["version"] is UNKNOWN
    config = config_of("azurerm_key_vault_secret", value="another canary")
    updated = plugin.apply("", "azurerm_key_vault_secret", made, planned, config)
    assert updated is not None and updated["version"] != made["version"]


def test_a_secret_is_where_the_vault_looks_for_it(plugin: Azurerm, cloud: Cloud) -> None:
    create(plugin, "azurerm_key_vault_secret")
    kept = cloud.get(f"{VAULT}/secrets/mystiradev")
    assert kept is not None and kept["_value"] == "canary-of-the-vault"


def test_a_write_only_value_reaches_the_vault_and_no_state(plugin: Azurerm, cloud: Cloud) -> None:
    config = config_of("azurerm_key_vault_secret", value=None, value_wo="only written", value_wo_version=1)
    without = {**config, "value_wo": None}
    planned, _ = plugin.plan("", "azurerm_key_vault_secret", None, dict(without), config)
    made = plugin.apply("", "azurerm_key_vault_secret", None, planned, config)
    kept = cloud.get(f"{VAULT}/secrets/mystiradev")
    assert kept is not None and kept["_value"] == "only written"
    assert "only written" not in repr(made)


@pytest.mark.parametrize(
    ("kind", "path", "value", "attribute", "seen"),
    [
        ("azurerm_key_vault", ("tags",), {"by": "hand"}, "tags", {"by": "hand"}),
        (
            "azurerm_key_vault",
            ("properties", "publicNetworkAccess"),
            "Disabled",
            "public_network_access_enabled",
            False,
        ),
        ("azurerm_dns_a_record", ("properties", "ARecords"), [{"ipv4Address": "9.9.9.9"}], "records", ["9.9.9.9"]),
        ("azurerm_dns_a_record", ("properties", "TTL"), 60, "ttl", 60),
        ("azurerm_storage_account", ("sku", "name"), "Standard_GRS", "account_replication_type", "GRS"),
        ("azurerm_kubernetes_cluster", ("properties", "kubernetesVersion"), "1.36", "kubernetes_version", "1.36"),
        ("azurerm_postgresql_flexible_server", ("properties", "storage"), {"storageSizeGB": 64}, "storage_mb", 65536),
        ("azurerm_role_assignment", ("properties", "principalId"), "thief", "principal_id", "thief"),
    ],
)
def test_what_somebody_else_changes_is_read_back(
    plugin: Azurerm, cloud: Cloud, kind: str, path: tuple[str, ...], value: Any, attribute: str, seen: Any
) -> None:
    made = create(plugin, kind)
    before = {each["id"] for each in cloud.all() if each.get("_terraform", {}).get("type") == kind}
    resource = cloud.get(before.pop())
    assert resource is not None
    holder = resource
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    cloud.put(resource)
    read = plugin.read("", kind, made)
    assert read is not None and read[attribute] == seen


def test_what_somebody_else_changed_is_planned_back(plugin: Azurerm, cloud: Cloud) -> None:
    made = create(plugin, "azurerm_dns_a_record")
    resource = cloud.get(made["id"])
    assert resource is not None
    resource["properties"]["ARecords"] = [{"ipv4Address": "9.9.9.9"}]
    cloud.put(resource)
    read = plugin.read("", "azurerm_dns_a_record", made)
    assert read is not None
    planned, replacing = plan_again(plugin, "azurerm_dns_a_record", read)
    assert planned["records"] == ["10.0.0.1"]
    assert replacing == []


def test_what_another_tool_wrote_anew_is_read_without_what_terraform_kept(plugin: Azurerm, cloud: Cloud) -> None:
    made = create(plugin, "azurerm_key_vault", tags={"a": "b"})
    resource = cloud.get(made["id"])
    assert resource is not None
    del resource["_terraform"]
    cloud.put({**resource, "tags": {"a": "c"}})
    read = plugin.read("", "azurerm_key_vault", made)
    assert read == {**made, "tags": {"a": "c"}}


def test_what_exists_is_not_made_again(plugin: Azurerm) -> None:
    made = create(plugin, "azurerm_key_vault")
    said = refusal(plugin, "azurerm_key_vault")
    assert f'A resource with the ID "{made["id"]}" already exists' in said
    assert "needs to be imported into the State" in said


def test_nothing_is_made_in_a_group_that_is_not_there(plugin: Azurerm) -> None:
    said = refusal(plugin, "azurerm_key_vault", resource_group_name="nowhere")
    assert "404" in said and "ResourceGroupNotFound: Resource group 'nowhere' could not be found." in said


def test_nothing_is_made_below_something_that_is_not_there(plugin: Azurerm) -> None:
    assert "ParentResourceNotFound" in refusal(plugin, "azurerm_subnet", virtual_network_name="nowhere")


def test_a_group_that_holds_something_is_not_deleted(plugin: Azurerm) -> None:
    with pytest.raises(ProviderError, match="still contains Resources"):
        plugin.apply("", "azurerm_resource_group", {"id": GROUP, "name": "rg"}, None, {})


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("azurerm_key_vault", {"name": "mys-staging-mystira-chain-kv-eus"}, "3-24"),
        ("azurerm_storage_account", {"name": "mystira-chain"}, "3-24"),
        ("azurerm_container_registry", {"name": "mystira-acr"}, "5-50"),
        ("azurerm_kubernetes_cluster_node_pool", {"name": "story-generator"}, "1-12"),
        ("azurerm_monitor_action_group", {"short_name": "MystiraAlerts"}, "(1 - 12)"),
        ("azurerm_portal_dashboard", {"dashboard_properties": "{lenses"}, "invalid JSON"),
        ("azurerm_storage_account", {"account_replication_type": "RA-GRS"}, "expected account_replication_type"),
        ("azurerm_postgresql_flexible_server", {"storage_mb": 50000}, "expected storage_mb"),
        ("azurerm_postgresql_flexible_server", {"backup_retention_days": 90}, "range (7 - 35)"),
        ("azurerm_postgresql_flexible_server", {"administrator_password": None}, "administrator_password"),
        ("azurerm_key_vault_secret", {"value": None}, "one of `value,value_wo` must be specified"),
        ("azurerm_key_vault_secret", {"value_wo": "x"}, "only one of"),
        ("azurerm_role_assignment", {"role_definition_name": "AcrPuller"}, "could not find role 'AcrPuller'"),
        ("azurerm_kubernetes_cluster", {"oidc_issuer_enabled": False, "workload_identity_enabled": True}, "oidc_"),
        ("azurerm_subnet", {"address_prefixes": ["10.0.10.0/22"]}, "InvalidCIDRNotation"),
        ("azurerm_subnet", {"address_prefixes": ["10.0.1.128/25"]}, "NetcfgSubnetRangesOverlap"),
        ("azurerm_subnet", {"address_prefixes": ["10.1.0.0/24"]}, "NetcfgInvalidSubnet"),
        (
            "azurerm_subnet",
            {"delegation": [{"name": "d", "service_delegation": [{"name": "Microsoft.Cache/redis"}]}]},
            "Invalid ServiceName",
        ),
        ("azurerm_redis_cache", {"subnet_id": SUBNET}, "only allowed for the Premium"),
        ("azurerm_redis_cache", {"family": "P"}, "does not fit"),
        (
            "azurerm_postgresql_flexible_server",
            {
                "delegated_subnet_id": SUBNET,
                "private_dns_zone_id": PRIVATE_ZONE,
                "public_network_access_enabled": False,
            },
            "not delegated",
        ),
        (
            "azurerm_kubernetes_cluster",
            {
                "default_node_pool": [{"name": "system", "vm_size": "x", "vnet_subnet_id": SUBNET}],
                "network_profile": [{"network_plugin": "azure"}],
            },
            "ServiceCidrOverlapExistingSubnetsCidr",
        ),
    ],
)
def test_what_azure_refuses_is_refused(plugin: Azurerm, kind: str, changes: Values, said: str) -> None:
    assert said in refusal(plugin, kind, **changes)


def test_a_premium_share_below_its_smallest_size_is_refused(plugin: Azurerm, cloud: Cloud) -> None:
    cloud.put({"id": ACCOUNT, "name": "mystiraaccount", "sku": {"name": "Premium_LRS", "tier": "Premium"}})
    assert "100 GiB" in refusal(plugin, "azurerm_storage_share", quota=50)


def test_a_partitioned_queue_in_a_premium_namespace_is_refused(plugin: Azurerm, cloud: Cloud) -> None:
    cloud.put({"id": BUS, "name": "mystira-bus", "sku": {"name": "Premium"}})
    assert "Premium namespace" in refusal(plugin, "azurerm_servicebus_queue", partitioning_enabled=True)


def test_the_node_pools_of_a_cluster_are_below_it(plugin: Azurerm, cloud: Cloud) -> None:
    create(plugin, "azurerm_kubernetes_cluster_node_pool")
    below = [each["type"] for each in cloud.under(CLUSTER)]
    assert below == ["Microsoft.ContainerService/managedClusters/agentPools"]


def test_a_subscription_of_the_configuration_is_used_by_that_process_only(plugin: Azurerm, cloud: Cloud) -> None:
    plugin.configure("one", {"subscription_id": "11111111-1111-4111-8111-111111111111"})
    config = config_of("azurerm_resource_group", name="mine")
    for peer in ("one", "two"):
        planned, _ = plugin.plan(peer, "azurerm_resource_group", None, dict(config), config)
        plugin.apply(peer, "azurerm_resource_group", None, planned, config)
    made = [each["id"].split("/")[2] for each in cloud.all() if each["name"] == "mine"]
    assert sorted(made) == sorted(["11111111-1111-4111-8111-111111111111", SUBSCRIPTION])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("Quota", "QuotaExceeded"),
        ("Conflict", "409"),
        ("Throttled", "429"),
        ("Forbidden", "AuthorizationFailed"),
        ("SkuNotAvailable", "SkuNotAvailable"),
    ],
)
def test_a_fault_is_answered_as_azure_would(plugin: Azurerm, tmp_path: Path, how: str, said: str) -> None:
    fault = {"point": "terraform", "subject": "azurerm_key_vault.mystira*", "how": how, "times": 1}
    (tmp_path / "faults.json").write_text(json.dumps([fault]))
    assert said in refusal(plugin, "azurerm_key_vault")
    assert create(plugin, "azurerm_key_vault")["name"] == "mystiradev"


def test_a_plugin_can_be_made_to_crash(plugin: Azurerm, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps([{"point": "terraform", "subject": "*", "how": "Crash"}]))
    with pytest.raises(ProviderCrash):
        create(plugin, "azurerm_key_vault")


DATA = [
    ("azurerm_resource_group", {"name": "rg"}, "location", "eastus"),
    (
        "azurerm_key_vault",
        {"name": "vault", "resource_group_name": "rg"},
        "vault_uri",
        "https://vault.vault.azure.net/",
    ),
    ("azurerm_virtual_network", {"name": "vnet", "resource_group_name": "rg"}, "subnets", ["apps"]),
    (
        "azurerm_subnet",
        {"name": "apps", "virtual_network_name": "vnet", "resource_group_name": "rg"},
        "address_prefix",
        "10.0.1.0/24",
    ),
    ("azurerm_dns_zone", {"name": "example.test"}, "resource_group_name", "rg"),
    ("azurerm_kubernetes_cluster", {"name": "aks", "resource_group_name": "rg"}, "kubernetes_version", "1.35"),
    ("azurerm_user_assigned_identity", {"name": "somebody", "resource_group_name": "rg"}, "id", IDENTITY),
    ("azurerm_client_config", {}, "subscription_id", SUBSCRIPTION),
    ("azurerm_client_config", {}, "tenant_id", behaviour.TENANT),
    ("azurerm_role_definition", {"name": "AcrPull"}, "id", role_id(SUBSCRIPTION, "AcrPull")),
    ("azurerm_subscription", {}, "state", "Enabled"),
]


@pytest.mark.parametrize(("kind", "config", "attribute", "value"), DATA)
def test_a_data_source_answers(plugin: Azurerm, kind: str, config: Values, attribute: str, value: Any) -> None:
    answer = plugin.look_up("", kind, conform(schemas().data[kind], config))
    assert answer[attribute] == value
    assert "known after apply" not in repr(answer)


@pytest.mark.parametrize("kind", sorted(schemas().data.keys() & TYPES.keys()))
def test_a_data_source_knows_what_terraform_made(plugin: Azurerm, kind: str) -> None:
    made = create(plugin, kind)
    schema = schemas().data[kind]
    config = {name: made.get(name) for name in schema.attributes if schema.attributes[name].required}
    answer = plugin.look_up("", kind, conform(schema, config))
    assert {name: answer[name] for name in config} == config
    assert "known after apply" not in repr(answer)


def test_a_data_source_of_something_that_is_not_there_is_an_error(plugin: Azurerm) -> None:
    with pytest.raises(ProviderError, match="was not found"):
        plugin.look_up("", "azurerm_key_vault", {"name": "nowhere", "resource_group_name": "rg"})


def test_the_schema_says_what_is_sensitive_and_what_is_only_written() -> None:
    secret = schemas().resources["azurerm_key_vault_secret"].attributes
    assert secret["value"].sensitive and secret["value_wo"].write_only
    assert schemas().resources["azurerm_storage_account"].attributes["primary_access_key"].sensitive
