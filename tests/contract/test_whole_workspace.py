"""The whole workspace against a rehearsal, without Prefect: built in dev, carried onward, and unchanged afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace import ending, patience, promotion, scheduler
from workspace.addresses import Addresses
from workspace.execution import Execution
from workspace.ledger import Event as Told
from workspace.ledger import Ledger
from workspace.preflight import terraform_facts
from workspace.rehearsal.server import Rehearsal
from workspace.scheduler import Patience
from workspace.work import Outcome

import deployments
from deployments import catalogue

pytestmark = pytest.mark.slow
ORDER = ("world", "dev", "staging", "prod")


class Workspace:
    """A rehearsal in a folder, and promotions through the library alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        stage = folder / "rehearsal"
        stage.mkdir(exist_ok=True)
        places = map(deployments.find, deployments.environments())
        (stage / "by-hand.json").write_text(json.dumps(catalogue.by_hand(places)))
        self.rehearsal = Rehearsal(stage, folder / "runs")
        self.addresses = Addresses.model_validate(self.rehearsal.addresses)
        self.ledger = Ledger(folder / "runs")
        self.subscription = f"/subscriptions/{self.addresses.subscription}"
        self._bring_what_existed_before()

    def _bring_what_existed_before(self) -> None:
        """What an older pipeline made: the zone with a record in it, dev's group and network, one vault."""
        zone = f"{self.subscription}/resourceGroups/mys-prod-mystira-rg-glob"
        dev = f"{self.subscription}/resourceGroups/mystira-dev-rg"
        domain = f"{zone}/providers/Microsoft.Network/dnsZones/mystira.app"
        self._bring(zone, "eastus", {})
        self._bring(domain, "global", {"nameServers": [f"ns{n}-01.azure-dns.example." for n in (1, 2)]})
        record = {"TTL": 60, "TXTRecords": [{"value": ["made by hand"]}]}
        self._bring(f"{domain}/TXT/old", "", record)
        self._bring(dev, "eastus", {})
        network = f"{dev}/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet"
        self._bring(network, "eastus", {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}})

    def _bring(self, resource_id: str, location: str, properties: dict[str, Any]) -> None:
        name = resource_id.rpartition("/")[2]
        self.rehearsal.cloud.put({"id": resource_id, "name": name, "location": location, "properties": properties})

    def promote(self, environment: str) -> Execution:
        place = deployments.find(environment)
        opening = promotion.opened(
            place,
            deployments.nodes(place),
            self.addresses,
            run=f"run-{environment}",
            sources=deployments.SOURCES,
            folders=deployments.DEFINITIONS,
            owner="a test",
            following=deployments.following(place),
        )
        with opening as execution:
            execution.begin("a test")
            scheduler.settle(execution, Patience(patience.delays(self.addresses.poll_seconds)))
            ending.conclude(execution)
        return execution

    def close(self) -> None:
        self.rehearsal.close()
        self.ledger.close()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> dict[str, Execution]:
    return {environment: workspace.promote(environment) for environment in ORDER}


@pytest.mark.parametrize("environment", ORDER)
def test_every_node_of_an_environment_is_promoted(first: dict[str, Execution], environment: str) -> None:
    failed = {
        name: result.detail for name, result in first[environment].results.items() if not result.outcome.is_success
    }
    assert failed == {}
    assert first[environment].results.keys() == first[environment].plan.nodes.keys()


def test_what_existed_before_was_adopted_and_nothing_in_it_lost(
    first: dict[str, Execution], workspace: Workspace
) -> None:
    assert first
    adopted = {
        (entry.environment, entry.node): sorted(each for each in entry.body["changes"] if each.startswith("adopt "))
        for entry in workspace.ledger.after(0)
        if entry.event is Told.INTENT and any(each.startswith("adopt ") for each in entry.body.get("changes", ()))
    }
    assert adopted == {
        ("world", "zone"): ["adopt module.zone.azurerm_dns_zone.this", "adopt module.zone.azurerm_resource_group.this"],
        ("dev", "network"): [
            "adopt module.network.azurerm_resource_group.this",
            "adopt module.network.azurerm_virtual_network.this",
        ],
    }
    records = [each["id"] for each in workspace.rehearsal.cloud.all("Microsoft.Network/dnsZones/TXT")]
    assert any(each.endswith("/TXT/old") for each in records)


