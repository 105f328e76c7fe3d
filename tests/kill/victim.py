"""A promotion in a process of its own that is killed, as by SIGKILL, at one point of one node. Run by `cases.py`.

`python victim.py STATE ENVIRONMENT NODE POINT SECONDS`: STATE holds a rehearsal that answers. The process works on that
node alone, its needs being settled, and kills itself there; it exits with 0 only where the point was never reached.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from workspace import kinds, promotion, scheduler
from workspace.addresses import Addresses
from workspace.ledger import Ledger
from workspace.patience import delays
from workspace.scheduler import Patience
from workspace.work import Preview, Result, Work

import deployments
from deployments import local

BEFORE, DURING, AFTER, UNRECORDED = "before the effect", "during the effect", "after the effect", "before the record"
POINTS = (BEFORE, DURING, AFTER, UNRECORDED)


class Lethal:
    """A kind that does what the real one does, and dies on the way."""

    def __init__(self, kind: Any, node: str, point: str, seconds: float) -> None:
        self._kind, self._node, self._point, self._seconds = kind, node, point, seconds

    def preview(self, work: Work, outside: Any) -> Preview:
        found: Preview = self._kind.preview(work, outside)
        return found

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        if work.node.id != self._node or preview.is_empty:
            done: Result = self._kind.apply(work, preview, outside)
            return done
        if self._point == BEFORE:
            die()
        if self._point == DURING:
            # An effect that was quicker than that has happened, and was not recorded.
            threading.Timer(self._seconds, die).start()
            self._kind.apply(work, preview, outside)
            die()
        done = self._kind.apply(work, preview, outside)
        if self._point == AFTER:
            die()
        return done

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        found: Result = self._kind.verify(work, result, outside)
        return found


class Forgetful(Ledger):
    """A ledger whose process dies before the outcome of one node is written."""

    node = ""

    def outcome(self, run: str, environment: str, node: str, result: Result, **body: Any) -> None:
        if node == self.node:
            die()
        super().outcome(run, environment, node, result, **body)


def die() -> None:
    """As whoever was killed: no cleaning up, no last word."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def main(state: Path, environment: str, node: str, point: str, seconds: float) -> None:
    """Promote one node and die at a point of it."""
    addresses = Addresses.model_validate_json(local.addresses(state).read_text())
    place = deployments.find(environment)
    kinds.TABLE = {kind: Lethal(module, node, point, seconds) for kind, module in kinds.TABLE.items()}  # type: ignore[misc]
    if point == UNRECORDED:
        Forgetful.node = node
        promotion.Ledger = Forgetful  # type: ignore[misc]
    opening = promotion.opened(
        place,
        deployments.nodes(place),
        addresses,
        run=f"victim-{environment}-{node}",
        sources=deployments.SOURCES,
        folders=deployments.DEFINITIONS,
        owner="the victim",
        following=deployments.following(place),
        narrow=lambda plan: plan.narrowed({node}),
    )
    with opening as execution:
        execution.begin("the kill matrix")
        scheduler.settle(execution, Patience(delays(addresses.poll_seconds)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]))
