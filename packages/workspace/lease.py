"""One writer at a time: a lease that its holder renews, that expires by itself, and whose number only grows.

Nobody's clock is believed. A holder counts beats in the lease; whoever waits sees that no beat came for as long as the
lease promises, by a clock of its own. The number (a fencing token) goes up with every new holder, so that a writer who
slept through the end of its lease can be told from the one who came after it. Those who wait stand in line.
"""

import contextlib
import datetime
import itertools
import json
import os
import pwd
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workspace.errors import Broken, Refused, WorkspaceError
from workspace.store import Conflict, Store
from workspace.work import say_nothing

SECONDS = 30.0
"""How long a lease lasts without a beat; a holder beats three times as often. An Azure blob lease lasts 15 to 60 s."""

_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS, _GROWTH = 0.02, 0.5, 1.4
_BEATS = 3
_MACHINE_S_OWN_PIDS = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel's proc_ns.h
_TIME = "%Y-%m-%d %H:%M:%SZ"

Say = Callable[[str], None]
Json = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How the lease before ended: `released`, `expired` or `died`, and whose it was; empty for the first holder."""

    how: str = ""
    owner: str = ""


@dataclass(frozen=True)
class _Known:
    """A lease as we last wrote it, and the version it had then: who stands in line since gave it another one."""

    lease: Json
    version: str


@dataclass
class Held:
    """A lease in our hands, until it is let go or lost."""

    name: str
    owner: str
    token: int
    before: Ended
    lost: threading.Event = field(default_factory=threading.Event)
    known: "_Known | None" = field(default=None, repr=False, compare=False)
    sure: "_Sure | None" = field(default=None, repr=False, compare=False)

    def check(self) -> None:
        """Refused once somebody else holds it; what was to be written now must not be.

        Where the last beats failed to come, because the store hangs or we slept, the store is asked: whoever waits may
        have been there before anybody told us. Unsettled when it does not answer.
        """
        if not self.lost.is_set() and self.sure is not None and not self.sure.is_ours():
            self.lost.set()
        if self.lost.is_set():
            raise Refused(stale(self.name, self.owner))


class _Sure:
    """Until when a lease is certainly ours: two beats of three after the last that the store took."""

    def __init__(self, beat: Callable[[], bool], seconds: float, took: float) -> None:
        self._beat, self._seconds, self._last = beat, seconds * 2 / _BEATS, took

    def renew(self) -> bool:
        """Beat once; False when the lease is somebody else's."""
        began = _clock()
        is_ours = self._beat()
        if is_ours:
            # Not when the store answered: those who wait may have seen the beat long before.
            self._last = max(self._last, began)
        return is_ours

    def is_ours(self) -> bool:
        """Whether it is ours still, from what we know, or from the store where that is too long ago."""
        return _clock() - self._last <= self._seconds or self.renew()


def stale(name: str, owner: str) -> str:
    """What a writer is told that slept through the end of its lease."""
    return (
        f"{owner} no longer holds {name}: its lease ended while it did not answer, and somebody else has been there "
        f"since. Nothing was written. Run it again; what is done is not done again."
    )


@contextlib.contextmanager
def held(
    store: Store,
    name: str,
    owner: str,
    say: Say = say_nothing,
    *,
    seconds: float = SECONDS,
    halt: threading.Event | None = None,
) -> Iterator[Held]:
    """Hold the lease of that name; wait in line for it, saying for whom and how long that one has had it.

    A holder whose process is gone from this machine is not waited for. Broken when `halt` is set before it is ours: we
    leave the line then.
    """
    line = _Line(store, name, owner, seconds)
    taken = line.wait(say, halt or threading.Event())
    taken.sure = _Sure(lambda: _beaten(store, taken), seconds, line.took)
    renewing = _Renewal(taken, taken.sure, seconds)
    try:
        yield taken
    finally:
        renewing.end()
        # What was done was done, and a lease that cannot be let go ends by itself.
        with contextlib.suppress(WorkspaceError):
            _let_go(store, taken)


@dataclass(frozen=True)
class Someone:
    """Who holds a lease or waits for it: a run, its process, its machine, since when (UTC), and whether it is gone.

    `gone` is certain where it is true: the process was of this machine, and this machine has it no more.
    """

    owner: str
    host: str
    process: int
    since: str
    gone: bool

    @property
    def age(self) -> datetime.timedelta:
        """How long ago it came, by the clocks of its machine and of this one."""
        since = datetime.datetime.strptime(self.since, _TIME).replace(tzinfo=datetime.UTC)
        return max(datetime.timedelta(0), datetime.datetime.now(datetime.UTC) - since)


