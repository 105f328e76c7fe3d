"""Stays beside one Terraform command: asks it to stop when who started it dies, and ends it when its time is over.

`launcher.py PARENT LIBRARY DEADLINE GRACE TERMINATE PROGRAM [ARGUMENT …]` starts the program, or calls the library of
the wheel with these arguments, and ends as that ends, with its exit code or of its signal. It leads a session of its
own, so that its process group is all that the command started. It is run by its path, without site-packages, and knows
nothing of the workspace.

Terraform is told to stop once: at a second time it leaves its state unwritten. An interrupt (SIGINT) is passed on,
whether it comes from who started this, from the kernel when that one has died, or at DEADLINE seconds. A SIGTERM counts
as one, because where a machine stops everything gets it. What still runs GRACE seconds after the deadline gets SIGTERM
with its whole group, and TERMINATE seconds after that SIGKILL. Until then somebody may be at work in the state; after
it nobody is, whatever became of the rest of this machine's processes.
"""

import ctypes
import os
import resource
import signal
import sys
import time

TERMINATE_SECONDS = 10.0
"""How long what was told to terminate may take to do so."""

_LOOK_SECONDS = 1.0
_SET_PARENT_DEATH_SIGNAL = 1
_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)


def main(parent: int, library: str, times: tuple[float, float, float], command: list[str]) -> int:
    """Start the command, stay until it has ended, and return its exit code; does not return where a signal ended it.

    `times` are the seconds until it is interrupted, from then until it is terminated, and from then until it is killed.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    # A shell's background jobs ignore interrupts, and so would all that they start.
    for each in _HEARD:
        signal.signal(each, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGINT)
    if os.getppid() != parent:
        return 1
    clock = _Clock()
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        _become(library, command)
    deadline, grace, terminate = times
    return _ended(child, clock, (deadline, deadline + grace, deadline + grace + terminate))


class _Clock:
    """Seconds since it was made. A machine that slept, or was set aside, shows that in one of its clocks at least."""

    def __init__(self) -> None:
        self._since = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.clock_gettime(time.CLOCK_BOOTTIME), time.time()

    @property
    def seconds(self) -> float:
        return max(now - since for now, since in zip(self._now(), self._since, strict=True))


def _ended(child: int, clock: _Clock, times: tuple[float, float, float]) -> int:
    """Wait for the child's end, with what is due meanwhile; its exit code."""
    asked = False
    due = list(zip(times, (signal.SIGINT, signal.SIGTERM, signal.SIGKILL), strict=True))
    while True:
        next_due = due[0][0] - clock.seconds if due else _LOOK_SECONDS
        heard = signal.sigtimedwait(_HEARD, min(_LOOK_SECONDS, max(0.0, next_due)))
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return _like(status)
        told = heard.si_signo if heard else 0
        late = due.pop(0)[1] if due and clock.seconds >= due[0][0] else None
        if signal.SIGINT in (told, late) and not asked:
            asked = True
            os.kill(child, signal.SIGINT)
        asked = asked or told == signal.SIGTERM
        if late in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(os.getpgrp(), late)


def members(group: int) -> list[int]:
    """The processes of a process group that are still there; those that only wait to be reaped are not."""
    # Imported here: it takes half as long as all of the launcher's start, and is hardly ever needed.
    from pathlib import Path

    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its) == group and state != "Z":
            found.append(int(folder.name))
    return found


def _like(status: int) -> int:
    """The exit code of a child that ended; where a signal ended it, end by the same one, with what it left behind."""
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    for each in members(os.getpgrp()):
        if each != os.getpid():
            _kill(each)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    return 128 + number


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _become(library: str, command: list[str]) -> None:
    """Be the command, and never come back; the wheel's engine is a library whose `RunCli` takes the command line."""
    if not library:
        try:
            os.execv(command[0], command)  # noqa: S606 - a program and its arguments, without a shell
        except OSError as error:
            os.write(2, f"{command[0]} cannot be started: {error.strerror}\n".encode())
            os._exit(126)
    run = ctypes.CDLL(library).RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    words = [word.encode() for word in command[1:]]
    os._exit(run(len(words), (ctypes.c_char_p * len(words))(*words), 1, 2))


if __name__ == "__main__":
    _asked = float(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
    sys.exit(main(int(sys.argv[1]), sys.argv[2], _asked, sys.argv[6:]))