def test_what_runs_later_is_to_the_digest_what_dev_proved(first: dict[str, Execution], workspace: Workspace) -> None:
    dev = first["dev"].parts
    assert len(dev) == 6
    for environment in ("staging", "prod"):
        run = first[environment]
        assert {name: run.results[name].content for name in dev} == dev
        assert workspace.ledger.proven(environment) == workspace.ledger.proven("dev")
        for service in catalogue.CONTAINERS:
            running = run.results[f"{service.name}-rollout"].gives["images"]
            assert all(reference.endswith(dev[f"{service.name}-image"]) for reference in running.values())


def test_the_dashboards_show_what_exists_by_metrics_that_exist(
    first: dict[str, Execution], workspace: Workspace
) -> None:
    metrics = {each.lower(): names for each, names in terraform_facts.METRICS.items()}
    pages = {each["name"]: each for each in workspace.rehearsal.cloud.all("Microsoft.Portal/dashboards")}
    for environment in ("dev", "staging", "prod"):
        page = pages[f"mystira-shared-{environment}-dashboard"]
        shown = list(_charted(page["properties"]))
        assert {each["metricVisualization"]["displayName"] for each in shown} >= {"chain", "publisher", "PostgreSQL"}
        assert f"/workspaces/mystira-shared-{environment}-logs" in json.dumps(page["properties"])
    for page in pages.values():
        for each in _charted(page["properties"]):
            assert workspace.rehearsal.cloud.get(each["resourceMetadata"]["id"]), each
            assert each["name"] in metrics[each["namespace"]], each


def _charted(value: Any) -> Iterator[dict[str, Any]]:
    """The metrics in a dashboard, wherever they stand."""
    if isinstance(value, dict) and "resourceMetadata" in value:
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _charted(each)


def test_nothing_is_built_after_dev(first: dict[str, Execution]) -> None:
    for environment in ("staging", "prod"):
        told = [first[environment].results[name].detail for name in first["dev"].parts]
        assert all("carried" in detail for detail in told), told


def test_a_second_promotion_changes_nothing(first: dict[str, Execution], workspace: Workspace) -> None:
    assert first
    before = _files(workspace.folder / "rehearsal" / "cloud")
    for environment in ("world", "dev", "prod"):
        again = workspace.promote(environment)
        changed = {n: r.detail for n, r in again.results.items() if r.outcome is not Outcome.UNCHANGED}
        assert changed == {}, environment
    assert _files(workspace.folder / "rehearsal" / "cloud") == before


def test_no_secret_is_in_the_ledger_or_readable_by_others(first: dict[str, Execution], workspace: Workspace) -> None:
    assert first
    secrets = _secrets(workspace.folder / "rehearsal")
    assert len(secrets) > 10
    told = json.dumps([dict(entry.body) for entry in workspace.ledger.after(0)])
    assert [each for each in secrets if each in told] == []
    for file in (workspace.folder / "runs").rglob("*"):
        if file.is_file() and any(each.encode() in file.read_bytes() for each in secrets):
            assert file.stat().st_mode & 0o077 == 0, file


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*.json")}


def _secrets(rehearsal: Path) -> set[str]:
    """Every value in every vault, and the keys a person brought."""
    kept = {json.loads(file.read_text()).get("_value", "") for file in rehearsal.rglob("cloud/**/secrets/*.json")}
    brought = {file.read_text() for file in (rehearsal / "secrets").iterdir()}
    return {each for each in kept | brought if len(each) >= 16}
