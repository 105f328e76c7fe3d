"""Wrong targets: a promoted dev is promoted again where another one answers, each pin in its turn.

Every time there is work to do, and every time nothing must be written: neither before the refusal nor after it.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from practice import Drift, Gone, Practice, Rotated
from starlette.types import ASGIApp
from workspace import pins, promotion, scheduler
from workspace.addresses import Addresses
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.ledger import Event, Ledger
from workspace.rehearsal import server, serving, written
from workspace.rehearsal.cloud import Cloud

import deployments

pytestmark = pytest.mark.evidence("faults")
OTHER = "00000000-7e4e-4a15-c200-000000000000"
GROUP, CLUSTER = "mystira-dev-rg", "mystira-dev-aks"
WORK = (
    Drift("virtualNetworks mystira-dev-vnet"),
    Rotated("vaults/secrets mystira-sg-dev-kv/anthropic-api-key"),
    Gone("dnsZones/A mystira.app/dev.chain"),
    Gone("dnsZones/CNAME mystira.app/api.dev"),
)
"""What somebody changed by hand, so that a promotion has something to write to Azure, the cluster and the zone."""


@pytest.fixture(scope="module")
def practice(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A promoted dev with work to do."""
    made = Practice(workspace, tmp_path_factory.mktemp("targets") / "copy")
    for each in WORK:
        each(made)
    yield made
    made.close()


def promote(practice: Practice, place: Environment | None = None, **changed: str) -> promotion.Ending:
    """Promote dev whole; `changed` are the addresses that lead elsewhere."""
    practice.turn += 1
    place = place or deployments.find("dev")
    return promotion.promote(
        place,
        deployments.nodes(place),
        Addresses.model_validate(practice.rehearsal.addresses).model_copy(update=changed),
        run=f"target-{practice.turn}",
        sources=deployments.SOURCES,
        folders=deployments.DEFINITIONS,
    )


# Targets in which something else answers, each until its block is left: the addresses that lead there.

Elsewhere = Callable[[Practice, pytest.MonkeyPatch], "contextlib.AbstractContextManager[Mapping[str, Any]]"]


@contextlib.contextmanager
def resource_manager(practice: Practice, app: ASGIApp | None = None) -> Iterator[dict[str, Any]]:
    """Another Resource Manager, in front of the rehearsal's own things; what is written through it is told as well."""
    rehearsal = practice.rehearsal
    front = rehearsal._written.in_front(written.MANAGER, app or rehearsal._resource_manager().app)
    with serving.Served(front, rehearsal._tls) as served:
        url = served.url
        yield {
            "resource_manager": url,
            "scope": f"{url}/.default",
            "authority": url.removeprefix("https://"),
            "vault": f"{url}/vault/{{name}}",
            "kudu": f"{url}/scm/{{name}}",
        }


