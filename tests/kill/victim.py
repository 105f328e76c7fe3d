"""A promotion in a process of its own that is killed, as by SIGKILL, at one point of one node. Started by `cases.py`.

The process first promotes whatever comes before that node, as anybody would who runs a promotion again after a kill;
then it works on the node and kills itself there. It ends with 0 only where the point was never reached.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from workspace import ending, kinds, lease, promotion, scheduler
from workspace.addresses import Addresses
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.patience import delays
from workspace.scheduler import Patience
from workspace.work import Preview, Result, Work

import deployments
from deployments import local

BEFORE, DURING, AFTER, UNRECORDED = "before the effect", "during the effect", "after the effect", "before the record"
MACHINE = "with its machine"
POINTS = (BEFORE, DURING, AFTER, UNRECORDED, MACHINE)
IN_BETWEEN = (DURING, MACHINE)
"""Where it is a matter of luck how far the effect had come."""

BY = "the kill matrix"
DYING, OUTLIVED = ".dying", ".outlived"


def lethal(kind: Any, point: str, seconds: float, mark: Path) -> Any:
    """A kind that does what the real one does, and dies on the way.

    Beside `mark`, `.dying` is made where it dies, and `.outlived` where the effect was over by then.
    """

    def apply(work: Work, preview: Preview, outside: Any) -> Result:
        if preview.is_empty:
            return kind.apply(work, preview, outside)  # type: ignore[no-any-return]
        if point == BEFORE:
            die(mark)
        if point in IN_BETWEEN:
            # An effect that was quicker than that has happened, and was not recorded.
            end = die if point == DURING else die_with_all
            threading.Timer(seconds, end, [mark]).start()
            kind.apply(work, preview, outside)
            mark.with_suffix(OUTLIVED).touch()
            end(mark)
        done: Result = kind.apply(work, preview, outside)
        if point == AFTER:
            die(mark)
        return done

    return SimpleNamespace(**{**vars(kind), "apply": apply})


class Forgetful(Ledger):
    """A ledger whose process dies before an outcome is written."""

    mark = Path()

    def outcome(self, run: str, environment: str, node: str, result: Result, **body: Any) -> None:
        die(self.mark)


def die(mark: Path) -> None:
    """As whoever was killed: no cleaning up, no last word."""
    mark.with_suffix(DYING).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def die_with_all(mark: Path) -> None:
    """As when a machine goes: what was started here, Terraform and its launcher, is gone with us."""
    for file in Path("/proc/self/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(child) == child:
                    os.killpg(child, signal.SIGKILL)
    die(mark)


def promote(
    addresses: Addresses,
    environment: str,
    run: str,
    names: Collection[str] | None = None,
    lease_seconds: float = lease.SECONDS,
) -> None:
    """Promote some nodes of an environment, or all; what became of each stands in the ledger."""
    with at_work(addresses, environment, run, names, lease_seconds) as execution:
        scheduler.settle(execution, Patience(delays(addresses.poll_seconds)))
        if names is None:
            ending.conclude(execution)


def main(
    state: Path, environment: str, run: str, before: Collection[str], node: str, point: str, seconds: float
) -> None:
    """Promote what comes before a node, then the node, and die at a point of it."""
    die_in(addresses_of(state), environment, run, before, node, point, seconds, state / run)


def die_on(
    host: str, addresses: Addresses, before: Collection[str], node: str, seconds: float, lease_seconds: float
) -> None:
    """The same in dev, on what everybody else takes for another machine: by what leases tell of it."""
    socket.gethostname = lambda: host
    die_in(addresses, "dev", "killed", before, node, DURING, seconds, addresses.state / "killed", lease_seconds)


def die_in(
    addresses: Addresses,
    environment: str,
    run: str,
    before: Collection[str],
    node: str,
    point: str,
    seconds: float,
    mark: Path,
    lease_seconds: float = lease.SECONDS,
) -> None:
    """The work of `main`, at any addresses."""
    if before:
        promote(addresses, environment, f"{run}-before", before, lease_seconds)
    kinds.TABLE = {kind: lethal(module, point, seconds, mark) for kind, module in kinds.TABLE.items()}  # type: ignore[misc]
    if point == UNRECORDED:
        Forgetful.mark = mark
        promotion.Ledger = Forgetful  # type: ignore[misc]
    promote(addresses, environment, run, {node}, lease_seconds)


@contextlib.contextmanager
def at_work(
    addresses: Addresses,
    environment: str,
    run: str,
    names: Collection[str] | None = None,
    lease_seconds: float = lease.SECONDS,
) -> Iterator[Execution]:
    """A run that has begun on some nodes of an environment, or on all; what they need of others is settled."""
    place = deployments.find(environment)
    opening = promotion.opened(
        place,
        deployments.nodes(place),
        addresses,
        run=run,
        sources=deployments.SOURCES,
        folders=deployments.DEFINITIONS,
        owner=run,
        following=deployments.following(place),
        lease_seconds=lease_seconds,
        narrow=lambda plan: plan if names is None else plan.narrowed(names),
    )
    with opening as execution:
        execution.begin(BY)
        yield execution


def addresses_of(state: Path) -> Addresses:
    """Where the rehearsal of a state answers."""
    return Addresses.model_validate_json(local.addresses(state).read_text())
