"""Trouble that no stand-in is asked about: of the machine itself, and what others left behind. Real while in force.

Faults have the point `machine`. By `how`, with their subject:

`locked`     `dev/network.tfstate`: another process holds the lock that Terraform asks for
`lock-left`  the same: a process that was killed left its note about a lock, and no lock
`stale`      `dev/network`: after the node's next plan somebody else's run moves its state on
`held`       `dev`: another run holds the environment for so many `seconds`, or as long as the fault is in force
`damaged`    `world`: some letters in the middle of the environment's record are lost, once a run has ended there
`collected`  `dev/chain`: the registry loses a repository's manifests when dev's release is proven
`left`       a resource id: somebody else made this resource, with these `properties`
`missing`    `bicep`: the program is not there
`full`       `run`, or a glob over the command lines that it starts: no file may grow beyond so many `bytes`
`killed`     `dev/network`: the run's process is killed when it has begun with the node
"""

import contextlib
import fnmatch
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workspace.ledger import Ledger
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Fault, Faults

if TYPE_CHECKING:
    import httpx

_LOOK_SECONDS = 0.02
_LOST = 8
_MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
_NOTE = {
    "ID": "0badc0de-0000-4000-8000-7e4ea15a1000",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "somebody@another-machine",
    "Version": "1.11.4",
    "Created": "2026-11-23T04:05:36Z",
}

