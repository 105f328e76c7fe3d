"""The durable record of what was meant, what was done and what came of it.

Append-only, a record an environment: each line holds one entry and a digest over the entry and the line before, so no
byte of it can change unseen, and an entry that was written survives a crash. An outcome is never success by default: a
node without an outcome entry has none. One run at a time holds an environment and writes; a writer that slept through
the end of its lease is refused at its next entry, and with the entry at what it announces.
"""

import contextlib
import datetime
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from workspace import lease
from workspace.errors import Broken, Refused, Unsettled
from workspace.release import Release, from_json
from workspace.store import Conflict, Folder, Store
from workspace.work import Outcome, Result, say_nothing

_ENDING = ".jsonl"
_DIGITS = 64
_TRIES = 20
_GATHERED_SECONDS = 1.0
_LINE_SECONDS = 0.02


class Event(StrEnum):
    """What an entry is about."""

    HELD = "held"
    STARTED = "started"
    PINNED = "pinned"
    STRAYED = "strayed"
    CHECKED = "checked"
    EXPECTED = "expected"
    ASKED = "asked"
    APPROVED = "approved"
    INTENT = "intent"
    PROGRESS = "progress"
    EFFECT = "effect"
    OUTCOME = "outcome"
    UNLOCKED = "unlocked"
    ENDED = "ended"
    LOST = "lost"
    PROVEN = "proven"
    RELEASE_HELD = "release-held"
    RELEASE_LIFTED = "release-lifted"


