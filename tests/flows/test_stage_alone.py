"""A stage on its own: it uses what its needs gave last, or refuses."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from small_promotions import Scripted, instead_of_the_catalogue, node, register
from workspace.ledger import Event, Ledger
from workspace.node import Output, Part, Stage

from flows.app_services import app_services
from flows.names import names
from flows.promote import promote
from flows.shared_infrastructure import PARTS, shared_infrastructure
from flows.zone import zone

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("server")]

NODES = (
    node("gateway", Stage.CLUSTER_ROLLOUT, gives={"address": "10.1.2.3"}),
    node("record", Stage.NAMES, value=Output("gateway", "address")),
    node("certificate", Stage.NAMES, "record", "gateway"),
)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scripted:
    scripted = Scripted()
    instead_of_the_catalogue(NODES, scripted, monkeypatch.setattr)
    register(tmp_path, "dev", "prod")
    return scripted


def alone(flow: Any, environment: str = "dev") -> State[Any]:
    state: State[Any] = asyncio.run(flow(environment, return_state=True))
    return state


def test_a_stage_alone_uses_what_its_needs_gave_last(kind: Scripted, tmp_path: Path) -> None:
    assert alone(promote).is_completed()
    kind.applied.clear()
    state = alone(names)
    assert (state.name, state.message) == ("Changed", "promote/dev: 2 of 2 nodes changed.")
    assert kind.applied == ["record", "certificate"]
    assert kind.read["record"]["value"] == "10.1.2.3"


def test_a_stage_alone_proves_no_release(kind: Scripted, tmp_path: Path) -> None:
    alone(promote)
    alone(names)
    assert not [each for each in Ledger(tmp_path).after(0) if each.event is Event.PROVEN]


def test_a_stage_whose_needs_never_gave_anything_is_refused(kind: Scripted, tmp_path: Path) -> None:
    state = alone(names)
    told = "dev: names needs gateway, never promoted there, so nothing was touched; run promote/dev first."
    assert (state.type.value, state.name, state.message) == ("FAILED", "Refused", told)
    assert kind.applied == []
    assert Ledger(tmp_path).after(0)[-1].body["sentence"] == told


def test_a_stage_without_nodes_is_refused(kind: Scripted) -> None:
    state = alone(app_services)
    assert (state.name, state.message) == ("Refused", "dev has no node in the stage app-services.")


def test_a_failure_in_a_stage_alone_is_told_with_its_reason(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_the_catalogue((node("zone", Stage.ZONE, fails="the zone is locked"),), kind, monkeypatch.setattr)
    state = alone(zone)
    assert state.is_failed()
    assert "zone failed: the zone is locked." in (state.message or "")


def test_a_stage_alone_has_its_parts(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage.SHARED_INFRASTRUCTURE
    shared = [
        node("network", stage, part=Part.NETWORK_AND_CLUSTER),
        node("cache", stage, "network", part=Part.REDIS, after="server"),
        node("server", stage, "network", part=Part.POSTGRESQL, after="cache"),
    ]
    instead_of_the_catalogue(shared, kind, monkeypatch.setattr)
    state = alone(shared_infrastructure)
    assert state.message == "promote/dev: 3 of 3 nodes changed."


def test_a_part_alone_is_refused_with_what_to_run(kind: Scripted) -> None:
    state = alone(PARTS[Part.REDIS])
    assert (state.name, state.message) == (
        "Refused",
        "redis is a part of shared-infrastructure and does not run alone, so nothing was touched; "
        "run shared-infrastructure/dev.",
    )
    assert kind.applied == []


def test_a_stage_alone_of_another_environment_s_deployment_is_refused(
    kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__NAME", "prod")
    state = alone(names)
    assert (state.name, state.message) == (
        "Refused",
        "The deployment names/prod was asked to work on dev, and nothing was touched; "
        "run the deployment of dev instead.",
    )
