"""Mistakes in small workspaces: each is found by its rule, once, at its line, and what is near to it is left alone.

The wrong and the right example of each rule's page are the first mistake and the first near miss; the others stand
here. Every workspace has a quota for East US only.
"""

import json
import re
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from workspace.preflight import azure
from workspace.preflight.ages import ages
from workspace.preflight.azure_quota import cores
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding
from workspace.preflight.pages import examples

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 28)
QUOTA = {"eastus": {"total": 40, "standardDSv3Family": 10, "postgresql": 8}}
FILES = {"hcl": "stack/main.tf", "bicep": "app/main.bicep", "dockerfile": "web/Dockerfile"}
PROVIDER = 'provider "azurerm" {\n  features {}\n}\n'


def resource(type_: str, *lines: str, name: str = "this") -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f'resource "{type_}" "{name}" {{\n{body}\n}}\n'


def cluster(pool: tuple[str, ...], *lines: str, network: tuple[str, ...] = ()) -> str:
    blocks = [*lines, "default_node_pool {", *pool, "}"]
    blocks += ["network_profile {", *network, "}"] if network else []
    return resource("azurerm_kubernetes_cluster", *blocks)


def bicep(type_: str, body: str, name: str = "thing") -> str:
    return f"resource {name} '{type_}@2023-01-01' = {{\n  name: 'thing'\n{body}\n}}\n"


def pools_in_bicep(pool: str, more: str = "") -> str:
    body = f"  properties: {{\n    agentPoolProfiles: [\n      {{\n{pool}\n      }}\n    ]\n{more}  }}"
    return bicep("Microsoft.ContainerService/managedClusters", body)


POSTGRESQL = "Microsoft.DBforPostgreSQL/flexibleServers"
SERVER = "azurerm_postgresql_flexible_server"
SMALL_POOL = ('name = "system"', 'vm_size = "Standard_B2s"', "node_count = 1")
SUBNET = resource("azurerm_subnet", 'address_prefixes = ["10.0.8.0/25"]', name="nodes")
PLANNED = 'resource "azurerm_service_plan" "a" {{\n  sku_name = "{}"\n}}\n'
APP = 'resource "azurerm_linux_web_app" "a" {\n  service_plan_id = azurerm_service_plan.a.id\n'
IN_BICEP = (
    "resource plan 'Microsoft.Web/serverfarms@2023-01-01' = {{\n  name: 'plan'\n  sku: {{\n    name: '{}'\n  }}\n}}\n"
    "resource site 'Microsoft.Web/sites@2023-01-01' = {{\n  name: 'site'\n  properties: {{\n"
    "    serverFarmId: plan.id\n  }}\n}}\n"
)
REGISTRY = "azurerm_container_registry"
IMAGES = "Microsoft.ContainerRegistry/registries"
REPLICA = (
    "resource copy 'Microsoft.ContainerRegistry/registries/replications@2023-07-01' = {\n"
    "  parent: thing\n  name: 'westus2'\n  location: 'westus2'\n}\n"
)
ENDPOINT = resource(
    "azurerm_private_endpoint",
    "private_service_connection {",
    "private_connection_resource_id = azurerm_container_registry.this.id",
    "}",
)
ENDPOINT_IN_BICEP = bicep(
    "Microsoft.Network/privateEndpoints",
    "  properties: {\n    privateLinkServiceConnections: [\n      {\n        name: 'images'\n        properties: {\n"
    "          privateLinkServiceId: thing.id\n        }\n      }\n    ]\n  }",
    "door",
)
POOLER = (
    "resource pooler 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2023-03-01-preview' = {\n"
    "  parent: thing\n  name: 'pgbouncer.enabled'\n  properties: {\n    value: 'true'\n  }\n}\n"
)
CLUSTER = "Microsoft.ContainerService/managedClusters"


def opened(start: str, end: str, type_: str = "Microsoft.Sql/servers/firewallRules") -> str:
    return bicep(type_, f"  properties: {{\n    startIpAddress: '{start}'\n    endIpAddress: '{end}'\n  }}")


def burstable(name: str, tier: str) -> str:
    return bicep(POSTGRESQL, f"  sku: {{\n    name: '{name}'\n    tier: '{tier}'\n  }}")