@dataclass(frozen=True)
class Standing:
    """A lease as it stands: the number of its last holder, who holds it now, and who waits, in order."""

    token: int
    holder: Someone | None
    line: tuple[Someone, ...]


def standing(store: Store, name: str) -> Standing:
    """How the lease of that name stands; number 0 where nobody ever held it."""
    lease = _read(store, name)[0]
    holds = lease.get("holder")
    line = tuple(_someone(each) for each in lease.get("line", []))
    return Standing(int(lease.get("token", 0)), _someone(holds) if holds else None, line)


def holder(store: Store, name: str) -> str:
    """Who holds the lease and since when, in words; empty when nobody does."""
    lease = _read(store, name)[0]
    return _told(lease["holder"]) if lease.get("holder") else ""


class _Line:
    """Our place among those who wait for one lease."""

    def __init__(self, store: Store, name: str, owner: str, seconds: float) -> None:
        self._store, self._name, self._owner, self._seconds = store, name, owner, seconds
        self._me = {"id": uuid.uuid4().hex, "owner": owner, "beat": 0, **_process(), "since": _now()}
        self._seen: dict[str, tuple[int, float]] = {}
        self._stood = float("-inf")
        self.took = float("-inf")
        self._told = ""
        self._tried = Ended()

    def wait(self, say: Say, halt: threading.Event) -> Held:
        pause = _FIRST_LOOK_SECONDS
        while not halt.is_set():
            lease, version = _read(self._store, self._name)
            if (lease.get("holder") or {}).get("id") == self._me["id"]:
                # We took it, and only the answer was lost.
                return Held(self._name, self._owner, int(lease["token"]), self._tried)
            before = self._passed(lease)
            with contextlib.suppress(Conflict):
                if before is not None and self._is_next(lease):
                    return self._take(lease, version, before)
                self._stand(lease, version)
            self._tell(lease, say)
            pause = min(_LONGEST_LOOK_SECONDS, pause * _GROWTH)
            halt.wait(pause)
        self._leave()
        raise Broken(f"{self._owner} stopped waiting for {_thing(self._name)}; nothing was touched.")

    def _passed(self, lease: Json) -> Ended | None:
        """How the lease before ended; None while it has not."""
        holds = lease.get("holder")
        if not holds:
            return Ended(lease.get("ended", ""), lease.get("last", ""))
        if is_dead(holds):
            return Ended("died", str(holds["owner"]))
        return Ended("expired", str(holds["owner"])) if self._is_silent(holds, float(lease["seconds"])) else None

    def _is_silent(self, who: Json, seconds: float) -> bool:
        """True when no beat of theirs came for so long, by our own clock."""
        beat, now = int(who["beat"]), time.monotonic()
        seen = self._seen.get(who["id"])
        if seen is None or seen[0] != beat:
            self._seen[who["id"]] = (beat, now)
            return False
        return now - seen[1] > seconds

    def _living(self, lease: Json) -> list[Json]:
        return [each for each in lease.get("line", []) if not is_dead(each) and not self._is_gone(each)]

    def _is_gone(self, each: Json) -> bool:
        return self._is_other(each) and self._is_silent(each, self._seconds)

    def _is_next(self, lease: Json) -> bool:
        line = self._living(lease)
        return not line or line[0]["id"] == self._me["id"]

    def _take(self, lease: Json, version: str, before: Ended) -> Held:
        token = int(lease.get("token", 0)) + 1
        line = [each for each in self._living(lease) if each["id"] != self._me["id"]]
        me = {**self._me, "since": _now()}
        self._tried, self.took = before, _clock()
        ours = {"token": token, "seconds": self._seconds, "holder": me, "line": line}
        version = _write(self._store, self._name, ours, version)
        return Held(self._name, self._owner, token, before, known=_Known(ours, version))

    def _stand(self, lease: Json, version: str) -> None:
        """Be in line, with a beat of our own from time to time, so that nobody takes us for gone."""
        line = self._living(lease)
        stands = any(each["id"] == self._me["id"] for each in line)
        if stands and time.monotonic() - self._stood < self._seconds / _BEATS:
            return
        self._me["beat"] += 1
        mine = [self._me if each["id"] == self._me["id"] else each for each in line]
        _write(self._store, self._name, {**lease, "line": mine if stands else [*line, self._me]}, version)
        self._stood = time.monotonic()

    def _leave(self) -> None:
        """Be in line no more, where we ever were."""
        for _ in range(20):
            lease, version = _read(self._store, self._name)
            if all(map(self._is_other, lease.get("line", []))):
                return
            line = [each for each in lease.get("line", []) if each["id"] != self._me["id"]]
            with contextlib.suppress(Conflict):
                _write(self._store, self._name, {**lease, "line": line}, version)
                return

    def _tell(self, lease: Json, say: Say) -> None:
        """Say whom we wait for, once for each that holds it."""
        holds = lease.get("holder")
        if not holds or self._told == holds["id"]:
            return
        self._told = holds["id"]
        ahead = [each["owner"] for each in itertools.takewhile(self._is_other, self._living(lease))]
        behind = f", after {', '.join(ahead)}" if ahead else ""
        say(f"waiting for {_told(holds)}, who is at work in {_thing(self._name)}{behind}")

    def _is_other(self, each: Json) -> bool:
        return bool(each["id"] != self._me["id"])