# It lets go when nobody can write to it any more: it cannot outlive the rehearsal.
_HOLDER = """
import fcntl, os, sys
fcntl.lockf(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class Machine:
    """What is wrong with this machine while a rehearsal runs. What is lifted is set right, as far as that can be."""

    def __init__(
        self, faults: Faults, cloud: Cloud, *, states: Path, runs: Path, programs: Path, registry: str
    ) -> None:
        self._faults, self._cloud, self._registry = faults, cloud, registry
        self._states, self._runs, self._programs = states, runs, programs
        self._closing = threading.Event()
        self._inforce: list[Fault] = []
        self._seen: list[Fault] | None = None
        self._undo: list[Callable[[], object]] = []
        self._awaited: list[Callable[[], bool]] = []
        self._change()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def is_settled(self) -> bool:
        """True once everything in force has begun, and everything that was lifted has ended."""
        return self._seen == self._faults.of("machine")

    def close(self) -> None:
        """Set right what was made wrong; a second call does nothing."""
        self._closing.set()
        self._thread.join()
        self._set_right()

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            with contextlib.suppress(OSError, ValueError):  # a file that is just being written
                self._change()
                self._awaited = [moment for moment in self._awaited if not moment()]
                self._seen = self._inforce

    def _change(self) -> None:
        wanted = self._faults.of("machine")
        if wanted != self._inforce:
            self._set_right()
            self._inforce = wanted
            for fault in wanted:
                _TROUBLES[fault.how](self, fault)

    def _set_right(self) -> None:
        self._awaited = []
        while self._undo:
            self._undo.pop()()

    def _when(self, fault: Fault, happens: Callable[[], bool]) -> None:
        """Have a moment waited for; the fault is met when it has come."""

        def moment() -> bool:
            if not happens():
                return False
            self._faults.note(fault)
            return True

        self._awaited.append(moment)

    # locks

    def _lock(self, fault: Fault) -> None:
        self._leave_note(fault)
        self._hold(self._states / fault.subject)

    def _leave_note(self, fault: Fault) -> None:
        state = self._states / fault.subject
        state.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note = state.with_name(f".{state.name}.lock.info")
        note.write_text(json.dumps({**_NOTE, "Path": str(state)}))
        self._undo.append(lambda: note.unlink(missing_ok=True))
        self._faults.note(fault)

    def _hold_environment(self, fault: Fault) -> None:
        taken, ended = threading.Event(), threading.Event()
        seconds = float(fault.details.get("seconds", 0)) or None

        def hold() -> None:
            with Ledger(self._runs).hold(fault.subject, "run of somebody else"):
                taken.set()
                ended.wait(seconds)

        holder = threading.Thread(target=hold, daemon=True)
        holder.start()
        taken.wait()
        self._undo += [holder.join, ended.set]
        self._faults.note(fault)

    def _hold(self, file: Path) -> None:
        command = [sys.executable, "-I", "-S", "-c", _HOLDER, str(file)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdin and holder.stdout  # noqa: S101 - both are pipes
        holder.stdout.readline()
        self._undo += [holder.wait, holder.stdin.close, holder.stdout.close]

    # files

    def _move_on(self, fault: Fault) -> None:
        plan = self._runs / "work" / fault.subject / "plan.tfplan"
        state = self._states / f"{fault.subject}.tfstate"
        before = _stamp(plan)

        def happens() -> bool:
            if _stamp(plan) in (0, before) or not state.exists():
                return False
            told = json.loads(state.read_text())
            state.write_text(json.dumps({**told, "serial": told["serial"] + 1}, indent=2))
            return True

        self._when(fault, happens)

    def _damage(self, fault: Fault) -> None:
        record = self._runs / f"{fault.subject}.jsonl"

        def happens() -> bool:
            if not self._told("ended", fault.subject):
                return False
            with record.open("r+b") as content:
                content.seek(record.stat().st_size // 2)
                content.write(b"?" * _LOST)
            return True

        self._when(fault, happens)

    def _take_away(self, fault: Fault) -> None:
        program = self._programs / fault.subject
        away = program.with_name(f".{program.name}.away")
        program.replace(away)
        self._undo.append(lambda: away.replace(program))
        self._faults.note(fault)

    def _leave(self, fault: Fault) -> None:
        before = self._cloud.get(fault.subject)
        place = parse(fault.subject)
        made = {"id": fault.subject, "name": place.name, "type": place.type, "properties": fault.details["properties"]}
        self._cloud.put(made)
        self._undo.append(lambda: self._cloud.put(before) if before else self._cloud.delete(fault.subject))
        self._faults.note(fault)

    def _collect(self, fault: Fault) -> None:
        place, _, repository = fault.subject.partition("/")
        home = f"{self._registry}/v2/{repository}"

        def happens() -> bool:
            if not self._told("proven", place):
                return False
            import httpx  # what starts with every rehearsal must not wait for it

            with httpx.Client(trust_env=False, headers={"Accept": _MANIFESTS}) as registry:
                tags = registry.get(f"{home}/tags/list").json()["tags"]
                found = {tag: registry.get(f"{home}/manifests/{tag}") for tag in tags}
                for digest in {each.headers["docker-content-digest"] for each in found.values()}:
                    registry.delete(f"{home}/manifests/{digest}")
            self._undo.append(lambda: _push(home, found))
            return True

        self._when(fault, happens)

    # the run's process

    def _fill(self, fault: Fault) -> None:
        def happens() -> bool:
            found = list(self._of_the_run(fault.subject))
            for pid in found:
                before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (int(fault.details["bytes"]), before[1]))
                self._undo.append(lambda pid=pid, before=before: _put_back(pid, before))  # type: ignore[misc]
            return bool(found)

        self._when(fault, happens)

    def _kill(self, fault: Fault) -> None:
        place, _, node = fault.subject.partition("/")
        before = self._told("intent", place, node)

        def happens() -> bool:
            if self._told("intent", place, node) == before:
                return False
            for pid in self._runners():
                os.kill(pid, signal.SIGKILL)
            return True

        self._when(fault, happens)

    def _told(self, event: str, place: str, node: str = "") -> int:
        """How often an environment's record tells of an event, of a node where one is named."""
        record = self._runs / f"{place}.jsonl"
        lines = record.read_text(errors="replace").splitlines() if record.exists() else []
        return sum(f',"{node}","{event}",' in line or (not node and f',"{event}",' in line) for line in lines)

    def _of_the_run(self, subject: str) -> Iterator[int]:
        for runner in self._runners():
            if subject == "run":
                yield runner
                continue
            for pid in _descendants(runner):
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                    if fnmatch.fnmatch(words, subject):
                        yield pid

    def _runners(self) -> Iterator[int]:
        """The processes that hold an environment now, as their leases say."""
        for file in self._runs.glob("*.lease"):
            holder = json.loads(file.read_text()).get("holder")
            if holder:
                yield int(holder["process"])


_TROUBLES: dict[str, Callable[[Machine, Fault], object]] = {
    "locked": Machine._lock,
    "lock-left": Machine._leave_note,
    "stale": Machine._move_on,
    "held": Machine._hold_environment,
    "damaged": Machine._damage,
    "collected": Machine._collect,
    "left": Machine._leave,
    "missing": Machine._take_away,
    "full": Machine._fill,
    "killed": Machine._kill,
}


def _stamp(file: Path) -> int:
    """When a file was written last; 0 while it is not there or empty."""
    try:
        told = file.stat()
    except FileNotFoundError:
        return 0
    return told.st_mtime_ns if told.st_size else 0


def _push(home: str, manifests: "Mapping[str, httpx.Response]") -> None:
    import httpx

    for tag, each in manifests.items():
        headers = {"Content-Type": each.headers["content-type"]}
        httpx.put(f"{home}/manifests/{tag}", content=each.content, headers=headers, trust_env=False)


def _put_back(pid: int, limits: tuple[int, int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))
