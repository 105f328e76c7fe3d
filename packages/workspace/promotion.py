"""One promotion of one environment: open its target, ledger and plan; run it; say how it ended. No Prefect in here."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from workspace import (
    archive,
    carried,
    commit,
    definitions,
    ending,
    gate,
    held,
    kinds,
    lease,
    onward,
    patience,
    presence,
    pruning,
    scheduler,
)
from workspace.addresses import Addresses
from workspace.contents import Contents
from workspace.definitions import Kept
from workspace.ending import Ending
from workspace.environment import WORLD, Environment
from workspace.errors import Refused, WorkspaceError
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import Node
from workspace.onward import Catalogue
from workspace.outside import Outside
from workspace.pins import Pins
from workspace.plan import Plan, draw
from workspace.preflight.baseline import Sifted
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
    following: Iterable[Catalogue] = (),
    halt: threading.Event | None = None,
    reach: Callable[[Addresses], AbstractContextManager[Any]] = Outside,
    look: gate.Look = gate.looked,
    say: Callable[[str], None] = say_nothing,
) -> Ending:
    """Promote an environment from this process alone, and return how that ended; every step stands in the ledger.

    `look` says what is wrong with the definitions, before anything is touched.

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
        following=following,
        halt=halt,
        reach=reach,
        say=say,
    )
    with opening as execution:
        execution.begin(by)
        _look(look(execution, sources), say)
        scheduler.preview(execution)
        delays = patience.delays(addresses.poll_seconds)
        scheduler.settle(execution, Patience(delays, execution.halt))
        return ending.conclude(execution)


def _look(found: Sifted, say: Callable[[str], None]) -> None:
    """What is wrong with the definitions, before anything is touched: risks are said, errors refused."""
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
    following: Iterable[Catalogue] = (),
    narrow: Callable[[Plan], Plan] = lambda plan: plan,
    halt: threading.Event | None = None,
    lease_seconds: float = lease.SECONDS,
    reach: Callable[[Addresses], AbstractContextManager[Any]] = Outside,
    say: Callable[[str], None] = say_nothing,
) -> Iterator[Execution]:
    """A run of an environment's plan, alone in that environment until it is closed.

    `folders` of the checkout `sources` hold the definitions: where the release is built they are kept as they are now,
    with the catalogues of the environments that are `following`, and this run reads the copy; where it is carried the
    copy that was proven is read, the nodes and their data too, wherever the checkout is by now. `release` asks for one
    by its id instead of the last that was proven. Waits for a run that is at work there, and says for whom. `narrow`
    may leave out nodes that were settled before. `reach` gives the clients of the addresses. Broken once `halt` is set
    while it waits, with nothing touched.
    Refuses what `workspace.plan.draw` refuses, a release of which something is missing, and a checkout that went to
    another commit while the run waited, before anything is touched.
    Whatever ends it early is in the ledger.
    """
    began = commit.name(sources) if place.builds else ""
    stores = Outside(addresses)
    ledger = Ledger(stores.ledger, lease_seconds=lease_seconds)
    try:
        with ledger.hold(place.name, owner, say, halt), _ending_told(ledger, run, place.name):
            store, shared = addresses.state / "definitions", stores.definitions
            whole, kept = drawn(place, nodes, ledger, folders, store, release, shared)
            if whole.moved_on:
                say(whole.moved_on)
            plan = narrow(whole)
            _refuse_unsettled(plan, ledger)
            said = held.sayings(ledger, place, plan.release, named=bool(release))
            with reach(addresses) as outside:
                presence.require(whole, outside, patience.delays(addresses.poll_seconds), say, halt)
                kept = kept or _keep(place, sources, folders, store, following, shared)
                _refuse_another_commit(place, kept, began)
                execution = Execution(
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
                    halt=halt,
                    pins=Pins(ledger, place.name, run, outside, plan.nodes),
                    sayings=said,
                )
                yield execution
            _tidy(execution, store, shared, say)
    finally:
        ledger.close()
        stores.close()


def drawn(
    place: Environment,
    nodes: Iterable[Node],
    ledger: Ledger,
    folders: Sequence[str],
    store: Path,
    release: str = "",
    shared: Contents | None = None,
) -> tuple[Plan, Kept | None]:
    """The plan for an environment, and the kept definitions that it is drawn from where the release is carried.

    Where the environment follows another, the release is the last that was proven there and has stood long enough, or
    the one that is asked for, and the nodes and data are those that it brings; `nodes` are the checkout's, to tell
    whether it has moved on. What the folder `store` lacks is fetched from `shared`.
    """
    chosen = carried.release(ledger, place, release)
    world = {} if place.name == WORLD else ledger.gives(WORLD)
    if chosen is None:
        return draw(place, nodes, world, chosen), None
    carries = (*folders, onward.FOLDER)
    if shared is not None:
        archive.bring(chosen.definitions, carries, store, shared)
    kept = definitions.kept(chosen.definitions, carries, store, chosen.built_in)
    brought = onward.read(kept.root, place, chosen)
    plan = draw(brought.environment, brought.nodes, world, chosen)
    notes = ["" if release else carried.passed_over(ledger, place, chosen)]
    notes.append(onward.moved_on(brought, Catalogue(place, tuple(nodes))))
    return replace(plan, moved_on="; ".join(filter(None, notes))), kept


def _tidy(execution: Execution, store: Path, shared: Contents | None, say: Callable[[str], None]) -> None:
    """After a release was built well, remove the kept definitions that nobody needs any more; what fails is told."""
    results = execution.results
    done = results.keys() == execution.plan.nodes.keys() and all(each.outcome.is_success for each in results.values())
    if not (done and execution.plan.environment.builds):
        return
    try:
        gone = pruning.told(pruning.prune(store, execution.ledger, shared=shared))
    except (OSError, WorkspaceError) as error:
        # The run itself ended well, and says so.
        say(f"kept definitions in {store} were not pruned: {error}")
    else:
        if gone:
            say(f"removed {gone}")


def _keep(
    place: Environment,
    sources: Path,
    folders: Sequence[str],
    store: Path,
    following: Iterable[Catalogue],
    shared: Contents | None,
) -> Kept:
    """The definitions as they are now, kept on this machine and, where a team shares its ledger, with it."""
    kept = definitions.keep(sources, folders, store, onward.files(following))
    if shared is not None and place.builds:
        archive.share(kept, shared)
    return kept


def _refuse_another_commit(place: Environment, kept: Kept, began: str) -> None:
    """The nodes are of the commit at which the run began; definitions of another would make a release of both."""
    if began and kept.commit.id != began:
        raise Refused(
            f"{place.name}: {commit.moved(began, kept.commit.id)}, and nothing was touched; run promote/{place.name} "
            f"again."
        )


@contextlib.contextmanager
def _ending_told(ledger: Ledger, run: str, place: str) -> Iterator[None]:
    """Whatever ends a run early, the ledger says that it ended and why; one that has said how it ended has ended so."""
    before = ledger.last_number(place)

    def end(sentence: str) -> None:
        if not any(entry.event is Event.ENDED for entry in ledger.after(before, place, run)):
            ledger.write(run, place, Event.ENDED, success=False, sentence=sentence)

    try:
        yield
    except WorkspaceError as error:
        end(str(error))
        raise
    except BaseException as error:
        end(
            f"{place}: the run was stopped by {type(error).__name__} before its end. What is done is recorded; "
            f"run promote/{place} again, and it is not done again."
        )
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
