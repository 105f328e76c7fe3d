"""The scheduler: each node as soon as its own needs are settled, whatever stage it belongs to.

Stages, and the parts of a stage, are subflows for the eye. A subflow opens one node ahead of its first, because opening
one costs a round-trip to the server; one at a time, because an embedded server has one writer, longest way to go first.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from workspace import ending, graph
from workspace.errors import Broken, Refused, WorkspaceError
from workspace.node import Node, Part, Stage
from workspace.work import Outcome, Result

import deployments
from deployments import EnvironmentName
from flows import guard
from flows.turns import Turns
from tasks import apply, approval, preview, target
from tasks.step import Step

Parts = Mapping[Part | None, Flow[..., Any]]

_current: contextvars.ContextVar["Settling | None"] = contextvars.ContextVar("settling", default=None)


class Settling:
    """What has become of each node so far; nodes, stages and their parts wait here for one another."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.plan = step.execution.plan
        self._started = {name: asyncio.Event() for name in self.plan.nodes}
        self._settled = {name: asyncio.Event() for name in self.plan.nodes}
        self._ways = graph.ways(self.plan.needs)
        self._turns = Turns()

    async def every(self, stages: Mapping[Stage, Flow[..., Any]]) -> None:
        """Run all stages, each as its own subflow; returns when every node has an outcome.

        Broken when Prefect does not run a stage; what is at work then finishes and is recorded, nothing more starts.
        """
        with self._current():
            await self._side_by_side(*(self._open(stages[stage], self.plan.of(stage)) for stage in self.plan.stages))

    async def alone(self, stage: Stage, parts: Parts) -> State[Any]:
        """Settle the nodes of one stage without a promotion around it."""
        await self._turns.take(0)
        return await self.stage(stage, parts)

    async def stage(self, stage: Stage, parts: Parts) -> State[Any]:
        """Settle the nodes of one stage, those of its parts in subflows of their own.

        The state says in a sentence what became of them.
        """
        nodes = self.plan.of(stage)
        groups = {part: tuple(node for node in nodes if node.part is part) for part in parts}
        with self._current():
            await self._side_by_side(
                *(self._open(parts[part], its) for part, its in groups.items() if its),
                *(self._settle(node.id) for node in nodes if node.part not in parts),
                self._opened(),
            )
        return self._told(nodes)

    async def part(self, part: Part) -> State[Any]:
        """Settle the nodes of one part of a stage; the state says in a sentence what became of them."""
        nodes = tuple(node for node in self.plan.nodes.values() if node.part is part)
        await self._side_by_side(*(self._settle(node.id) for node in nodes), self._opened())
        return self._told(nodes)

    async def _open(self, flow: Flow[..., Any], nodes: Sequence[Node]) -> None:
        """Run a subflow for these nodes, as soon as one of them is next; its body passes the turn on."""
        await self._first_is_next(nodes)
        await self._turns.take(max(self._ways[node.id] for node in nodes if self._is_next(node)))
        opened: Any = flow
        state: State[Any] = await opened(self.plan.environment.name, return_state=True)
        if any(node.id not in self.step.execution.results for node in nodes):
            raise Broken(f"Prefect did not run the subflow {flow.name}: {state.message or state.name}")

    async def _opened(self) -> None:
        """Let the next subflow open; the last of what a body starts, so that its own parts are among those who wait."""
        self._turns.give()

    async def _first_is_next(self, nodes: Sequence[Node]) -> None:
        """Return once all needs of one of the nodes have at least started."""
        if any(self._is_next(node) for node in nodes):
            return
        waits = [asyncio.create_task(_all(self._started, self.plan.needs[node.id])) for node in nodes]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _is_next(self, node: Node) -> bool:
        return all(self._started[need].is_set() for need in self.plan.needs[node.id])

    async def _settle(self, name: str) -> None:
        needs = self.plan.needs[name]
        await _all(self._settled, needs)
        self._started[name].set()
        results = self.step.execution.results
        if all(results[need].outcome.is_success for need in needs):
            await apply.node(self.step, name)
        else:
            await apply.blocked(self.step, name)
        self._settled[name].set()

    async def _side_by_side(self, *work: Coroutine[Any, Any, None]) -> None:
        """Do all of it at the same time; the first failure ends the rest and is told in one sentence."""
        try:
            async with asyncio.TaskGroup() as group:
                for each in work:
                    group.create_task(each)
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            place = self.plan.environment.name
            reason = str(first) if isinstance(first, WorkspaceError) else f"Prefect failed with {type(first).__name__}"
            raise Broken(
                f"{place}: {reason}. Look at the Prefect server, then run promote/{place} again."
            ) from failures

    def _told(self, nodes: Sequence[Node]) -> State[Any]:
        return told([self.step.execution.results[node.id] for node in nodes], [node.id for node in nodes])

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        """What the bodies of subflows find as the promotion that opened them."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


@guard.told
async def stage(stage: Stage, environment: EnvironmentName, parts: Parts = MappingProxyType({})) -> State[Any]:
    """The body of every stage's flow: part of the promotion that opened it, or that stage alone.

    `parts` are the subflows for nodes that belong to a part; nodes of no part are the stage's own.
    """
    settling = _current.get()
    if settling is not None:
        return await settling.stage(stage, parts)
    guard.deployment_fits(environment)
    place = deployments.find(environment)
    nodes, sources, folders = deployments.nodes(place), deployments.SOURCES, deployments.DEFINITIONS
    following = deployments.following(place)
    async with target.opened(
        place, nodes, sources, folders, lambda plan: plan.only(stage), following=following
    ) as step:
        await step.threads.run(step.execution.begin, guard.starter())
        await approval.asked(step, await preview.plan(step))
        state = await Settling(step).alone(stage, parts)
        sentence = ending.sentence(step.execution)
        step.execution.end(sentence, success=state.is_completed())
        return state.model_copy(update={"message": sentence})


@guard.told
async def part(part: Part, environment: EnvironmentName) -> State[Any]:
    """The body of the flow of a stage's part, which only its stage opens."""
    settling = _current.get()
    if settling is None:
        raise Refused(
            f"{part} is a part of {Stage.SHARED_INFRASTRUCTURE} and does not run alone, so nothing was touched; "
            f"run {Stage.SHARED_INFRASTRUCTURE}/{environment}."
        )
    return await settling.part(part)


def told(results: Iterable[Result], names: Iterable[str]) -> State[Any]:
    """The state of a stage: completed only when every node succeeded."""
    by_outcome: dict[Outcome, list[str]] = {}
    for name, result in zip(names, results, strict=True):
        by_outcome.setdefault(result.outcome, []).append(name)
    sentence = "; ".join(f"{outcome}: {', '.join(by_outcome[outcome])}" for outcome in Outcome if outcome in by_outcome)
    if by_outcome.keys() <= {Outcome.CHANGED, Outcome.UNCHANGED}:
        return Completed(name="Changed" if Outcome.CHANGED in by_outcome else "Unchanged", message=sentence)
    failed = by_outcome.keys() & {Outcome.FAILED, Outcome.UNKNOWN}
    return Failed(name="Failed" if failed else "Blocked", message=sentence)


async def _all(events: Mapping[str, asyncio.Event], names: Iterable[str]) -> None:
    for name in names:
        await events[name].wait()
