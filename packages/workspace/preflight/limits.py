"""How much of a processor one file, or one look at the definitions, may take: what was made to be slow ends."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FILE_SECONDS = 10.0
LOOK_SECONDS = 60.0
DEEPEST = 200
"""No definition is nested deeper."""


class TooLong(Exception):
    """Something took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"reading it takes more than {seconds:g} s")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """TooLong when what stands inside computes for longer; limits may stand inside each other.

    Computing counts and not waiting, so a machine that is busy with other things changes nothing. Only a process's main
    thread can be interrupted, so elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise TooLong(seconds)

    began = time.process_time()
    before = signal.signal(signal.SIGPROF, stop)
    outer, _ = signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        if outer:
            signal.setitimer(signal.ITIMER_PROF, max(0.001, outer - (time.process_time() - began)))