class _Renewal:
    """A thread that beats for a holder until it is told to end."""

    def __init__(self, taken: Held, sure: _Sure, seconds: float) -> None:
        self._taken, self._sure, self._seconds = taken, sure, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {taken.name}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(self._seconds / _BEATS):
            try:
                if not self._sure.renew():
                    self._taken.lost.set()
                    return
                last = time.monotonic()
            except WorkspaceError:
                # The store is away for a moment; by the time others may think us gone, so must we.
                if time.monotonic() - last > self._seconds:
                    self._taken.lost.set()
                    return


def _beaten(store: Store, taken: Held) -> bool:
    """Count one beat more; False when the lease is somebody else's."""
    while True:
        lease, version = _ours(store, taken)
        if lease.get("token") != taken.token or not lease.get("holder"):
            return False
        beat = {**lease, "holder": {**lease["holder"], "beat": lease["holder"]["beat"] + 1}}
        with contextlib.suppress(Conflict):
            taken.known = _Known(beat, _write(store, taken.name, beat, version))
            return True


def _let_go(store: Store, taken: Held) -> None:
    """Give the lease free when it is still ours."""
    while True:
        lease, version = _ours(store, taken)
        if lease.get("token") != taken.token:
            return
        with contextlib.suppress(Conflict):
            _write(store, taken.name, {**lease, "holder": None, "ended": "released", "last": taken.owner}, version)
            return


def _ours(store: Store, taken: Held) -> tuple[Json, str]:
    """The lease as we wrote it, good for one try to write it again: a store that is far away is not asked for it."""
    known, taken.known = taken.known, None
    return (known.lease, known.version) if known else _read(store, taken.name)


def _read(store: Store, name: str) -> tuple[Json, str]:
    data, version = store.document(name)
    if not data:
        return {}, version
    try:
        lease: Json = json.loads(data)
    except ValueError as error:
        raise Broken(
            f"The lease {name} in {store.place} is damaged. See that nobody is at work there, remove it, and run again."
        ) from error
    return lease, version


def _write(store: Store, name: str, lease: Json, version: str) -> str:
    return store.replace(name, json.dumps(lease, sort_keys=True).encode(), version)


def _someone(who: Json) -> Someone:
    return Someone(str(who["owner"]), str(who["host"]), int(who["process"]), str(who["since"]), is_dead(who))


def _thing(name: str) -> str:
    """What a lease is for, without what marks the document as a lease."""
    return name.partition(".")[0]


def _told(who: Json) -> str:
    return f"{who['owner']} (process {who['process']} on {who['host']}, since {who['since']})"


def _process() -> Json:
    return {"host": _host(), "process": os.getpid(), "began": began(os.getpid())}


def here() -> Json:
    """This process as others may know it later: its machine since it was started, its number and start, its user."""
    return {**_process(), "user": pwd.getpwuid(os.getuid()).pw_name}


def is_dead(who: Mapping[str, Any]) -> bool:
    """True when it is certain that this process is gone: it was of this machine, and this machine has it no more."""
    return bool(who["host"] == _host() and began(int(who["process"])) != who["began"])


def _host() -> str:
    """This machine since it was started: after a reboot none of the old processes is there.

    A container that has process numbers of its own is a machine of its own, whatever it is called: what another one
    runs cannot be seen from it.
    """
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        numbers = str(Path("/proc/self/ns/pid").readlink())
        apart = "" if numbers == _MACHINE_S_OWN_PIDS else f"-{numbers[len('pid:[') : -1]}"
        return f"{socket.gethostname()}/{boot}{apart}"
    return socket.gethostname()


def began(process: int) -> str:
    """The kernel's start time of a process; empty when it is gone or only waits to be reaped.

    A later process may be given the same number, never the same start.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _clock() -> float:
    """Seconds that count while the machine sleeps, too, as they do for those who wait on others."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _now() -> str:
    return time.strftime(_TIME, time.gmtime())