@contextlib.contextmanager
def another_tenant(practice: Practice, patch: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    patch.setattr(server, "TENANT", OTHER)
    with resource_manager(practice) as addresses:
        yield {**addresses, "tenant": OTHER}


@contextlib.contextmanager
def a_tenant_that_is_not_declared(practice: Practice, patch: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    """The subscription was moved to another tenant; those who sign in where they always did are still let in."""
    arm = practice.rehearsal._resource_manager()
    arm._tenant = OTHER
    with resource_manager(practice, arm.app) as addresses:
        yield addresses


@contextlib.contextmanager
def another_subscription(practice: Practice, patch: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    """One in which there is everything of the same name."""
    rehearsal, folder = practice.rehearsal, practice.folder / "other-cloud"
    cloud = Cloud(folder)
    for each in rehearsal.cloud.all():
        cloud.put(json.loads(json.dumps(each).replace(server.SUBSCRIPTION, OTHER)))
    patch.setattr(server, "SUBSCRIPTION", OTHER)
    patch.setattr(rehearsal, "cloud", cloud)
    with resource_manager(practice) as addresses:
        yield {**addresses, "subscription": OTHER}
    shutil.rmtree(folder)


@contextlib.contextmanager
def other_credentials(practice: Practice, patch: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    """Whoever asks for the credentials of dev's cluster is given those of another one."""
    rehearsal = practice.rehearsal
    dev = rehearsal._managed_cluster(GROUP, CLUSTER)
    assert dev is not None
    other = {**dev, "id": dev["id"].replace(CLUSTER, "other-aks"), "name": "other-aks"}
    rehearsal.cloud.put(other)
    given = rehearsal._kubeconfig(GROUP, "other-aks")
    patch.setattr(rehearsal, "_kubeconfig", lambda *_: given)
    with resource_manager(practice) as addresses:
        yield addresses
    rehearsal.cloud.delete(other["id"])


@contextlib.contextmanager
def answering(practice: Practice, thing: str, **properties: Any) -> Iterator[Mapping[str, Any]]:
    """A resource that is another one under the same name."""
    (found,) = [each for each in practice.rehearsal.cloud.all() if each["id"].lower().endswith(thing.lower())]
    practice.rehearsal.cloud.put({**found, "properties": {**found["properties"], **properties}})
    yield {}
    practice.rehearsal.cloud.put(found)


def other_name_servers(practice: Practice, _: pytest.MonkeyPatch) -> contextlib.AbstractContextManager[Any]:
    servers = [f"ns{number}-09.azure-dns.{ending}." for number, ending in enumerate(("com", "net"), 1)]
    return answering(practice, "/dnsZones/mystira.app", nameServers=servers)


@contextlib.contextmanager
def moved(practice: Practice, thing: str) -> Iterator[Mapping[str, Any]]:
    """A resource of the same name that is in another group, so another one."""
    (found,) = [each for each in practice.rehearsal.cloud.all() if each["id"].lower().endswith(thing.lower())]
    group = found["id"].split("/")[4]
    below = [found, *practice.rehearsal.cloud.under(found["id"])]
    practice.rehearsal.cloud.delete(found["id"])
    elsewhere = [{**each, "id": each["id"].replace(f"/{group}/", "/mys-dev-mystira-rg-san/")} for each in below]
    for each in elsewhere:
        practice.rehearsal.cloud.put(each)
    yield {}
    practice.rehearsal.cloud.delete(elsewhere[0]["id"])
    for each in below:
        practice.rehearsal.cloud.put(each)


def another_registry(practice: Practice, _: pytest.MonkeyPatch) -> contextlib.AbstractContextManager[Any]:
    return moved(practice, "/registries/mystiraacr")


def another_vault(practice: Practice, _: pytest.MonkeyPatch) -> contextlib.AbstractContextManager[Any]:
    return moved(practice, "/vaults/mystira-pub-dev-kv")


@contextlib.contextmanager
def another_state(practice: Practice, _: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    file = practice.stage / "terraform" / "dev" / "network.tfstate"
    before = file.read_text()
    file.write_text(json.dumps({**json.loads(before), "lineage": OTHER}))
    yield {}
    file.write_text(before)


@contextlib.contextmanager
def a_lost_state(practice: Practice, _: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    file = practice.stage / "terraform" / "dev" / "network.tfstate"
    away = file.rename(file.with_suffix(".away"))
    yield {}
    away.rename(file)


TARGETS: dict[Elsewhere, str] = {
    another_tenant: f"tenant is another one: it was {server.TENANT} since .*, and {OTHER} answers now",
    a_tenant_that_is_not_declared: f"addresses name the tenant {server.TENANT}, and .* belongs to {OTHER}",
    another_subscription: f"subscription is another one: it was {server.SUBSCRIPTION} since .*, and {OTHER} answers",
    other_credentials: f"cluster {CLUSTER} in {GROUP} is another one",
    other_name_servers: "zone mystira.app in .* is another one: .* ns1-09.azure-dns.com, ns2-09.azure-dns.net answers",
    another_registry: "registry mystiraacr",
    another_vault: "vault mystira-pub-dev-kv is another one",
    another_state: f"state network is another one: it was .*, and {OTHER} answers now",
    a_lost_state: "state of the stack network, .* is lost",
}


@pytest.mark.parametrize("elsewhere", TARGETS, ids=lambda each: each.__name__)
def test_another_target_is_refused_before_the_first_write(
    practice: Practice, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(written.writes(practice.stage))
    with elsewhere(practice, monkeypatch) as addresses, pytest.raises(Refused, match=TARGETS[elsewhere]):
        promote(practice, **addresses)
    assert written.writes(practice.stage, before) == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("app-group", "mys-prod-mystira-rg-san"), ("zone", "mystira.dev")],
)
def test_an_environment_with_a_name_of_another_one_is_refused(practice: Practice, name: str, value: str) -> None:
    dev = deployments.find("dev")
    hosts = {what: host.replace(dev.names["zone"], value) for what, host in dev.hosts.items()} if name == "zone" else {}
    place = replace(dev, names={**dev.names, name: value}, hosts=hosts or dev.hosts)
    before = len(written.writes(practice.stage))
    with pytest.raises(Refused, match=f"{'zone' if name == 'zone' else 'group'} was .* and is {value}"):
        promote(practice, place)
    assert written.writes(practice.stage, before) == ()


def test_a_target_that_changes_after_the_first_node_is_refused_at_the_next_step(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = deployments.find("dev")
    practice.turn += 1
    opening = promotion.opened(
        place,
        deployments.nodes(place),
        Addresses.model_validate(practice.rehearsal.addresses),
        run="in-the-middle",
        sources=deployments.SOURCES,
        folders=deployments.DEFINITIONS,
        owner="a test",
    )
    with opening as execution:
        execution.begin()
        before = len(written.writes(practice.stage))
        assert execution.apply("chain-record").outcome == "changed"
        after = len(written.writes(practice.stage))
        assert after > before
        with (
            other_name_servers(practice, monkeypatch),
            pytest.raises(Refused, match=r"zone mystira\.app in .* another"),
        ):
            execution.apply("api-record")
    assert written.writes(practice.stage, after) == ()
    with contextlib.closing(Ledger(practice.folder / "runs")) as ledger:
        intents = [each.node for each in ledger.after(0, "dev", "in-the-middle") if each.event is Event.INTENT]
    assert intents == ["chain-record"]


HOSTILE = {
    "ARM_SUBSCRIPTION_ID": OTHER,
    "ARM_TENANT_ID": OTHER,
    "AZURE_AUTHORITY_HOST": "login.nowhere.invalid",
    "AZURE_CLIENT_ID": OTHER,
    "AZURE_SUBSCRIPTION_ID": OTHER,
    "AZURE_TENANT_ID": OTHER,
    "DOCKER_CONTEXT": "elsewhere",
    "DOCKER_HOST": "tcp://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
    "KUBERNETES_SERVICE_PORT": "1",
    "TF_CLI_ARGS": "-destroy",
    "TF_CLI_ARGS_apply": "-destroy",
    "TF_CLI_ARGS_plan": "-destroy",
    "TF_DATA_DIR": "/nowhere",
    "TF_VAR_location": "nowhere",
    "TF_VAR_resource_group_name": "elsewhere-rg",
    "TF_VAR_subscription_id": OTHER,
    "TF_WORKSPACE": "elsewhere",
    "http_proxy": "http://127.0.0.1:1",
    "https_proxy": "http://127.0.0.1:1",
}
"""What a shell may have set for something else."""

CONTEXT_ELSEWHERE = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "elsewhere",
        "contexts": [{"name": "elsewhere", "context": {"cluster": "elsewhere", "user": "somebody"}}],
        "clusters": [{"name": "elsewhere", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "somebody", "user": {"token": "t"}}],
    }
)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which everything points elsewhere, and a home in which every tool is logged in elsewhere."""
    home = tmp_path / "home"
    profile = {"subscriptions": [{"id": OTHER, "tenantId": OTHER, "name": "elsewhere", "isDefault": True}]}
    docker = {"currentContext": "elsewhere", "auths": {}}
    for name, text in (
        (".kube/config", CONTEXT_ELSEWHERE),
        (".azure/azureProfile.json", json.dumps(profile)),
        (".docker/config.json", json.dumps(docker)),
        (".terraformrc", 'provider_installation { filesystem_mirror { path = "/nowhere" } }'),
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KUBECONFIG", str(home / ".kube/config"))
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(home / ".azure"))


@pytest.fixture(scope="module")
def expected(practice: Practice) -> dict[str, Any]:
    """The plan of dev as this machine's own environment has it."""
    return planned(practice)


def planned(practice: Practice) -> dict[str, Any]:
    """What each node of dev would do, without the digests of files, which are others each time."""
    practice.turn += 1
    place = deployments.find("dev")
    with promotion.opened(
        place,
        deployments.nodes(place),
        Addresses.model_validate(practice.rehearsal.addresses),
        run=f"plan-{practice.turn}",
        sources=deployments.SOURCES,
        folders=deployments.DEFINITIONS,
        owner="a test",
    ) as execution:
        execution.begin()
        return {name: replace(each, plan="") for name, each in scheduler.preview(execution).items()}


def test_what_the_shell_and_the_home_point_to_has_no_influence_on_the_plan(
    practice: Practice, expected: dict[str, Any], hostile: None
) -> None:
    assert any(each.changes for each in expected.values())
    assert planned(practice) == expected


def test_the_right_target_is_written_to_from_a_hostile_shell(practice: Practice, hostile: None) -> None:
    before = len(written.writes(practice.stage))
    told = promote(practice)
    assert told.success, told.sentence
    places = {each.to for each in written.writes(practice.stage, before)}
    assert places >= {written.MANAGER, written.CLUSTER, written.TERRAFORM}


def test_after_that_nothing_is_left_to_write(practice: Practice) -> None:
    before = len(written.writes(practice.stage))
    told = promote(practice)
    assert (told.success, told.changed) == (True, False), told.sentence
    assert written.writes(practice.stage, before) == ()


def test_a_move_that_was_meant_is_promoted_once_a_person_said_so(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with other_name_servers(practice, monkeypatch):
        with pytest.raises(Refused, match=r"workspace repin dev zone:mystira\.app"):
            promote(practice)
        with contextlib.closing(Ledger(practice.folder / "runs")) as ledger:
            pins.repin(ledger, "dev", "zone:mystira.app", because="the zone was made anew", by="a person")
        with promotion.opened(
            deployments.find("dev"),
            deployments.nodes(deployments.find("dev")),
            Addresses.model_validate(practice.rehearsal.addresses),
            run="meant",
            sources=deployments.SOURCES,
            folders=deployments.DEFINITIONS,
            owner="a test",
        ) as execution:
            execution.begin()
            assert execution.apply("api-record").outcome.is_success
