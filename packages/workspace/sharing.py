"""What several environments write to: one run holds it at a time, however many of its nodes are at work there."""

import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from workspace.lease import Held
from workspace.ledger import Ledger


class Sharing:
    """The shared things that one run holds. The first node that writes takes the lease, the last lets it go.

    Once `halt` is set nobody waits any more.
    """

    def __init__(self, ledger: Ledger, owner: str, halt: threading.Event | None = None) -> None:
        self._ledger, self._owner, self._halt = ledger, owner, halt
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._counts: Counter[str] = Counter()
        self._open: dict[str, tuple[contextlib.ExitStack, Held]] = {}

    @contextlib.contextmanager
    def holding(self, names: Iterable[str], say: Callable[[str], None]) -> Iterator[None]:
        """Hold all of them, in the same order everywhere, so that two runs never wait for each other.

        Refused when one was lost while we held it; broken when halted before all were ours.
        """
        with contextlib.ExitStack() as stack:
            for name in sorted(names):
                stack.enter_context(self._one(name, say))
            yield

    def check(self, names: Iterable[str]) -> None:
        """Refused when one of those we hold was lost meanwhile; for just before a write."""
        for name in sorted(names):
            self._open[name][1].check()

    @contextlib.contextmanager
    def _one(self, name: str, say: Callable[[str], None]) -> Iterator[None]:
        with self._locks[name]:
            if not self._counts[name]:
                stack = contextlib.ExitStack()
                held = stack.enter_context(self._ledger.share(name, self._owner, say, self._halt))
                self._open[name] = (stack, held)
            self._counts[name] += 1
            held = self._open[name][1]
        try:
            held.check()
            yield
        finally:
            with self._locks[name]:
                self._counts[name] -= 1
                if not self._counts[name]:
                    self._open.pop(name)[0].close()
