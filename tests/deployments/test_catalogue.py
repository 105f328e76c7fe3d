"""The catalogue: complete in every environment, with names that are ours and wires that end somewhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import definitions_read as declared
import pytest
from workspace import inputs, onward
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.node import TARGET, Kind, Node, Output, Part, Stage, outputs
from workspace.onward import Catalogue
from workspace.plan import CARRIED, Plan, draw
from workspace.release import Release

import deployments
from deployments import catalogue, names

ENVIRONMENTS = ("dev", "staging", "prod")
CONTAINERS = ("chain", "publisher", "story-generator")
APPS = ("api", "admin-api")

STAGES = {
    Stage.SHARED_INFRASTRUCTURE: {
        "network", "monitoring", "postgresql", "redis", "cluster", "workload-identity", "dashboard", "app-base",
        *CONTAINERS,
    },
    Stage.IMAGES: {*(f"{each}-image" for each in CONTAINERS), "api-package", "admin-api-package", "pwa-package"},
    Stage.CLUSTER_ROLLOUT: {
        "namespace", "gateway", "cert-manager", "issuers",
        *(f"{each}-{what}" for each in CONTAINERS for what in ("secrets", "rollout")),
    },
    Stage.APP_SERVICES: {*APPS, "pwa"},
    Stage.NAMES: {
        *(f"{each}-{what}" for each in CONTAINERS for what in ("record", "certificate")),
        *(f"{each}-{what}" for each in APPS for what in ("record", "ownership", "binding")),
        "pwa-record", "pwa-binding",
    },
    Stage.VERIFICATION: {f"{each}-check" for each in (*CONTAINERS, *APPS, "pwa")},
}  # fmt: skip

ONLY_IN = {("prod", Stage.NAMES): {"pwa-claim", "pwa-ownership"}}
"""What an environment has more: only prod's PWA stands at the apex, where ownership is proved by a record."""

WORLD = {
    "zone": {"resource_group_name": "mys-prod-mystira-rg-glob", "zone_name": "mystira.app"},
    "registry": {"registry_id": "/subscriptions/s/registry", "login_server": "mystiraacr.azurecr.io"},
    "state-backend": {},
}


def nodes(environment: str) -> dict[str, Node]:
    return {node.id: node for node in deployments.nodes(deployments.find(environment))}


def drawn(environment: str) -> Plan:
    place = deployments.find(environment)
    its = deployments.nodes(place)
    parts = {node.id: f"made-up-{node.id}" for node in its if node.kind in CARRIED}
    release = Release(parts=parts, definitions="made-up", built_in="dev") if place.follows else None
    return draw(place, its, {} if place.is_world else WORLD, release)


# ---- nodes