def retaining(sku: str, status: str) -> str:
    policies = f"    policies: {{\n      retentionPolicy: {{\n        status: '{status}'\n      }}\n    }}\n"
    return bicep(IMAGES, f"  sku: {{\n    name: '{sku}'\n  }}\n  properties: {{\n{policies}  }}")


SERVERLESS = resource("azurerm_cosmosdb_account", "capabilities {", 'name = "EnableServerless"', "}", name="a")

# rule · language · workspace · a text of the line where it is found
SEEDS: list[tuple[str, str, str, str]] = [
    ("gone", "hcl", resource("azurerm_kubernetes_cluster", 'kubernetes_version = "1.28"'), '"1.28"'),
    ("gone", "hcl", resource("azurerm_postgresql_server", 'name = "old"'), "azurerm_postgresql_server"),
    ("gone", "hcl", resource("azurerm_public_ip", 'sku = "Basic"'), '"Basic"'),
    ("ended", "dockerfile", "ARG TAG=8.0\nFROM mcr.microsoft.com/dotnet/aspnet:${TAG}\n", "FROM"),
    ("ended", "dockerfile", "FROM python:3.13-slim-bullseye\n", "FROM"),
    (
        "ended",
        "bicep",
        bicep(
            "Microsoft.Web/sites", "  properties: {\n    siteConfig: {\n      linuxFxVersion: 'NODE|18-lts'\n    }\n  }"
        ),
        "linuxFxVersion",
    ),
    ("ending", "hcl", resource("azurerm_kubernetes_cluster", 'kubernetes_version = "1.35.2"'), '"1.35.2"'),
    ("ending", "dockerfile", "FROM node:24-alpine3.22\n", "FROM"),
    ("aging", "dockerfile", "FROM node:24-alpine3.23\n", "FROM"),
    ("aging", "hcl", resource("azurerm_kubernetes_cluster", 'kubernetes_version = "1.36"'), '"1.36"'),
    (
        "quota",
        "hcl",
        resource(SERVER, 'location = "eastus"', 'sku_name = "GP_Standard_D16s_v3"'),
        "GP_Standard_D16s_v3",
    ),
    (
        "quota",
        "hcl",
        resource(
            "azurerm_linux_virtual_machine_scale_set",
            'location = "eastus"',
            'sku = "Standard_D8s_v5"',
            "instances = 6",
        ),
        "Standard_D8s_v5",
    ),
    (
        "quota-undeclared",
        "hcl",
        cluster(
            ('name = "system"', 'vm_size = "Standard_E8s_v5"', "node_count = 2"),
            'location = "northeurope"',
        ),
        "Standard_E8s_v5",
    ),
    (
        "cluster-subnet",
        "hcl",
        SUBNET
        + cluster(
            (*SMALL_POOL[:2], "max_count = 4", "vnet_subnet_id = azurerm_subnet.nodes.id"),
            network=('network_plugin = "azure"',),
        ),
        "Standard_B2s",
    ),
    (
        "pod-range",
        "hcl",
        cluster(
            (*SMALL_POOL[:2], "max_count = 3"),
            network=('network_plugin = "azure"', 'network_plugin_mode = "overlay"', 'pod_cidr = "10.1.0.0/23"'),
        ),
        "10.1.0.0/23",
    ),
    (
        "zones",
        "hcl",
        resource("azurerm_managed_disk", 'location = "West US"', 'zone = "1"'),
        'zone = "1"',
    ),
    ("pool-counts", "hcl", cluster((*SMALL_POOL, "min_count = 2", "max_count = 3")), "node_count"),
    (
        "pool-counts",
        "bicep",
        pools_in_bicep("        name: 'system'\n        minCount: 4\n        maxCount: 2"),
        "agentPoolProfiles",
    ),
    (
        "pool-name",
        "hcl",
        resource("azurerm_kubernetes_cluster_node_pool", 'name = "windows"', 'os_type = "Windows"'),
        '"windows"',
    ),
    (
        "long-term-support",
        "bicep",
        bicep(
            "Microsoft.ContainerService/managedClusters",
            "  sku: {\n    tier: 'Free'\n  }\n  properties: {\n    supportPlan: 'AKSLongTermSupport'\n  }",
        ),
        "supportPlan",
    ),
    (
        "disk-without-zone",
        "bicep",
        bicep("Microsoft.Compute/disks", "  sku: {\n    name: 'UltraSSD_LRS'\n  }"),
        "UltraSSD_LRS",
    ),
    (
        "system-disk",
        "hcl",
        resource(
            "azurerm_windows_virtual_machine",
            'size = "Standard_B2s"',
            "os_disk {",
            'storage_account_type = "UltraSSD_LRS"',
            "}",
        ),
        "UltraSSD_LRS",
    ),
    (
        "slot-tier",
        "bicep",
        IN_BICEP.format("B2")
        + "resource slot 'Microsoft.Web/sites/slots@2023-01-01' = {\n  parent: site\n  name: 'staging'\n}\n",
        "parent: site",
    ),
    (
        "always-on",
        "hcl",
        PLANNED.format("F1") + APP + "  site_config {\n    always_on = true\n  }\n}\n",
        "always_on",
    ),
    (
        "host-tier",
        "bicep",
        IN_BICEP.format("F1") + "resource host 'Microsoft.Web/sites/hostNameBindings@2023-01-01' = {\n  parent: site\n"
        "  name: 'api.mystira.app'\n  properties: {\n    sslState: 'SniEnabled'\n  }\n}\n",
        "sslState",
    ),
    ("static-site-region", "hcl", resource("azurerm_static_web_app", 'location = "East US"'), "East US"),
    ("name", "hcl", resource("azurerm_eventhub_namespace", 'name = "-hub-of-dev"'), "-hub-of-dev"),
    (
        "name",
        "bicep",
        "resource s 'Microsoft.Search/searchServices@2023-11-01' = {\n  name: 'Mystira'\n}\n",
        "'Mystira'",
    ),
    (
        "serverless-throughput",
        "hcl",
        SERVERLESS
        + resource(
            "azurerm_cosmosdb_sql_container",
            "account_name = azurerm_cosmosdb_account.a.name",
            "autoscale_settings {",
            "max_throughput = 1000",
            "}",
        ),
        "max_throughput",
    ),
    (
        "serverless-regions",
        "bicep",
        bicep(
            "Microsoft.DocumentDB/databaseAccounts",
            "  properties: {\n    capabilities: [\n      {\n        name: 'EnableServerless'\n      }\n    ]\n"
            "    locations: [\n      {\n        locationName: 'eastus'\n      }\n"
            "      {\n        locationName: 'westus2'\n      }\n    ]\n  }",
        ),
        "locations",
    ),
    (
        "postgresql-storage",
        "bicep",
        bicep(POSTGRESQL, "  properties: {\n    storage: {\n      storageSizeGB: 100\n    }\n  }"),
        "storageSizeGB",
    ),
    (
        "postgresql-backup",
        "bicep",
        bicep(POSTGRESQL, "  properties: {\n    backup: {\n      backupRetentionDays: 5\n    }\n  }"),
        "backupRetentionDays",
    ),
    ("redis-size", "hcl", resource("azurerm_redis_cache", 'sku_name = "Premium"', "capacity = 6"), "capacity"),
    ("redis-premium", "hcl", resource("azurerm_redis_cache", 'sku_name = "Basic"', "shard_count = 2"), "shard_count"),
    (
        "vault-retention",
        "bicep",
        bicep("Microsoft.KeyVault/vaults", "  properties: {\n    softDeleteRetentionInDays: 120\n  }"),
        "120",
    ),
    (
        "vault-switch",
        "bicep",
        bicep("Microsoft.KeyVault/vaults", "  properties: {\n    enableSoftDelete: false\n  }"),
        "enableSoftDelete",
    ),
    (
        "log-retention",
        "hcl",
        resource("azurerm_log_analytics_workspace", 'sku = "Free"', "retention_in_days = 30"),
        "retention_in_days",
    ),
    (
        "topic-tier",
        "bicep",
        "resource bus 'Microsoft.ServiceBus/namespaces@2022-10-01-preview' = {\n  name: 'bus'\n  sku: {\n"
        "    name: 'Basic'\n  }\n}\nresource topic 'Microsoft.ServiceBus/namespaces/topics@2022-10-01-preview' = {\n"
        "  parent: bus\n  name: 'events'\n}\n",
        "parent: bus",
    ),
    (
        "bus-capacity",
        "hcl",
        resource("azurerm_servicebus_namespace", 'sku = "Premium"', "capacity = 3"),
        "capacity",
    ),
    ("registry-tier", "hcl", resource(REGISTRY, 'sku = "Standard"', "zone_redundancy_enabled = true"), "zone"),
    (
        "registry-tier",
        "hcl",
        resource(REGISTRY, 'sku = "Basic"', "georeplications {", 'location = "westus2"', "}"),
        "location",
    ),
    (
        "registry-tier",
        "hcl",
        resource(REGISTRY, 'sku = "Basic"', "retention_policy {", "enabled = true", "}"),
        "enabled",
    ),
    ("registry-tier", "hcl", resource(REGISTRY, 'sku = "Standard"') + ENDPOINT, "private_connection_resource_id"),
    ("registry-tier", "bicep", retaining("Standard", "enabled"), "status"),
    ("registry-tier", "bicep", retaining("Basic", "disabled") + REPLICA, "parent"),
    ("registry-tier", "bicep", retaining("Basic", "disabled") + ENDPOINT_IN_BICEP, "privateLinkServiceId"),
    ("pgbouncer-tier", "bicep", burstable("Standard_B1ms", "Burstable") + POOLER, "value: 'true'"),
    ("database-open", "bicep", opened("0.0.0.0", "255.255.255.255"), "endIpAddress"),
    ("database-open", "bicep", opened("1.0.0.0", "255.255.255.254", f"{POSTGRESQL}/firewallRules"), "endIpAddress"),
    (
        "database-open",
        "hcl",
        resource("azurerm_mssql_firewall_rule", 'start_ip_address = "0.0.0.1"', 'end_ip_address = "255.255.255.255"'),
        "end_ip_address",
    ),
    ("local-accounts", "bicep", bicep(CLUSTER, "  properties: {\n    disableLocalAccounts: true\n  }"), "disable"),
]
# What is near to a mistake, or not known: language and workspace.
NEAR: list[tuple[str, str]] = [
    ("hcl", 'variable "v" {}\n' + resource("azurerm_kubernetes_cluster", "kubernetes_version = var.v")),
    ("hcl", resource("azurerm_kubernetes_cluster", 'kubernetes_version = "1.99"')),
    (
        "hcl",
        resource(
            "azurerm_kubernetes_cluster",
            'kubernetes_version = "1.28"',
            'sku_tier = "Premium"',
            'support_plan = "AKSLongTermSupport"',
        ),
    ),
    ("hcl", resource("azurerm_postgresql_flexible_server", 'version = "17"', 'sku_name = "GP_Standard_D8s_v3"')),
    ("hcl", resource("azurerm_public_ip", 'sku = "Standard"', 'zones = ["1"]', 'location = "eastus"')),
    ("dockerfile", "ARG NODE\nFROM node:${NODE}-alpine\nFROM example.com/node:18\nFROM scratch\n"),
    ("dockerfile", "FROM node:24-alpine3.24 AS node18\nFROM node18\n"),
    (
        "hcl",
        SUBNET
        + cluster((*SMALL_POOL, "vnet_subnet_id = azurerm_subnet.nodes.id"), network=('network_plugin = "azure"',)),
    ),
    (
        "hcl",
        SUBNET
        + cluster(
            (*SMALL_POOL[:2], "max_count = 90", "vnet_subnet_id = azurerm_subnet.nodes.id"),
            "location = var.region",
            network=('network_plugin = "azure"', 'network_plugin_mode = "overlay"'),
        )
        + 'variable "region" {}\n',
    ),
    ("hcl", cluster((*SMALL_POOL, 'zones = ["1"]'), 'location = "eastus"')),
    ("hcl", cluster((*SMALL_POOL, "zones = []"), 'location = "westus"')),
    ("hcl", cluster((*SMALL_POOL, "min_count = 1", "max_count = 1"))),
    ("hcl", resource("azurerm_kubernetes_cluster_node_pool", 'name = "windo1"', 'os_type = "Windows"')),
    ("hcl", resource("azurerm_managed_disk", 'storage_account_type = "Premium_LRS"')),
    (
        "hcl",
        'variable "z" {}\n' + resource("azurerm_managed_disk", 'storage_account_type = "UltraSSD_LRS"', "zone = var.z"),
    ),
    ("hcl", PLANNED.format("P1v3") + APP + "  site_config {\n    always_on = true\n  }\n}\n"),
    ("hcl", 'variable "plan" {}\n' + resource("azurerm_linux_web_app_slot", "app_service_id = var.plan")),
    ("hcl", resource("azurerm_static_web_app", 'location = "West Europe"')),
    (
        "hcl",
        resource("azurerm_cosmosdb_account", name="a")
        + resource(
            "azurerm_cosmosdb_sql_database", "account_name = azurerm_cosmosdb_account.a.name", "throughput = 400"
        ),
    ),
    ("hcl", resource(SERVER, "storage_mb = 70000", 'storage_type = "PremiumV2_LRS"')),
    ("hcl", resource("azurerm_redis_cache", 'sku_name = "Premium"', 'family = "P"', "capacity = 5", "shard_count = 2")),
    ("hcl", resource("azurerm_log_analytics_workspace", 'sku = "CapacityReservation"', "retention_in_days = 7")),
    ("hcl", resource("azurerm_servicebus_namespace", 'sku = "Standard"', "capacity = 0")),
    ("hcl", resource(REGISTRY, 'sku = "Basic"', "retention_policy_in_days = 0", "zone_redundancy_enabled = false")),
    ("hcl", 'variable "sku" {}\n' + resource(REGISTRY, "sku = var.sku", "zone_redundancy_enabled = true")),
    ("hcl", resource(REGISTRY, 'sku = "Premium"', "georeplications {", 'location = "westus2"', "}") + ENDPOINT),
    ("bicep", retaining("Basic", "disabled")),
    ("bicep", retaining("Premium", "enabled") + REPLICA + ENDPOINT_IN_BICEP),
    ("bicep", bicep("Microsoft.KeyVault/vaults", "  properties: {}") + ENDPOINT_IN_BICEP),
    ("bicep", burstable("Standard_D2ds_v5", "GeneralPurpose") + POOLER),
    ("bicep", burstable("Standard_B1ms", "Burstable") + POOLER.replace("'true'", "'false'")),
    ("bicep", burstable("Standard_B1ms", "Burstable") + POOLER.replace("pgbouncer.enabled", "pgbouncer.pool_mode")),
    ("bicep", opened("0.0.0.0", "0.0.0.0")),
    ("bicep", opened("20.0.0.0", "20.255.255.255")),
    ("bicep", "param all string\n" + opened("0.0.0.0", "255.255.255.255").replace("'255.255.255.255'", "all")),
    (
        "bicep",
        bicep(
            CLUSTER,
            "  properties: {\n    disableLocalAccounts: true\n    aadProfile: {\n      managed: true\n    }\n  }",
        ),
    ),
    (
        "hcl",
        'variable "groups" {}\n'
        + resource(
            "azurerm_kubernetes_cluster",
            "local_account_disabled = true",
            'dynamic "azure_active_directory_role_based_access_control" {',
            "for_each = var.groups",
            "content {",
            "admin_group_object_ids = [azure_active_directory_role_based_access_control.value]",
            "}",
            "}",
        ),
    ),
]


