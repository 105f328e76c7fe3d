"""How long one file, or one look at the definitions, may take: a file that was made to be slow ends with a sentence."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FILE_SECONDS = 5.0
LOOK_SECONDS = 60.0


class TooLong(Exception):
    """Something took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it was not finished after {seconds:g} s")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """TooLong when what stands inside takes longer; limits may stand inside each other.

    Only a process's main thread can be interrupted, so elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise TooLong(seconds)

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, stop)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, outer - (time.monotonic() - began)))
