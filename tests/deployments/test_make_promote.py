"""`make promote` as a person runs it: real server, real worker, the rehearsal; killed, with a fault, mended, again.

One machine goes through all of it, each run going on where the one before left off: so running again is tested, too.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from workspace.ledger import Entry, Event, Ledger
from workspace.node import Part

import deployments
from deployments import processes

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(480)]


@dataclass
class Person:
    """Somebody with a state folder, who types commands."""

    state: Path

    def types(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(words), env=self._environment(), capture_output=True, text=True, timeout=400
        )

    def starts(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command(words), env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def asks(self, path: str, **body: Any) -> Any:
        api = (self.state / "api").read_text()
        return httpx.post(f"{api}/{path}", json=body, timeout=30).json()

    def state_of(self, run: str) -> str:
        """The type of a run's state; one that is asked for and was never seen is still scheduled."""
        (found,) = self.asks("flow_runs/filter", flow_runs={"id": {"any_": [run]}})
        return str(found["state_type"])

    def ledger(self, environment: str, *events: Event) -> list[Entry]:
        """What the ledger says of an environment, of these kinds of entries, oldest first."""
        entries = Ledger(self.state / "runs").after(0, environment)
        return [entry for entry in entries if entry.event in events]

    def images(self, environment: str) -> dict[str, Entry]:
        """The last outcome of each image of an environment."""
        outcomes = self.ledger(environment, Event.OUTCOME)
        return {entry.node: entry for entry in outcomes if entry.node.endswith("-image")}

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "deployments.machine", *words]

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return {**clean, "MYSTIRA_STATE": str(self.state), "PYTHONPATH": str(deployments.SOURCES)}


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    made = Person(tmp_path_factory.mktemp("machine"))
    yield made
    made.types("down")


@pytest.fixture(scope="module")
def killed(person: Person) -> dict[str, tuple[str, int]]:
    """The first two promotions: what a person saw, and the exit code, by the process that was killed in mid-run."""
    places = {"server": ("world", "dev"), "rehearsal": ("dev",)}
    return {victim: _killed_in_mid_run(person, victim, its) for victim, its in places.items()}


@pytest.fixture(scope="module")
def faulty(person: Person, killed: dict[str, tuple[str, int]]) -> subprocess.CompletedProcess[str]:
    """The third, with chain's rollout made to fail."""
    assert len(killed) == 2
    return person.types("promote", "--keep", "--fault", "chain-rollout")


