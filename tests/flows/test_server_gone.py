"""The Prefect server is killed while a run is at work: the run ends in order, and running again finishes."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import prefect_server
import pytest
import small_promotions
from prefect.client.orchestration import get_client
from prefect_server import Server
from small_promotions import THREE, Scripted
from workspace.ledger import Entry, Event, Ledger

from flows.promote import promote

pytestmark = pytest.mark.prefect
HERE = Path(__file__).parent
SERVER_AWAY_SECONDS = 6
"""Longer than a rehearsal's patience with an absent server."""


@dataclass(frozen=True)
class Drill:
    """What was left of a run whose server was killed."""

    folder: Path
    exit_code: int
    log: list[str]
    entries: list[Entry]


def started(server: Server, folder: Path) -> "subprocess.Popen[bytes]":
    """A run of `promote/dev` in a process of its own, as a worker starts it."""

    async def ask() -> str:
        async with get_client() as client:
            return str((await client.create_flow_run(promote, parameters={"environment": "dev"})).id)

    with prefect_server.spoken_to(server):
        small_promotions.register(folder, "dev")
        run = asyncio.run(ask())
    environment = prefect_server.child_environment(
        server,
        PREFECT__FLOW_RUN_ID=run,
        PREFECT__FLOW_ENTRYPOINT="drill.promote",
        PYTHONPATH=str(HERE),
        PREFECT_CLIENT_MAX_RETRIES="8",
    )
    with (folder / "run.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect.engine"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def told(folder: Path, event: Event) -> set[str]:
    """The nodes that the ledger tells something about."""
    return {each.node for each in Ledger(folder).after(0) if each.event is event}


@pytest.fixture(scope="module")
def drill(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """`first` is done and `long` at work when the server is killed; `long` ends when the run already knows."""
    folder = tmp_path_factory.mktemp("drill")
    mortal = prefect_server.start(folder)
    run = started(mortal, folder)
    try:
        until(lambda: len(told(folder, Event.INTENT)) == 2, "first and long never started")
        mortal.kill()
        time.sleep(SERVER_AWAY_SECONDS)
        (folder / "go").touch()
        exit_code = run.wait(timeout=60)
    finally:
        run.kill()
        mortal.end()
    return Drill(folder, exit_code, (folder / "run.log").read_text().splitlines(), Ledger(folder).after(0))


def test_what_is_at_work_when_the_server_goes_finishes_and_is_recorded(drill: Drill) -> None:
    assert told(drill.folder, Event.OUTCOME) >= {"first", "long"}


def test_nothing_is_started_without_the_server(drill: Drill) -> None:
    assert "later" not in told(drill.folder, Event.INTENT)
    assert "later" not in told(drill.folder, Event.OUTCOME)


def test_the_run_exits_with_a_failure(drill: Drill) -> None:
    assert drill.exit_code == 1


def test_the_ledger_ends_on_a_sentence_of_what_where_and_what_to_do(drill: Drill) -> None:
    last = drill.entries[-1]
    assert (last.event, last.body["success"]) == (Event.ENDED, False)
    assert re.fullmatch(
        r"promote/dev: the Prefect server at http://127\.0\.0\.1:\d+/api is gone, so nothing more was started; "
        r"2 of 3 nodes are done and recorded\. Start the server and run promote/dev again; "
        r"what is done is not done again\.",
        last.body["sentence"],
    )


def test_the_log_ends_on_that_sentence_and_holds_no_trace(drill: Drill) -> None:
    assert drill.log[-1].endswith(drill.entries[-1].body["sentence"])
    assert not [line for line in drill.log if "Traceback" in line]
    assert len(drill.log) < 40


def test_running_again_finishes(drill: Drill, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    small_promotions.register(drill.folder, "dev")
    small_promotions.instead_of_the_catalogue(THREE, Scripted(), monkeypatch.setattr)
    state = asyncio.run(promote("dev", return_state=True))  # type: ignore[misc]
    assert (state.is_completed(), state.message) == (True, "promote/dev: 3 of 3 nodes changed.")
