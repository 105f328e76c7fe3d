"""The scheduler: each node as soon as its own needs are settled, whatever stage it belongs to.

Stages are subflows for the eye. A stage's subflow opens one node ahead of its first, because opening one costs a
round-trip to the server; one at a time, because an embedded server has one writer.
"""

import asyncio
import contextvars
from collections.abc import Iterable, Mapping
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from workspace.errors import Broken, WorkspaceError
from workspace.node import Stage
from workspace.work import Outcome, Result

import deployments
from deployments import EnvironmentName
from flows import guard
from tasks import apply, approval, preview, record, target
from tasks.step import Step

_current: contextvars.ContextVar["Settling | None"] = contextvars.ContextVar("settling", default=None)


class Settling:
    """What has become of each node so far; nodes and stages wait here for one another."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.plan = step.execution.plan
        self._started = {name: asyncio.Event() for name in self.plan.nodes}
        self._settled = {name: asyncio.Event() for name in self.plan.nodes}
        self._opening = asyncio.Lock()

    async def every(self, stages: Mapping[Stage, Flow[..., Any]]) -> None:
        """Run all stages, each as its own subflow; returns when every node has an outcome.

        Broken when Prefect does not run a stage; what is at work then finishes and is recorded, nothing more starts.
        """
        token = _current.set(self)
        try:
            async with asyncio.TaskGroup() as group:
                for stage in self.plan.stages:
                    group.create_task(self._open(stage, stages[stage]))
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            reason = str(first) if isinstance(first, WorkspaceError) else f"Prefect failed with {type(first).__name__}"
            place = self.plan.environment.name
            raise Broken(
                f"{place}: {reason}. Look at the Prefect server, then run promote/{place} again."
            ) from failures
        finally:
            _current.reset(token)

    async def stage(self, stage: Stage) -> State[Any]:
        """Settle the nodes of one stage; the state says in a sentence what became of them."""
        if self._opening.locked():
            self._opening.release()
        names = [node.id for node in self.plan.of(stage)]
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._settle(name))
        return told([self.step.execution.results[name] for name in names], names)

    async def _open(self, stage: Stage, flow: Flow[..., Any]) -> None:
        await self._first_is_next(stage)
        await self._opening.acquire()
        opened: Any = flow
        state: State[Any] = await opened(self.plan.environment.name, return_state=True)
        if any(node.id not in self.step.execution.results for node in self.plan.of(stage)):
            raise Broken(f"Prefect did not run the stage {stage}: {state.message or state.name}")

    async def _first_is_next(self, stage: Stage) -> None:
        """Return once all needs of one of the stage's nodes have at least started."""
        waits = [asyncio.create_task(_all(self._started, self.plan.needs[node.id])) for node in self.plan.of(stage)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

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


@guard.told
async def stage(stage: Stage, environment: EnvironmentName) -> State[Any]:
    """The body of every stage's flow: part of the promotion that opened it, or that stage alone."""
    settling = _current.get()
    if settling is not None:
        return await settling.stage(stage)
    guard.deployment_fits(environment)
    place = deployments.find(environment)
    nodes, sources = deployments.nodes(place), deployments.SOURCES
    async with target.opened(place, nodes, sources, lambda plan: plan.only(stage)) as step:
        step.execution.begin()
        await approval.asked(step, await preview.plan(step))
        state = await Settling(step).stage(stage)
        sentence = record.told(step)
        step.execution.end(sentence, success=state.is_completed())
        return state.model_copy(update={"message": sentence})


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
