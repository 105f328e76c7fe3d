"""The machine's own decisions, without starting anything."""

import json
import stat
from pathlib import Path

import pytest
from workspace.errors import Broken, Refused

import deployments
from deployments import faults, processes
from deployments.machine import Machine
from deployments.progress import Watched

FAULTS = json.loads((deployments.SOURCES / "deployments/faults.json").read_text())


def test_an_unknown_fault_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Refused) as told:
        Machine(tmp_path).fault("earthquake")
    assert str(told.value) == f"There is no fault 'earthquake'; there are {', '.join(sorted(FAULTS))}."
    assert not (tmp_path / "rehearsal/faults.json").exists()


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_is_put_in_force_by_name_and_taken_back_by_none(tmp_path: Path, name: str) -> None:
    machine, file = Machine(tmp_path), tmp_path / "rehearsal/faults.json"
    machine.fault(name)
    assert json.loads(file.read_text()) == FAULTS[name]
    machine.fault("")
    assert json.loads(file.read_text()) == []


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_says_what_it_is_about_and_hits_something(name: str) -> None:
    for entry in FAULTS[name]:
        assert entry["point"]
        assert entry["subject"]
        assert entry["about"]


@pytest.mark.parametrize("victim", ["server", "rehearsal", "worker"])
def test_a_process_is_killed_by_name_in_mid_run_and_told_in_a_sentence(tmp_path: Path, victim: str) -> None:
    """`server-killed`, `rehearsal-killed` and `worker-killed`, with a stand-in for each process."""
    machine, watched = Machine(tmp_path), Watched("dev")
    machine.fault(f"{victim}-killed")
    machine._running = [
        processes.start(name, ["sleep", "60"], tmp_path, {}) for name in ("server", "rehearsal", "worker")
    ]
    try:
        machine.practise(watched)
        machine.refuse_losses(watched)
        watched.outcomes |= {f"node-{number}": {} for number in range(5)}
        machine.practise(watched)
        assert [each.name for each in machine._running if not each.alive] == [victim]
        with pytest.raises(
            Broken, match=r"stopped while promote/dev was at work\. What is done is in the ledger and is not"
        ):
            machine.refuse_losses(watched)
        assert faults.met(tmp_path / "rehearsal") == {victim: 1}
    finally:
        for process in machine._running:
            process.end()


def test_state_is_private_and_where_it_was_asked_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTIRA_STATE", str(tmp_path / "state"))
    assert Machine().state == tmp_path / "state"
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_two_checkouts_keep_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYSTIRA_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    here = Machine().state
    monkeypatch.setattr(deployments, "SOURCES", tmp_path)
    assert Machine().state != here


def test_nothing_of_ours_runs_and_ending_it_is_harmless(tmp_path: Path) -> None:
    Machine(tmp_path).down()
