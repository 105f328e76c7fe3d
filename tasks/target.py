"""Open what a run works with: its target, its ledger, its plan; close it again."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import anyio.to_thread
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from workspace import kinds
from workspace.environment import WORLD, Environment
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.node import Node
from workspace.outside import Outside
from workspace.plan import Plan, draw

from blocks import target
from tasks.patience import Threads, delays
from tasks.step import Step


@contextlib.asynccontextmanager
async def opened(
    place: Environment,
    nodes: Iterable[Node],
    sources: Path,
    narrow: Callable[[Plan], Plan] = lambda plan: plan,
) -> AsyncIterator[Step]:
    """A run of an environment's plan, alone in that environment until it is closed.

    Waits for a run that is at work there. Refuses what `workspace.plan.draw` refuses, before anything is touched.
    """
    addresses = await target.of(place.name)
    ledger = Ledger(addresses.state)
    run = str(flow_run.id or "without-prefect")
    holding = ledger.hold(place.name, f"flow run {flow_run.name or run}", get_run_logger().info)
    await anyio.to_thread.run_sync(holding.__enter__)
    try:
        plan = narrow(drawn(place, nodes, ledger))
        with Threads(len(plan.nodes)) as threads, Outside(addresses) as outside:
            execution = Execution(
                plan,
                run=run,
                outside=outside,
                ledger=ledger,
                kinds=kinds.TABLE,
                sources=sources,
                state=addresses.state,
                replaced=addresses.sources,
                target=addresses.facts(),
            )
            yield Step(execution, threads, delays(addresses.poll_seconds), addresses)
    finally:
        holding.__exit__(None, None, None)
        ledger.close()


def drawn(place: Environment, nodes: Iterable[Node], ledger: Ledger) -> Plan:
    """The plan for an environment, with the release that it carries where it follows another."""
    carried = ledger.proven(place.follows) if place.follows else None
    world = {} if place.name == WORLD else ledger.gives(WORLD)
    return draw(place, nodes, world, carried)
