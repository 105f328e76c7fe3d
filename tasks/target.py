"""Open what a run works with: its target, its ledger, its plan; close it again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path

import anyio.to_thread
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from workspace import promotion
from workspace.environment import Environment
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

    Waits for a run that is at work there. Refuses what `workspace.plan.draw` refuses, before anything is touched.
    """
    addresses = await target.of(place.name)
    run = str(flow_run.id or "without-prefect")
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
        say=get_run_logger().info,
    )
    with contextlib.ExitStack() as stack:
        execution = await anyio.to_thread.run_sync(stack.enter_context, opening)
        threads = stack.enter_context(Threads(len(execution.plan.nodes)))
        seconds = addresses.poll_seconds
        step = Step(execution, threads, delays(seconds), addresses, away(seconds))
        with _server_watched(step):
            yield step


@contextlib.contextmanager
def _server_watched(step: Step) -> Iterator[None]:
    watch = asyncio.create_task(server.leave_when_gone(step, asyncio.current_task()))
    try:
        yield
    finally:
        watch.cancel()
