"""`make rehearse` as a person uses it: from an empty cloud, without Prefect, with a folder to look into afterwards."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from workspace import history
from workspace.ledger import Event, Ledger
from workspace.rehearsal import written

import deployments
from deployments import processes

pytestmark = pytest.mark.contract


def rehearse(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deployments.rehearse", *arguments]
    # nothing of the machine may be needed: no Docker, no Prefect server
    environment = {**os.environ, "MYSTIRA_STATE": str(state), "DOCKER_HOST": "tcp://127.0.0.1:1", "PREFECT_API_URL": ""}
    return subprocess.run(
        command, env=environment, cwd=deployments.SOURCES, capture_output=True, text=True, timeout=450, check=False
    )


def test_the_world_is_promoted_told_by_stage_and_left_to_be_looked_into(tmp_path: Path) -> None:
    done = rehearse(tmp_path, "promote", "--environment", "world")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ zone +4 +\d+\.\d +3 changed, 1 unchanged", done.stdout, re.MULTILINE)
    assert "promote/world: 3 of 4 nodes changed." in done.stdout
    assert "image: stand-in Docker engine, stand-in registry" in done.stdout
    assert (tmp_path / "rehearse/rehearsal/cloud").is_dir()
    assert not (tmp_path / "rehearse/processes.json").exists()

    again = rehearse(tmp_path, "promote", "--environment", "world", "--again", "--nodes")
    assert "promote/world: nothing changed in 4 nodes." in again.stdout
    assert re.search(r"^ delegation +unchanged", again.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_promotion_that_changes_nothing_writes_nothing_and_skips_every_node(tmp_path: Path) -> None:
    first = rehearse(tmp_path, "promote")
    assert first.returncode == 0, first.stdout + first.stderr
    folder = tmp_path / "rehearse/rehearsal"
    before, states = written.writes(folder), serials(folder)
    assert {each.to for each in before} >= {written.MANAGER, written.CLUSTER, written.REGISTRY, written.TERRAFORM}
    assert states

    again = rehearse(tmp_path, "promote", "--environment", "dev", "--environment", "staging", "--again")
    assert again.returncode == 0, again.stdout + again.stderr
    assert written.writes(folder, len(before)) == ()
    assert serials(folder) == states
    assert again.stdout.count("50 of 50 nodes were skipped") == 2
    assert "Requests to change something: 0." in again.stdout

    ledger = Ledger(tmp_path / "rehearse/runs")
    for environment in ("dev", "staging"):
        last = history.runs(ledger, environment)[0]
        assert (last.ways, last.outcomes) == ({"skipped": 50}, {"unchanged": 50})
        entries = ledger.after(0, environment, last.run)
        assert not [each for each in entries if each.event in (Event.INTENT, Event.EFFECT)]


def serials(folder: Path) -> dict[str, tuple[str, int]]:
    """Line and number of every Terraform state."""
    states = {str(file.relative_to(folder)): json.loads(file.read_text()) for file in folder.rglob("*.tfstate")}
    return {name: (state["lineage"], state["serial"]) for name, state in states.items()}


def test_an_unknown_fault_or_environment_is_refused_in_a_sentence(tmp_path: Path) -> None:
    fault = rehearse(tmp_path, "promote", "--fault", "earthquake")
    assert (fault.returncode, fault.stderr) == (1, "")
    assert fault.stdout.startswith("There is no fault 'earthquake'; there are ")

    place = rehearse(tmp_path, "promote", "--environment", "mars")
    assert place.returncode == 1
    assert "There is no environment 'mars'; there are world, dev, staging, prod." in place.stdout


def test_prod_is_left_to_a_person(tmp_path: Path) -> None:
    done = rehearse(tmp_path, "promote", "--environment", "prod")
    assert done.returncode == 1
    assert "prod waits for a person who approves its plan" in done.stdout


def test_a_second_rehearsal_beside_one_at_work_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "rehearse"
    state.mkdir()
    at_work = processes.start("rehearsal", ["sleep", "60"], tmp_path / "logs", {})
    try:
        processes.remember(state / "processes.json", [at_work])
        done = rehearse(tmp_path, "promote")
        assert done.returncode == 1
        assert f"is at work already (process {at_work.pid})" in done.stdout
    finally:
        at_work.end()