# What tells how far a run came; the run's next entry takes it along.
_MAY_WAIT = (Event.PROGRESS, Event.EFFECT)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; numbers count within an environment; `node` is empty for what concerns the whole run."""

    number: int
    at: str
    run: str
    environment: str
    node: str
    event: Event
    body: Mapping[str, Any] = field(default_factory=dict)


class Ledger:
    """The ledger in a store, or in a folder of its own (mode 0700); any thread may use it.

    Broken when the store cannot be used or what it holds was altered: nothing further is done without it.
    """

    def __init__(self, where: Path | Store, *, lease_seconds: float = lease.SECONDS) -> None:
        if isinstance(where, Path):
            _refuse_old(where)
        self._store: Store = Folder(where) if isinstance(where, Path) else where
        self._seconds = lease_seconds
        self._guard = threading.Lock()
        self._journals: dict[str, _Journal] = {}

    def write(self, run: str, environment: str, event: Event, node: str = "", **body: Any) -> None:
        """Append one entry and wait until it is durable; refused to who no longer holds the environment.

        In a store that is far away a progress line or an effect of who holds the environment is not waited for, but
        written with the entry after it: a crash may lose the last ones, and nothing else.
        """
        self._journal(environment).append(run, [(event, node, body)])

    def write_all(
        self, run: str, environment: str, what: Sequence[tuple[Event, str, Mapping[str, Any]]]
    ) -> tuple[Entry, ...]:
        """Append several entries, each with its event, node and body, all or none of them, and return them.

        They are durable then wherever the store is, and whoever lost the environment was refused.
        """
        return self._journal(environment).append(run, what, waits=True) if what else ()

    def outcome(self, run: str, environment: str, node: str, result: Result, **body: Any) -> None:
        """Append what became of a node."""
        self.write(
            run, environment, Event.OUTCOME, node, outcome=result.outcome, detail=result.detail,
            gives=dict(result.gives), content=result.content, **body,
        )  # fmt: skip

    def gives(self, environment: str) -> dict[str, dict[str, Any]]:
        """What each node gave when it last succeeded."""
        return {
            entry.node: entry.body["gives"]
            for entry in self._journal(environment).entries()
            if entry.event is Event.OUTCOME and Outcome(entry.body["outcome"]).is_success
        }

    def prove(self, run: str, environment: str, release: Release) -> None:
        """Record that a release was verified as a whole in an environment."""
        self.write(run, environment, Event.PROVEN, release=release.as_json())

    def proven(self, environment: str) -> Release | None:
        """The release last proven in an environment, or None."""
        newest_first = reversed(self._journal(environment).entries())
        last = next((entry for entry in newest_first if entry.event is Event.PROVEN), None)
        return from_json(last.body["release"]) if last else None

    def after(self, number: int, environment: str = "", run: str = "") -> list[Entry]:
        """Entries with a higher number, oldest first, of one environment or run when given.

        Numbers count within an environment; without one they are all environments' entries in the order of their times.
        """
        places = (environment,) if environment else self.environments()
        found = [entry for place in places for entry in self._journal(place).entries(number)]
        if not environment:
            found.sort(key=lambda entry: entry.at)
        return [entry for entry in found if run in ("", entry.run)]

    def last_number(self, environment: str) -> int:
        """The number of the newest entry of an environment, 0 when there is none."""
        return len(self._journal(environment).entries())

    def environments(self) -> tuple[str, ...]:
        """The environments of which something is recorded."""
        return tuple(name.removesuffix(_ENDING) for name in self._store.records())

    @contextlib.contextmanager
    def hold(
        self,
        environment: str,
        owner: str,
        say: Callable[[str], None] = say_nothing,
        halt: threading.Event | None = None,
    ) -> Iterator[None]:
        """Be the only writer of an environment; wait in line for the one before, saying who.

        Nobody is put out silently: the first entry of each holder says how the lease before it ended.
        """
        name, journal = f"{environment}.lease", self._journal(environment)
        with lease.held(self._store, name, owner, say, seconds=self._seconds, halt=halt) as taken:
            try:
                if aside := journal.take(taken):
                    say(f"the last line in the ledger of {environment} was torn by a crash, and is kept in {aside}")
                yield
            finally:
                journal.leave()

    @contextlib.contextmanager
    def share(
        self,
        name: str,
        owner: str,
        say: Callable[[str], None] = say_nothing,
        halt: threading.Event | None = None,
    ) -> Iterator[lease.Held]:
        """Be the only writer of something that several environments write to; wait in line for it, saying for whom."""
        document = _shared(name)
        with lease.held(self._store, document, owner, say, seconds=self._seconds, halt=halt) as taken:
            yield taken

    def check(self, environment: str) -> int:
        """Read an environment's entries again from the first on and check every byte; how many there are.

        Broken with the number of the first entry that is not what it was, or after which there is no whole one.
        """
        return self._journal(environment).check()

    def holds(self, environment: str) -> bool:
        """True while we hold an environment."""
        return self._journal(environment).is_held

    def holder(self, environment: str) -> str:
        """Who holds an environment and since when, in words; empty when nobody does."""
        return lease.holder(self._store, f"{environment}.lease")

    def standing(self, environment: str = "", *, shared: str = "") -> lease.Standing:
        """Who holds an environment, or something shared, and who waits for it in which order."""
        return lease.standing(self._store, _shared(shared) if shared else f"{environment}.lease")

    def close(self) -> None:
        """Forget what was read; a later call reads it again."""
        with self._guard:
            self._journals.clear()

    def _journal(self, environment: str) -> "_Journal":
        with self._guard:
            return self._journals.setdefault(environment, _Journal(self._store, environment))


def _shared(name: str) -> str:
    return f"{name}.shared.lease"


@dataclass
class _Row:
    """An entry that waits to be written; once it is settled it has its `entry`, or `error` says why it has not.

    Nobody waits for one that `may_wait`.
    """

    at: str
    run: str
    event: Event
    node: str
    body: Mapping[str, Any]
    may_wait: bool = False
    entry: Entry | None = None
    is_settled: bool = False
    error: BaseException | None = None


@dataclass(frozen=True)
class _Line:
    """An entry as it is written."""

    text: bytes
    entry: Entry
    digest: str


class _Journal:
    """The entries of one environment as far as they were read, every line checked."""

    def __init__(self, store: Store, environment: str) -> None:
        self._store, self._environment = store, environment
        self._record, self._head = environment + _ENDING, f"{environment}.head"
        self._lock = threading.RLock()
        self._waiting = threading.Lock()
        self._rows: list[_Row] = []
        self._timer: threading.Timer | None = None
        self._entries: list[Entry] = []
        self._length = 0
        self._digests: list[str] = []
        self._token = 0
        self._torn = False
        self._begun = False
        self._held: lease.Held | None = None

    def check(self) -> int:
        """Read everything again from its beginning and check each byte of it; how many entries there are."""
        with self._lock:
            fresh = _Journal(self._store, self._environment)
            for _ in range(_TRIES):
                count = len(fresh.entries())
                if not fresh._torn:
                    return count
                # Somebody may be writing that line at this moment.
                time.sleep(_LINE_SECONDS)
        raise Broken(
            f"The ledger {self._record} in {self._store.place} ends in the middle of a line after entry {count}: a "
            f"crash tore it, or somebody added to it. The {count} entries are as they were written; the next run in "
            f"{self._environment} sets the rest aside and says where."
        )

    def entries(self, after: int = 0) -> list[Entry]:
        """What was recorded after that number, up to now."""
        with self._lock:
            self._write_rows()
            # While we hold it nobody else may write, and if somebody did, our next entry would not fit its end.
            if not (self._store.is_far and self._begun and self.is_held):
                self._read_on()
            return self._entries[after:]

    def append(
        self, run: str, what: Sequence[tuple[Event, str, Mapping[str, Any]]], *, waits: bool = False
    ) -> tuple[Entry, ...]:
        """Write entries at the end, wherever the end is by then, unless somebody else took over; return them.

        Who holds the environment in a store that is far away has its progress lines and effects written a little
        later, in their order: with the next entry at the latest, before that one; they are not returned, unless the
        caller `waits` for them. What threads want to write at the same time is written at once.
        """
        is_later = self._store.is_far and self.is_held and all(event in _MAY_WAIT for event, _, _ in what)
        may_wait = is_later and not waits
        rows = [_Row(_now(), run, event, node, body, may_wait) for event, node, body in what]
        with self._waiting:
            self._rows += rows
            if may_wait:
                self._write_soon()
                return ()
        with self._lock:
            if not rows[-1].is_settled:
                self._write_rows()
        error = rows[-1].error
        if error is not None:
            raise error
        return tuple(row.entry for row in rows if row.entry is not None)

    def _write_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(_GATHERED_SECONDS, self._write_late)
            self._timer.daemon = True
            self._timer.start()

    def _write_late(self) -> None:
        with self._lock:
            with self._waiting:
                self._timer = None
            self._write_rows()

    def _write_rows(self) -> None:
        """Write what waits, all in one; who waits for a row of it finds what came of it there."""
        with self._waiting:
            rows, self._rows = self._rows, []
        try:
            if rows:
                self._write(rows)
        except BaseException as error:
            for each in rows:
                each.error = error
            if isinstance(error, Unsettled):
                # What nobody waits for would be lost unseen; it comes before the entry after it.
                with self._waiting:
                    self._rows = [replace(each, error=None) for each in rows if each.may_wait] + self._rows
            if not isinstance(error, Exception):
                raise
        finally:
            for each in rows:
                each.is_settled = True

    def _write(self, rows: Sequence["_Row"]) -> None:
        tried: list[_Line] = []
        for _ in range(_TRIES):
            # Nothing need be read first: whatever was added since is a conflict here.
            if tried or not self._begun:
                self._read_on()
            rows = self._unwritten(rows, tried)
            if not rows:
                return
            self._check_holder()
            lines = self._lines(rows)
            try:
                self._store.append(self._record, b"".join(each.text for each in lines), self._length)
            except Conflict:
                tried = lines
                continue
            for each in lines:
                self._keep(each.entry, each.digest, len(each.text))
            self._settle(rows, lines)
            return
        raise Broken(
            f"The ledger of {self._environment} in {self._store.place} grows while nobody but us may write it."
        )

    def _unwritten(self, rows: Sequence["_Row"], tried: Sequence["_Line"]) -> Sequence["_Row"]:
        """Those rows that are still to be written: of some only the answer was lost, now or when they came before."""
        count = sum(self._is_entry(str(each.entry.number), each.digest) for each in tried)
        if count:
            self._settle(rows[:count], tried[:count])
        return rows[count:]

    def _settle(self, rows: Sequence["_Row"], lines: Sequence["_Line"]) -> None:
        for row, line in zip(rows, lines, strict=True):
            row.entry = line.entry
        self._store.note(self._head, f"{lines[-1].entry.number} {lines[-1].digest}\n".encode())

    def take(self, taken: lease.Held) -> str:
        """Become the writer; everybody who held it before is refused from now on. Where a torn line is kept, if any."""
        with self._lock:
            self._held = taken
            self._read_on()
            body: dict[str, Any] = {"token": taken.token, "owner": taken.owner}
            if taken.before.how:
                body["before"] = {"owner": taken.before.owner, "ended": taken.before.how}
            if self._torn:
                body["set_aside"] = self._store.set_aside(self._record, self._length)
                self._torn = False
            self._token = max(self._token, taken.token)
            self.append("", [(Event.HELD, "", body)])
        return str(body.get("set_aside", ""))

    def leave(self) -> None:
        """Be a writer no longer; what waits is written before."""
        with self._lock:
            self._write_rows()
            self._held = None
            with self._waiting:
                self._rows = [each for each in self._rows if not each.may_wait]

    @property
    def is_held(self) -> bool:
        """True while the lease is in our hands."""
        # Without the lock, which is taken for as long as a write lasts: who comes meanwhile is to be in the next one.
        held = self._held
        return held is not None and not held.lost.is_set()

    def _check_holder(self) -> None:
        if self._held is None:
            if self._token:
                raise Refused(f"Nobody writes into the ledger of {self._environment} who does not hold it.")
            return
        self._held.check()
        if self._held.token < self._token:
            raise Refused(lease.stale(self._held.name, self._held.owner))

    def _read_on(self) -> None:
        """Take in what was added since; at first, see that nothing is missing at the end."""
        self._read()
        if not self._begun:
            self._compare_head()
            self._begun = True

    def _read(self) -> None:
        """Check and keep whole lines; a last line without an end was torn by a crash and is not an entry."""
        data = self._store.read(self._record, self._length)
        whole, _, rest = data.rpartition(b"\n")
        self._torn = bool(rest)
        for line in whole.split(b"\n") if whole else ():
            entry, digest = self._checked(line)
            self._keep(entry, digest, len(line) + 1)

    def _compare_head(self) -> None:
        """Broken when the head knows of an entry that is not there: the chain alone cannot tell that its end is gone.

        The head is written after the entry, so it may be behind, and while somebody writes it may be ahead of what we
        have read.
        """
        for _ in range(_TRIES):
            head, _ = self._store.document(self._head)
            number, _, digest = head.decode(errors="replace").rstrip("\n").partition(" ")
            if not head or (f"{number} {digest}\n".encode() == head and self._is_entry(number, digest)):
                return
            self._read()
        last = len(self._entries)
        raise Broken(
            f"The ledger {self._record} in {self._store.place} ends with entry {last}, and its head {self._head} knows "
            f"of another end: one of the two was altered. Nothing is done on its word: bring back both from a copy, or "
            f"keep them elsewhere and promote {self._environment} anew."
        )

    def _is_entry(self, number: str, digest: str) -> bool:
        return number.isdecimal() and 0 < int(number) <= len(self._digests) and self._digests[int(number) - 1] == digest

    def _keep(self, entry: Entry, digest: str, length: int) -> None:
        self._entries.append(entry)
        self._digests.append(digest)
        self._length += length
        if entry.event is Event.HELD:
            self._token = max(self._token, int(entry.body["token"]))

    def _lines(self, rows: Sequence["_Row"]) -> list["_Line"]:
        """The lines of several entries after the last one, each chained to the one before."""
        lines: list[_Line] = []
        for number, row in enumerate(rows, len(self._entries) + 1):
            told = [number, row.at, row.run, self._environment, row.node, str(row.event), row.body]
            text = json.dumps(told, default=str, separators=(",", ":"))
            digest = self._chained(text.encode(), lines[-1].digest if lines else "")
            entry = Entry(number, row.at, row.run, self._environment, row.node, row.event, json.loads(text)[-1])
            lines.append(_Line(f"{digest} {text}\n".encode(), entry, digest))
        return lines

    def _checked(self, line: bytes) -> tuple[Entry, str]:
        """The entry in a line, once its digest fits what it says and the line before."""
        number = len(self._entries) + 1
        digest, text = line[:_DIGITS], line[_DIGITS + 1 :]
        if line[_DIGITS : _DIGITS + 1] != b" " or digest != self._chained(text).encode():
            raise Broken(self._altered(number))
        told, at, run, environment, node, event, body = json.loads(text)
        if (told, environment) != (number, self._environment):
            raise Broken(self._altered(number))
        return Entry(number, at, run, environment, node, Event(event), body), digest.decode()

    def _chained(self, text: bytes, before: str = "") -> str:
        """The digest of a line: of what it says, and of the line before, or of the environment's name at first."""
        before = before or (self._digests[-1] if self._digests else self._environment)
        return hashlib.sha256(before.encode() + b"\n" + text).hexdigest()

    def _altered(self, number: int) -> str:
        before = f"; the {number - 1} entries before it are as they were written" if number > 1 else ""
        return (
            f"Entry {number} of the ledger {self._record} in {self._store.place} was altered, or one before it was "
            f"removed{before}. Nothing is done on its word: bring back the record from a copy, or keep it elsewhere "
            f"and promote {self._environment} anew."
        )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def _refuse_old(directory: Path) -> None:
    """The ledger was a database once; to go on beside it would be to forget what it holds."""
    if (directory / "ledger.db").exists():
        raise Refused(
            f"{directory} holds a ledger of an earlier version (ledger.db), which this one does not read; move it away "
            f"and promote world and dev anew, or start a rehearsal afresh with `make clean`."
        )