@pytest.fixture(scope="module")
def mended(person: Person, faulty: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """The fourth, without the fault."""
    assert faulty.returncode
    return person.types("promote", "--keep")


def _lines(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """Node and outcome of every row of the tables, by node."""
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(" ") and len(line.split()) > 2]
    return {words[0]: words[1:] for words in rows}


@pytest.mark.parametrize("victim", ["server", "rehearsal"])
def test_what_is_killed_in_mid_run_is_told_in_a_sentence(killed: dict[str, tuple[str, int]], victim: str) -> None:
    told, code = killed[victim]
    assert code == 1
    assert victim in told
    assert "stopped while promote/dev was at work" in told
    assert "Traceback" not in told


def test_a_failed_rollout_blocks_what_needs_it_and_nothing_else(faulty: subprocess.CompletedProcess[str]) -> None:
    outcomes = {node: words[0] for node, words in _lines(faulty).items()}
    assert outcomes["chain-rollout"] == "failed"
    assert outcomes["publisher-rollout"] == "blocked"
    for independent in ("story-generator-rollout", "story-generator-check", "api", "admin-api", "pwa", "api-check"):
        assert outcomes[independent] in ("changed", "unchanged"), independent


def test_it_ends_on_what_failed_where_and_what_to_do(faulty: subprocess.CompletedProcess[str]) -> None:
    assert faulty.returncode == 1
    sentence = " ".join(faulty.stdout.split())
    assert "promote/dev: 1 of 50 nodes failed. chain-rollout failed: StatefulSet mystira-dev/mystira-chain" in sentence
    assert "CrashLoopBackOff" in sentence
    assert sentence.endswith("Mend the cause and run promote/dev again; what is done is not done again.")
    assert "Traceback" not in faulty.stdout + faulty.stderr


def test_running_again_does_only_what_was_left_and_goes_on_to_staging(
    mended: subprocess.CompletedProcess[str], person: Person
) -> None:
    assert mended.returncode == 0, mended.stdout[-2000:]
    assert "promote/world: nothing changed" in mended.stdout
    proven = [entry for place in ("world", "dev", "staging") for entry in person.ledger(place, Event.PROVEN)]
    assert [entry.environment for entry in proven] == ["dev", "staging"]
    assert len({entry.body["release"]["id"] for entry in proven}) == 1


def test_staging_runs_the_digests_that_dev_proved_and_built_nothing(
    mended: subprocess.CompletedProcess[str], person: Person
) -> None:
    assert mended.returncode == 0
    dev, staging = person.images("dev"), person.images("staging")
    assert len(dev) == 3
    assert {name: each.body["content"] for name, each in dev.items()} == {
        name: each.body["content"] for name, each in staging.items()
    }
    assert all("not rebuilt" in each.body["detail"] for each in staging.values())


def test_prefect_lists_the_promotions_with_their_stages_and_artifacts(
    mended: subprocess.CompletedProcess[str], person: Person
) -> None:
    assert mended.returncode == 0
    completed = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    names = {run["name"] for run in person.asks("flow_runs/filter", **completed, limit=200)}
    assert {"promote-world", "promote-dev", "promote-staging"} <= names
    stages = ("shared-infrastructure", "images", "cluster-rollout", "app-services", "names", "verification")
    parts = tuple(Part)
    assert {f"{stage}-{place}" for stage in (*stages, *parts) for place in ("dev", "staging")} | {"zone-world"} <= names
    keys = {artifact["key"] for artifact in person.asks("artifacts/filter", limit=200)}
    assert {f"{what}-{place}" for what in ("plan", "result") for place in ("world", "dev", "staging")} <= keys


def test_once_more_says_that_nothing_changed(mended: subprocess.CompletedProcess[str], person: Person) -> None:
    assert mended.returncode == 0
    again = person.types("promote", "--keep", "--environment", "dev")
    assert again.returncode == 0
    assert "Nothing changed: every environment already is what it should be." in again.stdout


def test_prod_draws_its_plan_and_stops_at_its_gate(mended: subprocess.CompletedProcess[str], person: Person) -> None:
    assert mended.returncode == 0
    (deployment,) = person.asks("deployments/filter", deployments={"tags": {"all_": ["promote", "prod"]}})
    run = person.asks(f"deployments/{deployment['id']}/create_flow_run", parameters=deployment["parameters"])
    _wait_until(lambda: person.state_of(run["id"]) not in ("SCHEDULED", "PENDING", "RUNNING"))
    assert person.state_of(run["id"]) == "PAUSED"
    plans = {each["key"]: each["data"] for each in person.asks("artifacts/filter", limit=200)}
    rows = [line for line in plans["plan-prod"].splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) == 1 + len(list(deployments.nodes(deployments.find("prod"))))
    assert [entry.event for entry in person.ledger("prod", Event.ASKED, Event.INTENT)] == [Event.ASKED]


def _killed_in_mid_run(person: Person, victim: str, places: tuple[str, ...]) -> tuple[str, int]:
    """What a person sees, and the exit code, when one of the processes is killed while dev is at work."""
    before = _settled_in_dev(person)
    running = person.starts("promote", *(word for place in places for word in ("--environment", place)))
    try:
        _wait_until(lambda: _settled_in_dev(person) >= before + 5 or running.poll() is not None)
        (pid,) = [each.pid for each in processes.remembered(person.state / "processes.json") if each.name == victim]
        os.kill(pid, signal.SIGKILL)
        told, _ = running.communicate(timeout=120)
    finally:
        running.kill()
    return told, running.returncode


def _settled_in_dev(person: Person) -> int:
    return len(person.ledger("dev", Event.OUTCOME))


def _wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not ready():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.2)
