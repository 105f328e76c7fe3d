"""`workspace pins` and `workspace repin`: who answered, who answered instead, and a person's word that it was meant."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from workspace import pins
from workspace.ledger import Event, Ledger

from deployments import command

CLUSTER = {"name": "cluster:dev-aks", "what": "cluster", "place": "dev-aks in dev-rg"}


def note(ledger: Ledger, event: Event, run: str, value: str, nodes: list[str], **which: str) -> None:
    ledger.write(run, "dev", event, **which, value=value, nodes=nodes, why="first seen", by="thandi@laptop")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """dev was promoted to one cluster, and a later run met another one."""
    ledger = Ledger(tmp_path)
    with ledger.hold("dev", "r1"):
        note(ledger, Event.PINNED, "r1", "t-1", ["web", "api"], name="tenant", what="tenant", place="s-1")
        note(ledger, Event.PINNED, "r1", "uid-1", ["web"], **CLUSTER)
        note(ledger, Event.PINNED, "r1", "uid-1", ["api"], **CLUSTER)
        note(ledger, Event.STRAYED, "r2", "uid-2", ["api", "web"], **CLUSTER)
    return tmp_path


def run(state: Path, *words: str) -> Any:
    return CliRunner().invoke(command.application, [*words, "--state", str(state)])


def test_pins_are_listed_once_each_with_what_was_refused(state: Path) -> None:
    told = run(state, "pins", "dev")
    assert told.exit_code == 0, told.output
    assert told.output.count("cluster:dev-aks") == 2
    assert "uid-1" in told.output
    assert "first seen by thandi@laptop" in told.output
    assert "cluster:dev-aks at dev-aks in dev-rg, uid-2 answered" in told.output


def test_pins_are_told_as_json(state: Path) -> None:
    told = json.loads(run(state, "pins", "dev", "--json").output)
    assert [(each["name"], each["value"], each["nodes"]) for each in told["pins"]] == [
        ("tenant", "t-1", ["api", "web"]),
        ("cluster:dev-aks", "uid-1", ["api", "web"]),
    ]
    assert [(each["name"], each["value"]) for each in told["refused"]] == [("cluster:dev-aks", "uid-2")]


@pytest.mark.parametrize("name", ["cluster", "cluster:dev-aks"])
def test_what_was_meant_is_pinned_with_who_said_so_and_why(
    state: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.local.person", lambda: "lerato@desk")
    told = run(state, "repin", "dev", name, "--because", "the cluster was moved")
    assert told.exit_code == 0, told.output
    book = pins.book(Ledger(state), "dev")
    (cluster,) = [each for each in book.pins() if each.what == "cluster"]
    assert (cluster.value, cluster.by, cluster.why) == ("uid-2", "lerato@desk", "the cluster was moved")
    assert book.strays() == ()
    assert "refused" not in run(state, "pins", "dev").output


def test_what_nobody_was_refused_for_cannot_be_pinned_anew(state: Path) -> None:
    told = run(state, "repin", "dev", "tenant", "--because", "why not")
    assert told.exit_code == 1
    assert "nothing to pin anew; refused are cluster:dev-aks" in told.stderr


def test_an_environment_without_pins_says_what_to_do(state: Path) -> None:
    assert "run promote/staging" in run(state, "pins", "staging").output
