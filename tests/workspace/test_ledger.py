"""The ledger: what is written stays, what succeeded is what others read, one writer holds an environment."""

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest
from workspace.errors import Broken
from workspace.ledger import Event, Ledger
from workspace.release import Release
from workspace.work import Outcome, Result


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def test_a_node_gives_what_it_gave_when_it_last_succeeded(ledger: Ledger) -> None:
    ledger.outcome("1", "dev", "db", Result(Outcome.CHANGED, gives={"host": "a"}))
    ledger.outcome("2", "dev", "db", Result(Outcome.UNCHANGED, gives={"host": "b"}))
    ledger.outcome("3", "dev", "db", Result(Outcome.FAILED))
    ledger.outcome("3", "staging", "db", Result(Outcome.CHANGED, gives={"host": "s"}))
    assert ledger.gives("dev") == {"db": {"host": "b"}}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN])
def test_what_did_not_succeed_gives_nothing(ledger: Ledger, outcome: Outcome) -> None:
    ledger.outcome("1", "dev", "db", Result(outcome, gives={"host": "a"}))
    assert ledger.gives("dev") == {}


def test_entries_survive_a_new_process_and_come_in_order(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    first.write("1", "dev", Event.STARTED, nodes={})
    first.write("1", "dev", Event.PROGRESS, "db", line="going on")
    first.close()
    entries = Ledger(tmp_path).after(0, run="1")
    assert [(entry.event, entry.node) for entry in entries] == [(Event.STARTED, ""), (Event.PROGRESS, "db")]
    assert entries[1].body == {"line": "going on"}


def test_the_release_proven_last_is_the_one_that_counts(ledger: Ledger) -> None:
    assert ledger.proven("dev") is None
    old, new = Release({"i": "1"}, "d", "dev"), Release({"i": "2"}, "d", "dev")
    ledger.prove("1", "dev", old)
    ledger.prove("2", "dev", new)
    assert ledger.proven("dev") == new


def test_an_environment_is_held_by_one_and_the_next_is_told_who(ledger: Ledger, tmp_path: Path) -> None:
    said: list[str] = []
    waiting = threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        waiting.set()

    def second() -> None:
        with Ledger(tmp_path / "ledger").hold("dev", "the second", tell):
            said.append("got it")

    with ledger.hold("dev", "the first"), ledger.hold("staging", "somebody else"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        assert "got it" not in said
    thread.join(5)
    assert "the first" in said[0]
    assert said[-1] == "got it"


def _die_holding(folder: str) -> None:
    Ledger(Path(folder)).hold("dev", "the dead").__enter__()


def test_a_process_that_died_holds_nothing(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die_holding, args=(str(tmp_path),))
    process.start()
    process.join()
    with Ledger(tmp_path).hold("dev", "the living"):
        assert "the living" in (tmp_path / "dev.lock").read_text()


def test_a_ledger_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(Broken, match=r"ledger\.db cannot be used"):
        Ledger(tmp_path)


def test_the_ledger_is_private_and_never_rewritten(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write("1", "dev", Event.STARTED)
    file = tmp_path / "ledger" / "ledger.db"
    assert file.stat().st_mode & 0o077 == 0
    ledger.write("1", "dev", Event.ENDED, success=True)
    rows = sqlite3.connect(file).execute("SELECT number, event FROM entries ORDER BY number").fetchall()
    assert rows == [(1, "started"), (2, "ended")]
