"""Open what a run works with: its target, its ledger, its plan; close it again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import anyio.to_thread
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from workspace import kinds
from workspace.environment import WORLD, Environment
from workspace.errors import Refused, WorkspaceError
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import Node
from workspace.outside import Outside
from workspace.plan import Plan, draw

from blocks import target
from tasks import server
from tasks.patience import Threads, away, delays
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
        with _ending_told(ledger, run, place.name):
            plan = narrow(drawn(place, nodes, ledger))
            _refuse_unsettled(plan, ledger)
            with Outside(addresses) as outside, Threads(len(plan.nodes)) as threads:
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
                seconds = addresses.poll_seconds
                step = Step(execution, threads, delays(seconds), addresses, away(seconds))
                with _server_watched(step):
                    yield step
    finally:
        holding.__exit__(None, None, None)
        ledger.close()


@contextlib.contextmanager
def _server_watched(step: Step) -> Iterator[None]:
    watch = asyncio.create_task(server.leave_when_gone(step, asyncio.current_task()))
    try:
        yield
    finally:
        watch.cancel()


@contextlib.contextmanager
def _ending_told(ledger: Ledger, run: str, place: str) -> Iterator[None]:
    """Whatever ends a run early, the ledger says that it ended and why."""
    try:
        yield
    except WorkspaceError as error:
        ledger.write(run, place, Event.ENDED, success=False, sentence=str(error))
        raise
    except BaseException as error:
        sentence = (
            f"{place}: the run was stopped by {type(error).__name__} before its end. What is done is recorded; "
            f"run promote/{place} again, and it is not done again."
        )
        ledger.write(run, place, Event.ENDED, success=False, sentence=sentence)
        raise


def _refuse_unsettled(plan: Plan, ledger: Ledger) -> None:
    """What a part of a plan needs of the rest must have been settled before."""
    place = plan.environment.name
    needs = {need.removeprefix(f"{place}/") for node in plan.nodes.values() for need in node.all_needs}
    lacking = sorted(needs - plan.nodes.keys() - plan.world.keys() - ledger.gives(place).keys())
    if lacking:
        stages = ", ".join(plan.stages)
        raise Refused(
            f"{place}: {stages} needs {', '.join(lacking)}, never promoted there, so nothing was touched; "
            f"run promote/{place} first."
        )


def drawn(place: Environment, nodes: Iterable[Node], ledger: Ledger) -> Plan:
    """The plan for an environment, with the release that it carries where it follows another."""
    carried = ledger.proven(place.follows) if place.follows else None
    world = {} if place.name == WORLD else ledger.gives(WORLD)
    return draw(place, nodes, world, carried)