def looked(folder: Path, files: Mapping[str, str]) -> tuple[Finding, ...]:
    for file, text in {"stack/provider.tf": PROVIDER, "quota.json": json.dumps(QUOTA), **files}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return azure.check(Checkout(folder), TODAY).findings


def quota_of(rule: str) -> dict[str, str]:
    return {"quota.json": "{}"} if rule == "quota-undeclared" else {}


def corpus() -> list[tuple[str, str, str, str]]:
    first = [
        (each.id.removeprefix("azure/"), examples()[each.id].language, examples()[each.id].wrong, "")
        for each in azure.RULES
    ]
    return first + SEEDS


def near() -> list[tuple[str, str, str]]:
    right = [
        (each.id.removeprefix("azure/"), examples()[each.id].language, examples()[each.id].right)
        for each in azure.RULES
    ]
    return right + [("", *each) for each in NEAR]


@pytest.mark.parametrize(("rule", "language", "text", "at"), corpus(), ids=lambda each: str(each)[:40])
def test_a_mistake_is_found_by_its_rule_at_its_line_and_nothing_else_is(
    tmp_path: Path, rule: str, language: str, text: str, at: str
) -> None:
    file = FILES[language]
    found = looked(tmp_path, {file: text, **quota_of(rule)})
    assert [each.rule.id for each in found] == [f"azure/{rule}"], [str(each) for each in found]
    assert found[0].file == file
    assert not at or at in text.splitlines()[found[0].line - 1]


