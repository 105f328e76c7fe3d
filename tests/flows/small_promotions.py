"""Small made-up promotions: a kind that does what its settings say, and the real flows around it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace import kinds
from workspace.addresses import Addresses
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Part, Stage
from workspace.plan import draw
from workspace.work import Outcome, Preview, Result, Work

import deployments
from blocks.target import Target
from flows import settle
from flows.promote import STAGES
from tasks import preview, record
from tasks.patience import Threads
from tasks.step import Step

_DEADLINE_SECONDS = 20


class Scripted:
    """A kind whose nodes do what their settings say, and remember that they were asked to.

    `fails` and `refuses` hold a reason; `unsettled` counts the tries that come too early; `unknown` ends without
    knowing; `after` names a node whose start is waited for, so that only nodes side by side can end.
    """

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.read: dict[str, Any] = {}
        self._started: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def preview(self, work: Work, outside: Any) -> Preview:
        return Preview((f"make {work.node.id}",))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        name, wants = work.node.id, work.settings
        with self._lock:
            self.applied.append(name)
            self.read[name] = wants
        self._event(name).set()
        if "after" in wants and not self._event(wants["after"]).wait(_DEADLINE_SECONDS):
            raise Broken(f"{wants['after']} did not start while {name} was at work")
        if "fails" in wants:
            raise Broken(wants["fails"])
        if "refuses" in wants:
            raise Refused(wants["refuses"])
        if self.applied.count(name) <= wants.get("unsettled", 0):
            raise Unsettled(f"{name} is not ready yet")
        outcome = Outcome.UNKNOWN if wants.get("unknown") else Outcome.CHANGED
        return Result(outcome, f"made {name}", gives=dict(wants.get("gives", {})))

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result

    def _event(self, name: str) -> threading.Event:
        with self._lock:
            return self._started.setdefault(name, threading.Event())


def node(name: str, stage: Stage, *needs: str, part: Part | None = None, **settings: Any) -> Node:
    return Node(name, Kind.PAUSE, stage, needs=frozenset(needs), settings=settings, part=part)


THREE = (
    node("first", Stage.ZONE),
    node("long", Stage.ZONE),
    node("later", Stage.NAMES, "first", "long"),
)
"""Two nodes side by side, and one in a later stage that needs both."""


class Settled:
    """What became of a made-up plan that was settled through Prefect."""

    def __init__(self, execution: Execution, kind: Scripted) -> None:
        self.execution, self.kind = execution, kind
        self.state: State[Any] | None = None
        self.run = ""

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: str(result.outcome) for name, result in self.execution.results.items()}


def settled(nodes: Sequence[Node], folder: Path, delays: Sequence[float] = (0.01, 0.01, 0.01)) -> Settled:
    """Settle made-up nodes as `promote` does, from preview to record, for an environment of no one's."""
    from prefect.runtime import flow_run

    kind, ledger = Scripted(), Ledger(folder)
    plan = draw(Environment("dev"), nodes, world={})
    execution = Execution(
        plan, run="r", outside=None, ledger=ledger, kinds={Kind.PAUSE: kind}, sources=folder, state=folder
    )
    told = Settled(execution, kind)

    @flow(name="small-promotion", persist_result=False)
    async def small_promotion() -> State[Any]:
        told.run = str(flow_run.id)
        with Threads(len(plan.nodes)) as threads:
            step = Step(execution, threads, delays)
            execution.begin()
            await preview.plan(step)
            await settle.Settling(step).every(STAGES)
            return await record.outcome(step)

    ran: Any = small_promotion
    told.state = asyncio.run(ran(return_state=True))
    return told


def register(folder: Path, *environments: str) -> None:
    """Target blocks whose ledger is in a folder, for the server that is spoken to; `poll_seconds` makes tries quick."""

    async def save() -> None:
        for name in environments:
            addresses = Addresses(subscription="made-up", state=folder, poll_seconds=0.01)
            await Target(addresses=addresses).save(name, overwrite=True)  # type: ignore[misc]

    asyncio.run(save())


def unregister(environment: str) -> None:
    """No target block for an environment."""

    async def delete() -> None:
        with contextlib.suppress(ValueError):
            await Target.adelete(environment)

    asyncio.run(delete())


def instead_of_the_catalogue(
    nodes: Sequence[Node], kind: Any, put: Callable[[Any, str, Any], None] = setattr, **environment: Any
) -> None:
    """Let the real flows promote made-up nodes: `put` sets an attribute (pytest's monkeypatch, or for good)."""
    put(kinds, "TABLE", {Kind.PAUSE: kind})
    put(deployments, "nodes", lambda place, fresh=False: tuple(nodes))
    if environment:
        put(deployments, "find", lambda name: Environment(name, **environment))
