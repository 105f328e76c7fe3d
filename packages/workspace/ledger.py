"""The durable record of what was meant, what was done and what came of it.

Append-only, in SQLite with full synchronisation, so that an entry that was written survives a crash. An outcome is
never success by default: a node without an outcome entry has none. One process at a time holds an environment.
"""

import contextlib
import datetime
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from workspace.errors import Broken
from workspace.release import Release, from_json
from workspace.work import Outcome, Result, say_nothing

_POLL_SECONDS = 1.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, run TEXT NOT NULL, environment TEXT NOT NULL, node TEXT NOT NULL,
    event TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_node ON entries (environment, node, event, number);
"""


class Event(StrEnum):
    """What an entry is about."""

    STARTED = "started"
    EXPECTED = "expected"
    ASKED = "asked"
    APPROVED = "approved"
    INTENT = "intent"
    PROGRESS = "progress"
    OUTCOME = "outcome"
    ENDED = "ended"
    PROVEN = "proven"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; `node` is empty for what concerns the whole run."""

    number: int
    at: str
    run: str
    environment: str
    node: str
    event: Event
    body: Mapping[str, Any] = field(default_factory=dict)


class Ledger:
    """The ledger kept in one directory (mode 0700); any thread may write."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._file = directory / "ledger.db"
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(self._file, check_same_thread=False, timeout=30)
        with self._lock, _translated(self._file):
            self._file.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)

    def write(self, run: str, environment: str, event: Event, node: str = "", **body: Any) -> None:
        """Append one entry and wait until it is on disk; broken when it cannot be."""
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        row = (at, run, environment, node, event, json.dumps(body, default=str))
        with self._lock, _translated(self._file), self._connection:
            self._connection.execute(
                "INSERT INTO entries (at, run, environment, node, event, body) VALUES (?, ?, ?, ?, ?, ?)", row
            )

    def outcome(self, run: str, environment: str, node: str, result: Result, **body: Any) -> None:
        """Append what became of a node."""
        self.write(
            run, environment, Event.OUTCOME, node, outcome=result.outcome, detail=result.detail,
            gives=dict(result.gives), content=result.content, **body,
        )  # fmt: skip

    def gives(self, environment: str) -> dict[str, dict[str, Any]]:
        """What each node gave when it last succeeded."""
        successes = [outcome.value for outcome in Outcome if outcome.is_success]
        marks = ",".join("?" * len(successes))
        query = (
            "SELECT node, json_extract(body, '$.gives') FROM entries WHERE number IN ("  # noqa: S608 - only marks
            "SELECT max(number) FROM entries WHERE environment = ? AND event = 'outcome' "
            f"AND json_extract(body, '$.outcome') IN ({marks}) GROUP BY node)"
        )
        return {node: json.loads(given) for node, given in self._rows(query, (environment, *successes))}

    def prove(self, run: str, environment: str, release: Release) -> None:
        """Record that a release was verified as a whole in an environment."""
        self.write(run, environment, Event.PROVEN, release=release.as_json())

    def proven(self, environment: str) -> Release | None:
        """The release last proven in an environment, or None."""
        rows = self._rows(
            "SELECT body FROM entries WHERE environment = ? AND event = 'proven' ORDER BY number DESC LIMIT 1",
            (environment,),
        )
        return from_json(json.loads(rows[0][0])["release"]) if rows else None

    def after(self, number: int, environment: str = "", run: str = "") -> list[Entry]:
        """Entries with a higher number, oldest first, of one environment or run when given."""
        rows = self._rows(
            "SELECT number, at, run, environment, node, event, body FROM entries "
            "WHERE number > ? AND (? = '' OR environment = ?) AND (? = '' OR run = ?) ORDER BY number",
            (number, environment, environment, run, run),
        )
        return [
            Entry(n, at, its, place, node, Event(event), json.loads(body))
            for n, at, its, place, node, event, body in rows
        ]

    def last_number(self) -> int:
        """The number of the newest entry, 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM entries", ())[0][0])

    @contextlib.contextmanager
    def hold(self, environment: str, owner: str, say: Callable[[str], None] = say_nothing) -> Iterator[None]:
        """Be the only writer of an environment; wait for the one before, saying who. Freed when the process dies."""
        file = self._directory / f"{environment}.lock"
        with file.open("a+") as held:
            _wait_for(held.fileno(), lambda: say(f"waiting for {_owner_of(file)}, who is at work in {environment}"))
            held.seek(0)
            held.truncate()
            held.write(f"{owner} (process {os.getpid()})")
            held.flush()
            try:
                yield
            finally:
                held.seek(0)
                held.truncate()
                # Not left to closing: a child that another thread starts at this moment holds the file, too.
                fcntl.flock(held, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; later calls fail."""
        self._connection.close()

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock, _translated(self._file):
            return self._connection.execute(query, values).fetchall()


def _wait_for(descriptor: int, tell: Callable[[], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                tell()
                told = True
            time.sleep(_POLL_SECONDS)
        else:
            return


def _owner_of(file: Path) -> str:
    return file.read_text().strip() or "another run"


@contextlib.contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Broken(f"The ledger {file} cannot be used: {error}; nothing further is done without it.") from error