PARTS = {
    Part.NETWORK_AND_CLUSTER: {"network", "cluster"},
    Part.MONITORING: {"monitoring", "dashboard"},
    Part.SERVICES: {*CONTAINERS, "workload-identity"},
    Part.POSTGRESQL: {"postgresql"},
    Part.REDIS: {"redis"},
    Part.APP_BASE: {"app-base"},
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_shared_infrastructure_alone_has_parts_and_all_of_it_belongs_to_one(environment: str) -> None:
    of_part = {part: {each.id for each in nodes(environment).values() if each.part is part} for part in Part}
    assert of_part == PARTS
    assert set().union(*of_part.values()) == STAGES[Stage.SHARED_INFRASTRUCTURE]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_its_nodes(environment: str, stage: Stage) -> None:
    more = ONLY_IN.get((environment, stage), set())
    assert {node.id for node in nodes(environment).values() if node.stage is stage} == STAGES[stage] | more


def test_the_world_is_state_backend_registry_and_the_zone_with_its_delegation() -> None:
    its = nodes("world").values()
    assert {node.id for node in its} == {"state-backend", "zone", "registry", "delegation"}
    assert {node.stage for node in its} == {Stage.ZONE}


@pytest.mark.parametrize("environment", deployments.environments())
def test_a_plan_is_drawn(environment: str) -> None:
    plan = drawn(environment)
    assert set(plan.order) == set(nodes(environment))


@pytest.mark.parametrize("environment", ["dev"])
@pytest.mark.parametrize(
    ("node", "need"),
    [
        ("publisher-rollout", "chain-rollout"),
        ("chain-rollout", "chain-image"),
        ("chain-rollout", "chain-secrets"),
        ("chain-rollout", "workload-identity"),
        ("story-generator-secrets", "postgresql"),
        ("story-generator-secrets", "redis"),
        ("chain-record", "gateway"),
        ("chain-certificate", "chain-record"),
        ("issuers", "cert-manager"),
        ("admin-api", "api"),
        ("pwa", "api"),
        ("api", "api-package"),
        ("api-binding", "api-record"),
        ("api-binding", "api-ownership"),
        ("api-check", "api-binding"),
        ("cluster", "network"),
    ],
)
def test_a_need_of_the_workspace_is_a_need_of_the_node(environment: str, node: str, need: str) -> None:
    assert need in drawn(environment).needs[node]


def test_fresh_asks_every_build_to_be_made_again() -> None:
    again = deployments.nodes(deployments.find("dev"), fresh=True)
    built = {node.id: node.settings["fresh"] for node in again if node.kind in CARRIED}
    assert len(built) == 6
    assert all(built.values())


def test_a_service_is_added_by_a_row() -> None:
    place = deployments.find("dev")
    with pytest.raises(Refused, match=r"dev says nothing about the stack ledger; write ledger\.tfvars\.json in dev"):
        list(catalogue.nodes(place, containers=(*catalogue.CONTAINERS, catalogue.Container("ledger"))))


# ---- what a release takes along


@pytest.mark.parametrize("environment", deployments.environments())
def test_every_node_arrives_as_it_left(environment: str, tmp_path: Path) -> None:
    place = deployments.find(environment)
    catalogue = Catalogue(place, deployments.nodes(place))
    ((name, content),) = onward.files([catalogue]).items()
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(content)
    release = Release({}, definitions="made-up", built_in="dev")
    assert onward.read(tmp_path, Environment(environment, place.follows, place.needs_approval), release) == catalogue


def test_dev_takes_along_all_that_follow_it_and_the_last_takes_nothing() -> None:
    found = {each: [f.environment.name for f in deployments.following(deployments.find(each))] for each in
             deployments.environments()}  # fmt: skip
    assert found == {"world": [], "dev": ["staging", "prod"], "staging": ["prod"], "prod": []}


def test_what_is_carried_is_never_asked_for_afresh() -> None:
    place = deployments.find("staging")
    assert deployments.nodes(place, fresh=True) == deployments.nodes(place)


# ---- names and hosts


@pytest.mark.parametrize(
    ("service", "hosts"),
    [
        ("chain", ("dev.chain.mystira.app", "staging.chain.mystira.app", "chain.mystira.app")),
        ("publisher", ("dev.publisher.mystira.app", "staging.publisher.mystira.app", "publisher.mystira.app")),
        (
            "story-generator",
            (
                "dev.story-generator.mystira.app",
                "staging.story-generator.mystira.app",
                "story-generator.mystira.app",
            ),
        ),
        ("api", ("api.dev.mystira.app", "api.staging.mystira.app", "api.mystira.app")),
        ("admin-api", ("admin.dev.mystira.app", "admin.staging.mystira.app", "admin.mystira.app")),
        ("pwa", ("dev.mystira.app", "staging.mystira.app", "mystira.app")),
    ],
)
def test_a_service_has_its_host_and_is_asked_there(service: str, hosts: tuple[str, ...]) -> None:
    assert tuple(deployments.find(each).hosts[service] for each in ENVIRONMENTS) == hosts
    assert tuple(nodes(each)[f"{service}-check"].settings["host"] for each in ENVIRONMENTS) == hosts


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("cluster-group", "mystira-{env}-rg"),
        ("network", "mystira-{env}-vnet"),
        ("cluster", "mystira-{env}-aks"),
        ("namespace", "mystira-{env}"),
        ("postgresql", "mystira-shared-pg-{env}-server"),
        ("redis", "mystira-shared-redis-{env}-cache"),
        ("chain-vault", "mystira-chain-{env}-kv"),
        ("publisher-vault", "mystira-pub-{env}-kv"),
        ("story-generator-vault", "mystira-sg-{env}-kv"),
        ("chain-storage", "mystirachain{env}sa"),
        ("app-group", "mys-{env}-mystira-rg-san"),
        ("api", "mys-{env}-mystira-api-san"),
        ("admin-api", "mys-{env}-mystira-adminapi-san"),
        ("pwa", "mys-{env}-mystira-swa-eus2"),
        ("plan", "mys-{env}-mystira-plan-san"),
        ("cosmos", "mys-{env}-mystira-cosmos-san"),
        ("app-storage", "mys{env}mystirastsan"),
    ],
)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_thing_has_its_name(environment: str, what: str, pattern: str) -> None:
    assert names.of(environment)[what] == pattern.format(env=environment)


