"""Open what a run works with: its target, its ledger, its plan; close it again."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from workspace import promotion
from workspace.environment import Environment
from workspace.execution import Execution
from workspace.node import Node
from workspace.onward import Catalogue
from workspace.patience import delays
from workspace.plan import Plan

from blocks import target
from tasks import server
from tasks.patience import Threads, away
from tasks.step import Step


@contextlib.asynccontextmanager
async def opened(
    place: Environment,
    nodes: Iterable[Node],
    sources: Path,
    folders: Sequence[str],
    narrow: Callable[[Plan], Plan] = lambda plan: plan,
    release: str = "",
    following: Iterable[Catalogue] = (),
) -> AsyncIterator[Step]:
    """A run of an environment's plan, alone in that environment until it is closed.

    Waits for a run that is at work there; cancelled meanwhile it leaves the line, and nothing was touched. Cancelled
    later, no node goes on waiting for what environments share, and what is at work ends first. Refuses what
    `workspace.plan.draw` refuses, before anything is touched.
    """
    addresses = await target.of(place.name)
    run, halt = str(flow_run.id or "without-prefect"), threading.Event()
    opening = promotion.opened(
        place,
        nodes,
        addresses,
        run=run,
        sources=sources,
        folders=folders,
        owner=f"flow run {flow_run.name or run}",
        release=release,
        following=following,
        narrow=narrow,
        halt=halt,
        say=get_run_logger().info,
    )
    with contextlib.ExitStack() as stack:
        execution = await _entered(stack, opening, halt)
        threads = stack.enter_context(Threads(len(execution.plan.nodes)))
        seconds = addresses.poll_seconds
        step = Step(execution, threads, delays(seconds), addresses, away(seconds))
        with _server_watched(step):
            try:
                yield step
            finally:
                halt.set()


async def _entered(
    stack: contextlib.ExitStack, opening: AbstractContextManager[Execution], halt: threading.Event
) -> Execution:
    """Enter in a thread; when we are cancelled, it is told to stop waiting, and we go once it has."""
    context = contextvars.copy_context()
    # Not a task: whoever ends the loop cancels every task, and this thread must be waited for.
    entering = asyncio.get_running_loop().run_in_executor(None, context.run, stack.enter_context, opening)
    try:
        return await asyncio.shield(entering)
    except asyncio.CancelledError:
        halt.set()
        await asyncio.wait([entering])
        if not entering.cancelled() and (stopped := entering.exception()):
            get_run_logger().info("%s", stopped)
        raise


@contextlib.contextmanager
def _server_watched(step: Step) -> Iterator[None]:
    watch = asyncio.create_task(server.leave_when_gone(step, asyncio.current_task()))
    try:
        yield
    finally:
        watch.cancel()
