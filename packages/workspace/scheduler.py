"""Run a plan without Prefect: each node as soon as its own needs are settled, in threads of this process.

The flows do the same through Prefect (`flows/settle.py`), where people watch it. Here nothing but the ledger is told,
so that a rehearsal, a test or a machine without a server runs the same nodes in the same order.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from workspace import graph
from workspace.errors import Broken, Overdue, Unsettled, WorkspaceError
from workspace.execution import Execution
from workspace.ledger import Event
from workspace.work import Certainty, Preview

_MOST_THREADS = 64
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Patience:
    """The pauses in seconds between tries of what is not ready yet; whoever sets `halt` ends them, and the run."""

    delays: Sequence[float]
    halt: threading.Event = field(default_factory=threading.Event)


def preview(execution: Execution) -> dict[str, Preview]:
    """What applying each node would do, as far as it can be known now, made side by side; writes only the ledger."""
    names = execution.plan.order
    with ThreadPoolExecutor(_threads(execution), thread_name_prefix="preview") as pool:
        return dict(zip(names, pool.map(lambda name: expected(execution, name), names), strict=True))


def expected(execution: Execution, name: str) -> Preview:
    """The preview of one node; uncertain, with the reason, where it cannot be made now."""
    try:
        return execution.expect(name)
    except WorkspaceError as error:
        return Preview((f"not previewed: {error}",), Certainty.UNCERTAIN)


def settle(execution: Execution, patience: Patience) -> None:
    """Bring every node to its outcome; returns when each has one.

    What is not ready is tried again after each delay, or later where the other side asks for that; what is refused,
    broken or overdue never. When a node fails its dependants are blocked and everything independent goes on. Among
    nodes that could start, the one with the longest way behind it goes first. Broken when it was halted: what is at
    work then finishes and is recorded, and nothing more starts.
    """
    needs, ways = execution.plan.needs, graph.ways(execution.plan.needs)
    waiting = set(needs)
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(_threads(execution), thread_name_prefix="node") as pool:
        while (waiting and not patience.halt.is_set()) or running:
            ready = [name for name in waiting if needs[name] <= execution.results.keys()]
            for name in sorted(ready if not patience.halt.is_set() else (), key=lambda each: (-ways[each], each)):
                waiting.remove(name)
                running[pool.submit(_one, execution, name, patience)] = name
            done, _ = wait(running, return_when=FIRST_COMPLETED, timeout=_LOOK_SECONDS)
            for future in done:
                del running[future]
                future.result()
    if waiting:
        raise Broken(
            f"{execution.place}: the run was stopped before its end; {len(waiting)} nodes did not start. What is done "
            f"is recorded; run promote/{execution.place} again, and it is not done again."
        )


def _one(execution: Execution, name: str, patience: Patience) -> None:
    """The outcome of a node whose needs are settled."""
    if not all(execution.results[need].outcome.is_success for need in execution.plan.needs[name]):
        execution.block(name)
        return
    try:
        _patiently(execution, name, patience)
    except WorkspaceError as error:
        execution.fail(name, error)


def _patiently(execution: Execution, name: str, patience: Patience) -> None:
    """Apply a node, again after each delay while it is not ready; raises what is left when patience ends."""

    def say(line: str) -> None:
        execution.ledger.write(execution.run, execution.place, Event.PROGRESS, name, line=line)

    delays = iter(patience.delays)
    while True:
        try:
            execution.apply(name, say)
        except WorkspaceError as error:
            say(str(error))
            delay = next(delays, None)
            if delay is None or not isinstance(error, Unsettled) or isinstance(error, Overdue):
                raise
            if patience.halt.wait(max(delay, error.after)):
                raise
        else:
            return


def _threads(execution: Execution) -> int:
    return max(1, min(len(execution.plan.nodes), _MOST_THREADS))
