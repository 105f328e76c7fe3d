"""All families over a folder, each in a process of its own: one that hangs or dies is a finding, and no more."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workspace.errors import Refused
from workspace.preflight.families import BESIDE, FAMILIES, Facts
from workspace.preflight.finding import Report
from workspace.preflight.guard import FAILED
from workspace.preflight.packing import unpacked

FAMILY_SECONDS = 300.0
Told = Callable[[str], None]


def look(
    root: Path,
    only: Iterable[str] = (),
    *,
    jobs: int = 0,
    done: Told = lambda _: None,
    facts: Facts | None = None,
    seconds: float = FAMILY_SECONDS,
) -> Report:
    """What all families, or some, find in a folder: the same whatever the number of `jobs` (0: one per processor).

    `done` is told each family that has ended; `facts` go to the families that compare them. Refused
    when the folder is none, or a family is not known.
    """
    if not root.is_dir():
        raise Refused(f"{root} is no folder; name the folder of a checkout.")
    names = list(dict.fromkeys(only)) or list(FAMILIES)
    for each in names:
        if each not in FAMILIES:
            raise Refused(f"There is no family of rules {each}; there are {', '.join(FAMILIES)}.")

    def one(group: list[str]) -> Report:
        report = _in_process(root, group, facts, seconds)
        for each in group:
            done(each)
        return report

    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool:
        return Report.of(pool.map(one, _groups(names)))


def _groups(names: Iterable[str]) -> list[list[str]]:
    """The families that look in one process, the slowest first."""
    found: dict[str, list[str]] = {}
    for each in FAMILIES:
        if each in names:
            before = BESIDE.get(each, "")
            found.setdefault(before if before in found else each, []).append(each)
    return list(found.values())


def _in_process(root: Path, group: list[str], facts: Facts | None, seconds: float) -> Report:
    command = [sys.executable, "-m", "workspace.preflight.worker", str(root), *group]
    name = " and ".join(group)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            told, _ = process.communicate(json.dumps(facts).encode(), timeout=seconds)
        except BaseException as error:
            # The programs that it started end with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return _ended(name, f"was not finished after {seconds:g} s")
    if process.returncode or not told:
        return _ended(name, f"was ended by {_cause(process.returncode)}")
    return unpacked(told)


def _ended(name: str, how: str) -> Report:
    return Report(findings=(FAILED.at(".", f"The family {name} {how}; none of its rules was finished."),))


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
