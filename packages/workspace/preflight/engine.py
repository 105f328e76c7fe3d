"""All families over a folder, each in a process of its own: one that hangs or dies is a finding, and no more."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workspace.errors import Refused
from workspace.preflight.families import FAMILIES
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
    seconds: float = FAMILY_SECONDS,
) -> Report:
    """What all families, or some, find in a folder: the same whatever the number of `jobs` (0: one per processor).

    `done` is told each family that has ended. Refused when the folder is none, or a family is not known.
    """
    if not root.is_dir():
        raise Refused(f"{root} is no folder; name the folder of a checkout.")
    names = list(dict.fromkeys(only)) or list(FAMILIES)
    for each in names:
        if each not in FAMILIES:
            raise Refused(f"There is no family of rules {each}; there are {', '.join(FAMILIES)}.")

    def one(name: str) -> Report:
        report = _in_process(root, name, seconds)
        done(name)
        return report

    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool:
        return Report.of(pool.map(one, [each for each in FAMILIES if each in names]))


def _in_process(root: Path, name: str, seconds: float) -> Report:
    command = [sys.executable, "-m", "workspace.preflight.worker", str(root), name]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            told, _ = process.communicate(timeout=seconds)
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