@pytest.mark.parametrize(("rule", "language", "text"), near(), ids=lambda each: str(each)[:40])
def test_what_is_near_to_a_mistake_is_left_alone(tmp_path: Path, rule: str, language: str, text: str) -> None:
    assert [str(each) for each in looked(tmp_path, {FILES[language]: text, **quota_of(rule)})] == []


def test_precision_and_recall_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = wrong = missed = 0
    for number, (rule, language, text, _) in enumerate(corpus()):
        found = [each.rule.id for each in looked(tmp_path / f"seed{number}", {FILES[language]: text, **quota_of(rule)})]
        right += found.count(f"azure/{rule}")
        wrong += len(found) - found.count(f"azure/{rule}")
        missed += f"azure/{rule}" not in found
    for number, (rule, language, text) in enumerate(near()):
        wrong += len(looked(tmp_path / f"near{number}", {FILES[language]: text, **quota_of(rule)}))
    precision, recall = right / (right + wrong), right / (right + missed)
    said = f"azure: {len(azure.RULES)} rules, {len(corpus())} mistakes, {len(near())} near misses: "
    with capsys.disabled():
        sys.stdout.write(f"\n{said}precision {precision:.2f}, recall {recall:.2f}\n")
    assert (precision, recall) == (1.0, 1.0)


