"""One promotion of one environment: open its target, ledger and plan; run it; say how it ended. No Prefect in here."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from workspace import carried, definitions, ending, gate, kinds, patience, scheduler
from workspace.addresses import Addresses
from workspace.definitions import Kept
from workspace.ending import Ending
from workspace.environment import WORLD, Environment
from workspace.errors import Refused, WorkspaceError
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import Node
from workspace.outside import Outside
from workspace.plan import Plan, draw
from workspace.scheduler import Patience
from workspace.work import say_nothing


def promote(
    place: Environment,
    nodes: Iterable[Node],
    addresses: Addresses,
    *,
    run: str,
    sources: Path,
    folders: Sequence[str],
    by: str = "",
    release: str = "",
    halt: threading.Event | None = None,
    say: Callable[[str], None] = say_nothing,
) -> Ending:
    """Promote an environment from this process alone, and return how that ended; every step stands in the ledger.

    Refused for an environment that waits for a person: who asks people is Prefect. Once `halt` is set nothing more
    starts, and it is broken with a sentence when what is at work has ended.
    """
    if place.needs_approval:
        raise Refused(
            f"{place.name} waits for a person who approves its plan, which only its deployment asks for; nothing was "
            f"touched. Run promote/{place.name}."
        )
    opening = opened(
        place,
        nodes,
        addresses,
        run=run,
        sources=sources,
        folders=folders,
        owner=f"run {run}",
        release=release,
        say=say,
    )
    with opening as execution:
        execution.begin(by)
        _look(execution, sources, say)
        scheduler.preview(execution)
        delays = patience.delays(addresses.poll_seconds)
        scheduler.settle(execution, Patience(delays, halt or threading.Event()))
        return ending.conclude(execution)


def _look(execution: Execution, sources: Path, say: Callable[[str], None]) -> None:
    """Look at the definitions before anything is touched: risks are said, errors refused."""
    found = gate.looked(execution, sources)
    for each in gate.risks(found):
        say(f"risk: {gate.sentence(each)}")
    gate.refuse(found)


@contextlib.contextmanager
def opened(
    place: Environment,
    nodes: Iterable[Node],
    addresses: Addresses,
    *,
    run: str,
    sources: Path,
    folders: Sequence[str],
    owner: str,
    release: str = "",
    narrow: Callable[[Plan], Plan] = lambda plan: plan,
    say: Callable[[str], None] = say_nothing,
) -> Iterator[Execution]:
    """A run of an environment's plan, alone in that environment until it is closed.

    `folders` of the checkout `sources` hold the definitions: where the release is built they are kept as they are now,
    and this run reads the copy; where it is carried the copy that was proven is read, wherever the checkout is by now.
    `release` asks for one by its id instead of the last that was proven. Waits for a run that is at work there, and
    says for whom. `narrow` may leave out nodes that were settled before.
    Refuses what `workspace.plan.draw` refuses, before anything is touched. Whatever ends it early is in the ledger.
    """
    ledger = Ledger(addresses.state)
    try:
        with ledger.hold(place.name, owner, say), _ending_told(ledger, run, place.name):
            plan = narrow(drawn(place, nodes, ledger, release))
            _refuse_unsettled(plan, ledger)
            kept = _definitions(plan, sources, folders, addresses.state / "definitions")
            with Outside(addresses) as outside:
                yield Execution(
                    plan,
                    run=run,
                    outside=outside,
                    ledger=ledger,
                    kinds=kinds.TABLE,
                    sources=sources,
                    state=addresses.state,
                    definitions=kept,
                    replaced=addresses.sources,
                    target=addresses.facts(),
                )
    finally:
        ledger.close()


def drawn(place: Environment, nodes: Iterable[Node], ledger: Ledger, release: str = "") -> Plan:
    """The plan for an environment, with the release that it carries where it follows another: the last, or this one."""
    chosen = carried.release(ledger, place, release)
    world = {} if place.name == WORLD else ledger.gives(WORLD)
    return draw(place, nodes, world, chosen)


def _definitions(plan: Plan, sources: Path, folders: Sequence[str], store: Path) -> Kept:
    if plan.release is None:
        return definitions.keep(sources, folders, store)
    return definitions.kept(plan.release.definitions, folders, store, plan.release.built_in)


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