def test_a_vault_of_the_app_shortens_its_environment() -> None:
    assert [names.of(each)["app-vault"] for each in ENVIRONMENTS] == [
        "mys-dev-mystira-kv-san",
        "mys-stg-mystira-kv-san",
        "mys-prd-mystira-kv-san",
    ]


def test_the_world_has_its_names() -> None:
    assert dict(deployments.find("world").names) == {
        "zone": "mystira.app",
        "zone-group": "mys-prod-mystira-rg-glob",
        "registry": "mystiraacr",
        "state-account": "mystiraterraformstate",
    }


def test_regions_are_those_of_each_side() -> None:
    for each in ENVIRONMENTS:
        assert deployments.find(each).regions == {"cluster": "eastus", "app": "southafricanorth", "site": "eastus2"}


@pytest.mark.parametrize(
    ("stack", "key", "what"),
    [
        ("network", "resource_group_name", "cluster-group"),
        ("network", "vnet_name", "network"),
        ("cluster", "name", "cluster"),
        ("postgresql", "server_name", "postgresql"),
        ("redis", "name", "redis"),
        ("chain", "key_vault_name", "chain-vault"),
        ("chain", "storage_account_name", "chain-storage"),
        ("publisher", "key_vault_name", "publisher-vault"),
        ("story-generator", "key_vault_name", "story-generator-vault"),
        ("workload-identity", "namespace", "namespace"),
    ],
)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_data_files_say_the_same_names(environment: str, stack: str, key: str, what: str) -> None:
    assert declared.data(environment, stack)[key] == names.of(environment)[what]


@pytest.mark.parametrize(
    ("stack", "key", "name"),
    [
        ("zone", "resource_group_name", names.zone_group()),
        ("registry", "name", names.REGISTRY),
        ("state-backend", "resource_group_name", "mystira-terraform-state"),
    ],
)
def test_data_files_of_the_world_say_the_same_names(stack: str, key: str, name: str) -> None:
    assert declared.data("world", stack)[key] == name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_locations_in_data_files_are_the_region_of_the_cluster_side(environment: str) -> None:
    region = deployments.find(environment).regions["cluster"]
    assert declared.data(environment, "network")["location"] == region


def test_only_what_builds_builds_and_only_prod_asks_a_person() -> None:
    places = [deployments.find(each) for each in deployments.environments()]
    assert {each.name: (each.follows, each.needs_approval) for each in places} == {
        "world": ("", False),
        "dev": ("", False),
        "staging": ("dev", False),
        "prod": ("staging", True),
    }


# ---- records


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_host_has_one_record_in_the_zone(environment: str) -> None:
    place = deployments.find(environment)
    records = [node.settings for node in nodes(environment).values() if node.kind is Kind.RECORD]
    hosts = [
        each["zone"] if each["name"] == "@" else f"{each['name']}.{each['zone']}"
        for each in records
        if each["type"] != "TXT"
    ]
    assert sorted(hosts) == sorted(place.hosts.values())


@pytest.mark.parametrize("service", APPS)
def test_an_app_proves_who_owns_its_host(service: str) -> None:
    proof = nodes("dev")[f"{service}-ownership"].settings
    host = deployments.find("dev").hosts[service]
    assert (proof["type"], f"{proof['name']}.{proof['zone']}") == ("TXT", f"asuid.{host}")


def test_the_apex_is_an_alias_because_no_cname_may_stand_there() -> None:
    record = nodes("prod")["pwa-record"].settings
    assert (record["name"], record["type"], record["target"]) == ("@", "A", Output("app-base", "staticWebAppId"))
    assert nodes("prod")["pwa-binding"].settings["validation"] == "dns-txt-token"
    assert nodes("prod")["pwa-ownership"].settings["values"] == [Output("pwa-claim", "token")]


def test_records_live_300_seconds_at_the_gateway_and_an_hour_elsewhere() -> None:
    lives = {node.id: node.settings["ttl"] for node in nodes("dev").values() if node.kind is Kind.RECORD}
    assert {name: ttl for name, ttl in lives.items() if ttl == 300}.keys() == {f"{each}-record" for each in CONTAINERS}
    assert set(lives.values()) == {300, 3600}