def test_every_rule_has_two_mistakes() -> None:
    counts = {each.id: sum(f"azure/{rule}" == each.id for rule, *_ in corpus()) for each in azure.RULES}
    assert {name: count for name, count in counts.items() if count < 2} == {}


@pytest.mark.parametrize(
    ("name", "environments"), [("main.parameters.json", ()), ("main.dev.parameters.json", ("dev",))]
)
def test_the_parameters_that_azd_fills_in_belong_to_no_environment(
    tmp_path: Path, name: str, environments: tuple[str, ...]
) -> None:
    vault = "  properties: {\n    softDeleteRetentionInDays: days\n  }"
    template = f"param days int\n{bicep('Microsoft.KeyVault/vaults', vault)}"
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"
    given = json.dumps({"$schema": schema, "parameters": {"days": {"value": 120}}})
    found = looked(tmp_path, {"app/main.bicep": template, f"app/{name}": given})
    assert [(each.rule.id, each.environments) for each in found] == [("azure/vault-retention", environments)]


def test_the_day_decides_what_has_ended(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:24-alpine3.22\n")
    said = {
        day: [each.rule.id for each in azure.check(Checkout(tmp_path), date.fromisoformat(day)).findings]
        for day in ("2026-04-30", "2026-05-01", "2026-11-01", "2026-11-02", "2027-04-30", "2027-05-01")
    }
    assert list(said.values()) == [
        [],
        ["azure/aging"],
        ["azure/aging"],
        ["azure/ending"],
        ["azure/ending"],
        ["azure/ended"],
    ]


def test_cores_are_summed_over_all_environments(tmp_path: Path) -> None:
    text = 'variable "most" {}\n' + cluster(
        ('name = "system"', 'vm_size = "Standard_D2s_v3"', "min_count = 1", "max_count = var.most"),
        'location = "eastus"',
    )
    data = {f"stack/{name}.tfvars": f"most = {most}\n" for name, most in (("dev", 1), ("staging", 2), ("prod", 3))}
    found = looked(tmp_path, {"stack/main.tf": text, **data})
    assert [each.rule.id for each in found] == ["azure/quota"]
    assert "6 for prod, 4 for staging" in found[0].what.replace("2 for dev, ", "")
    assert "make 12, and 10 are allowed" in found[0].what


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ("Standard_D4s_v3", ("standardDSv3Family", 4)),
        ("Standard_D8as_v5", ("standardDASv5Family", 8)),
        ("Standard_B2ms", ("standardBSFamily", 2)),
        ("Standard_DS2_v2", None),
        ("Standard_E4-2s_v3", None),
        ("", None),
    ],
)
def test_a_size_tells_its_family_and_cores(size: str, wanted: tuple[str, int] | None) -> None:
    assert cores(size) == wanted


def test_every_age_has_a_source_and_stands_once() -> None:
    rows = [(each.product, each.version) for each in ages()]
    assert len(rows) == len(set(rows))
    assert [each for each in ages() if not re.match(r"https://\S+$", each.source) or not each.instead] == []


def test_our_own_workspace_has_no_error() -> None:
    found = azure.check(Checkout(ROOT), TODAY).findings
    assert [str(each) for each in found if each.rule.severity != "note"] == []
