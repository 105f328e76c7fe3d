"""Processes that live with their owner: started with a log, found again by pid, ended by pid and nothing else."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from workspace.errors import Broken, Unsettled
from workspace.lease import began

START_SECONDS = 90
"""How long a process of ours may take until it answers, on a machine that is busy."""

_END_SECONDS = 15
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Process:
    """A process we started: its pid, the moment the kernel says it began, and its log."""

    name: str
    pid: int
    began: str
    log: str

    @property
    def alive(self) -> bool:
        """True while this very process runs; a later one that was given the same pid does not count."""
        return bool(self.began) and began(self.pid) == self.began

    def kill(self) -> None:
        """End it at once, as a crash would; what it started is left to itself."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        while self.alive:
            _reap(self.pid)
            time.sleep(0.01)

    def end(self) -> None:
        """Ask it to stop, wait, then insist; then the same for what it started and left behind."""
        below = self._below() if self.alive else []
        self._stop()
        for each in below:
            each._stop()

    def _below(self) -> "list[Process]":
        """What it started, and what those started: a run's process must not outlive the worker that started it."""
        return [Process(f"{self.name}/{pid}", pid, began(pid), self.log) for pid in _descendants(self.pid)]

    def _stop(self) -> None:
        for order, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, 5)):
            deadline = time.monotonic() + seconds
            if self.alive:
                os.kill(self.pid, order)
            while self.alive and time.monotonic() < deadline:
                _reap(self.pid)
                time.sleep(0.05)

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, for a message to a person."""
        with contextlib.suppress(OSError):
            return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-lines:])
        return ""


def start(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], *, outlive: bool = False
) -> Process:
    """Start a program in its own session, its output in `folder/name.log`; it dies with us unless it may outlive us."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        log.chmod(0o600)
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=None if outlive else _die_with_parent,
        )
    return Process(name, child.pid, began(child.pid), str(log))


def wait(process: Process, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return once a process of ours is ready; broken with its last words when it ended, unsettled after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.alive:
            raise Broken(f"The {process.name} did not start:\n{process.last_words()}")
        if time.monotonic() > deadline:
            raise Unsettled(f"The {process.name} is not ready after {seconds:.0f} s; its log: {process.log}")
        time.sleep(0.1)


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def remember(file: Path, processes: Sequence[Process]) -> None:
    """Write down which processes are ours, so that a later command can end them."""
    file.write_text(json.dumps([asdict(each) for each in processes]))
    file.chmod(0o600)


def remembered(file: Path) -> list[Process]:
    """The processes written down that are still alive."""
    try:
        return [each for each in (Process(**entry) for entry in json.loads(file.read_text())) if each.alive]
    except FileNotFoundError:
        return []
    except (json.JSONDecodeError, TypeError) as error:
        raise Broken(f"{file} is damaged ({error}); remove it after ending what it names by hand.") from error


def _descendants(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        threads = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for each in threads for child in (each / "children").read_text().split()]
        return [found for child in children for found in (child, *_descendants(child))]
    return []


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