# ---- wires: every output that is read is given


def reads(environment: str) -> Iterator[tuple[str, Output]]:
    for node in nodes(environment).values():
        for output in outputs(node.settings):
            yield node.id, output


GIVEN_BY_KIND = {
    Kind.IMAGE: {"repository", "digest", "reference"},
    Kind.PACKAGE: {"name", "sha256"},
    Kind.APP: {"host"},
    Kind.SITE: {"host"},
    Kind.WORKLOAD: {"images", "address", "objects"},
    Kind.BINDING: {"host", "token"},
    Kind.SECRET: {"keys", "version"},
}


def given(environment: str, node: str) -> set[str]:
    """What a node gives, by what its definition or its kind declares; secret outputs are not given."""
    place, _, name = node.rpartition("/")
    found = nodes(place or environment)[name]
    if found.kind is Kind.STACK:
        return {key for key, body in declared.outputs(found.settings["root"]).items() if not body.get("sensitive")}
    if found.kind is Kind.TEMPLATE:
        return set(declared.template("output"))
    return GIVEN_BY_KIND[found.kind]


@pytest.mark.parametrize("environment", deployments.environments())
def test_every_output_that_a_node_reads_is_declared_where_it_comes_from(environment: str) -> None:
    astray = [
        (reader, str(output))
        for reader, output in reads(environment)
        if output.node != TARGET and output.path.split(".")[0] not in given(environment, output.node)
    ]
    assert astray == []


@pytest.mark.parametrize("environment", deployments.environments())
def test_everything_read_of_the_target_is_an_address(environment: str) -> None:
    from workspace.addresses import Addresses

    fields = set(Addresses.model_fields)
    assert {output.path.split(".")[0] for _, output in reads(environment) if output.node == TARGET} <= fields


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_subnet_that_is_read_is_one_of_the_network(environment: str) -> None:
    prefixes = declared.data(environment, "network")["subnet_prefixes"]
    read = {output.path.partition(".")[2] for _, output in reads(environment) if output.path.startswith("subnet_ids.")}
    assert read <= set(prefixes)
    assert read == {"aks", "chain", "publisher", "story-generator", "postgresql", "redis"}


# ---- wires: every variable and parameter is declared, and none that is required is missing


STACKS = [
    (environment, node.id)
    for environment in deployments.environments()
    for node in deployments.nodes(deployments.find(environment))
    if node.kind is Kind.STACK
]


@pytest.mark.parametrize(("environment", "stack"), STACKS)
def test_a_stack_is_handed_declared_variables_and_every_required_one(environment: str, stack: str) -> None:
    settings = nodes(environment)[stack].settings
    known = declared.variables(settings["root"])
    required = {name for name, body in known.items() if "default" not in body}
    assert set(settings["variables"]) - set(known) == set()
    assert required - set(settings["variables"]) == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_template_is_handed_declared_parameters_and_every_required_one(environment: str) -> None:
    settings = nodes(environment)["app-base"].settings
    file = json.loads((deployments.SOURCES / settings["parameters_file"]).read_text())["parameters"]
    handed = {*file, *settings["parameters"], *settings["secure"]}
    known = declared.template("param")
    assert handed - set(known) == set()
    assert {name for name, has_default in known.items() if not has_default} - handed == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_definition_that_a_node_names_is_there(environment: str) -> None:
    named = [
        str(node.settings[key])
        for node in nodes(environment).values()
        for key in ("template", "parameters_file", "dockerfile", "overlay")
        if key in node.settings
    ]
    assert [path for path in named if not (deployments.SOURCES / path).exists()] == []


@pytest.mark.parametrize("environment", deployments.environments())
def test_with_everything_given_no_setting_is_left_open(environment: str) -> None:
    gives: dict[str, Any] = {}
    for _, output in reads(environment):
        place = gives.setdefault(output.node, {})
        *above, last = output.path.split(".")
        for part in above:
            place = place.setdefault(part, {})
        place[last] = "made up"
    for node in nodes(environment).values():
        assert list(outputs(inputs.fill(node, gives))) == []


def test_secrets_that_a_person_brings_are_named_by_vault() -> None:
    places = [deployments.find(each) for each in deployments.environments()]
    assert catalogue.by_hand(places) == {
        f"mystira-sg-{each}-kv": ["anthropic-api-key", "openai-api-key"] for each in ENVIRONMENTS
    }
