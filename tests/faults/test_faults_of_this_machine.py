"""Trouble of the machine and of the run itself: each run is a process of its own, as it is for people."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from expectation import is_sentence
from practice import Drift, Gone, Practice, Rotated, things, touched
from workspace.ledger import Event, Ledger

import deployments
from deployments import faults

pytestmark = pytest.mark.evidence("faults")
RECORDS = ("chain-record", "publisher-record", "story-generator-record", "api-record", "admin-api-record", "pwa-record")


@pytest.fixture
def practice(workspace: Path, tmp_path: Path) -> Iterator[Practice]:
    made = Practice(workspace, tmp_path / "copy")
    yield made
    made.close()


def start(practice: Practice, *nodes: str) -> "subprocess.Popen[str]":
    """A run of these nodes of dev, as a process."""
    practice.turn += 1
    file = practice.folder / "addresses.json"
    file.write_text(json.dumps(practice.rehearsal.addresses))
    here = Path(__file__).parent
    command = [sys.executable, str(here / "runner.py"), str(file), f"practice-{practice.turn}", *nodes]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(deployments.SOURCES), str(here)])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(practice: Practice, *nodes: str) -> "subprocess.CompletedProcess[str]":
    """What a run of these nodes of dev prints, and how it exits."""
    process = start(practice, *nodes)
    told, complained = process.communicate(timeout=180)
    return subprocess.CompletedProcess(process.args, process.returncode, told, complained)


def outcomes(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def entries(name: str, **changed: Any) -> list[Mapping[str, Any]]:
    """The fault's entries, some of their figures made fit for one small run."""
    found = faults.known()[name]
    return [{**found[0], **changed}, *found[1:]]


def begun(practice: Practice, event: Event) -> list[str]:
    """The nodes of the last run that the ledger tells this about, one for each time."""
    ledger = Ledger(practice.folder / "runs")
    found = [each.node for each in ledger.after(0, run=f"practice-{practice.turn}") if each.event is event]
    ledger.close()
    return found


def test_a_ledger_that_cannot_be_written_stops_the_run_before_the_next_effect(practice: Practice) -> None:
    """`ledger-disk-full`: what was touched had been announced in the ledger, and a rerun does the rest."""
    records = [thing for thing in things(practice) if thing.startswith(("dnsZones/A ", "dnsZones/CNAME "))]
    for thing in records:
        Gone(thing)(practice)
    before = things(practice)
    record = practice.folder / "runs" / "dev.jsonl"
    practice.inforce(entries("ledger-disk-full", bytes=record.stat().st_size + 1500))
    done = run(practice, *RECORDS)
    left = touched(before, things(practice))
    practice.inforce([])
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == (
        f"{record} cannot be used: File too large; nothing further is done without it. Make room or mend the folder, "
        "then run again."
    )
    announced = begun(practice, Event.INTENT)
    assert len(left) <= len(announced) < len(records)
    again = outcomes(run(practice, *RECORDS))
    assert set(again.values()) <= {"changed", "unchanged"}
    assert sum(outcome == "changed" for outcome in again.values()) == len(records) - len(left)


def test_a_damaged_ledger_stops_the_run_before_anything_is_touched(practice: Practice) -> None:
    """`ledger-damaged`: with the record of yesterday back in its place the run goes on."""
    record, kept = practice.folder / "runs" / "world.jsonl", practice.folder / "kept"
    shutil.copy(record, kept)
    Gone("dnsZones/A mystira.app/dev.chain")(practice)
    before = things(practice)
    practice.inforce(entries("ledger-damaged"))
    done = run(practice, "chain-record")
    assert (done.returncode, done.stderr) == (1, "")
    said = (
        "Entry … of the ledger world.jsonl in …/runs was altered, or one before it was removed; the … entries before "
    )
    said += "it are as they were written. Nothing is done on its word: bring back the record from a copy, or keep it "
    said += "elsewhere and promote world anew."
    assert is_sentence(said, done.stdout.splitlines()[-1]), done.stdout
    assert touched(before, things(practice)) == set()
    practice.inforce([])
    shutil.copy(kept, record)
    assert outcomes(run(practice, "chain-record")) == {"chain-record": "changed"}


def test_a_second_run_waits_for_the_one_at_work_and_says_for_whom(practice: Practice) -> None:
    """`environment-held`: it does its own work when the other one is over."""
    Gone("dnsZones/A mystira.app/dev.chain")(practice)
    practice.inforce(entries("environment-held", seconds=0))
    process = start(practice, "chain-record")
    assert process.stdout
    waits = process.stdout.readline().strip()
    assert is_sentence("waiting for run of somebody else (process … on …, since …), who is at work in dev", waits)
    assert begun(practice, Event.STARTED) == []
    practice.inforce([])
    told, _ = process.communicate(timeout=120)
    assert json.loads(told.splitlines()[-1]) == {"chain-record": "changed"}


def test_a_run_that_is_killed_is_finished_by_the_next_and_nothing_is_done_twice(practice: Practice) -> None:
    """`run-killed`: Terraform is given the time to finish, so its state is whole and its lock is free."""
    Drift("redisEnterprise mystira-shared-redis-dev-cache")(practice)
    Rotated("vaults/secrets mystira-pub-dev-kv/servicebus-connection")(practice)
    practice.inforce(entries("run-killed"))
    done = run(practice, "redis", "story-generator-secrets", "publisher-secrets")
    assert done.returncode == -signal.SIGKILL
    assert begun(practice, Event.INTENT).count("redis") == 1
    assert "redis" not in begun(practice, Event.OUTCOME)
    once = begun(practice, Event.OUTCOME)
    practice.inforce([])
    again = outcomes(run(practice, "redis", "story-generator-secrets", "publisher-secrets"))
    assert set(again.values()) <= {"changed", "unchanged"}
    assert {name: again[name] for name in once} == dict.fromkeys(once, "unchanged")
    assert set(outcomes(run(practice, "redis", "publisher-secrets")).values()) == {"unchanged"}
