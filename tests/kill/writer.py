"""A promotion in a process of its own whose effects are writes to a stand-in. Run by `one_writer.py`.

`python writer.py STATE URL ENVIRONMENT RUN LEASE_SECONDS SHARES`: six made-up nodes, three of them side by side, each
of which writes twice, with its run's name; SHARES is what they share, or empty. It says that it is ready and begins
when it is told to; it says what it waits for, and at its end why it ended.
"""

import sys
import urllib.request
from pathlib import Path
from typing import Any

from workspace import ending, kinds, promotion, scheduler
from workspace.addresses import Addresses
from workspace.environment import Environment
from workspace.errors import WorkspaceError
from workspace.node import Kind, Node, Stage
from workspace.scheduler import Patience
from workspace.work import Outcome, Preview, Result, Work

PARTS = ("first", "last")


class Writing:
    """A kind whose effect is two writes, one after the other."""

    def __init__(self, url: str, run: str) -> None:
        self._url, self._run = url, run

    def preview(self, work: Work, outside: Any) -> Preview:
        return Preview((f"write {work.node.id}",))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        for part in PARTS:
            asked = urllib.request.Request(f"{self._url}/{self._run}/{work.node.id}/{part}", b"", method="POST")
            urllib.request.urlopen(asked, timeout=120).close()
        return Result(Outcome.CHANGED, "written")

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result


def nodes(shares: tuple[str, ...]) -> list[Node]:
    """Three nodes side by side, and three that each need one of them."""
    first = [Node(f"a{n}", Kind.PAUSE, Stage.NAMES, shares=shares) for n in range(3)]
    return [*first, *(Node(f"b{n}", Kind.PAUSE, Stage.NAMES, frozenset({f"a{n}"}), shares=shares) for n in range(3))]


def main(state: str, url: str, environment: str, run: str, seconds: str, shares: str) -> int:
    """Promote; 0 where every node was written."""
    kinds.TABLE = {Kind.PAUSE: Writing(url, run)}  # type: ignore[misc, dict-item]
    opening = promotion.opened(
        Environment(environment),
        nodes((shares,) if shares else ()),
        Addresses(subscription="made-up", state=Path(state), engine="tcp://127.0.0.1:1"),
        run=run,
        sources=Path(state),
        folders=(),
        owner=run,
        lease_seconds=float(seconds),
        say=lambda line: print(line, flush=True),
    )
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with opening as execution:
            execution.begin("one writer")
            scheduler.settle(execution, Patience(()))
            ending.conclude(execution)
            return 0 if all(each.outcome.is_success for each in execution.results.values()) else 1
    except WorkspaceError as error:
        print(error, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
