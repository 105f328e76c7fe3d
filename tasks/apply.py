"""Bring one node to what it should be, and see that it is."""

import asyncio
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed
from workspace.errors import Broken, Overdue, Refused, Unsettled, WorkspaceError
from workspace.ledger import Event
from workspace.work import Result

from tasks.patience import is_unsettled
from tasks.step import Step

_FAILURES = {failure.__name__: failure for failure in (Refused, Overdue, Unsettled, Broken)}


async def node(step: Step, name: str) -> Result:
    """Apply a node as a task named after it, trying again while it is not ready; the outcome is recorded once."""
    patient: Any = _apply.with_options(retries=len(step.delays), retry_delay_seconds=list(step.delays))
    state = await patient(step, name, return_state=True)
    if name in step.execution.results:
        return step.execution.results[name]
    failure = _FAILURES.get(state.name or "", Broken)
    return step.execution.fail(name, failure(state.message or f"{name} ended {state.name} without a reason."))


async def blocked(step: Step, name: str) -> Result:
    """Show and record a node that does not start, because of its needs."""
    result = step.execution.block(name)
    show: Any = _block
    await show(name, result.detail, return_state=True)
    return result


@task(
    name="apply",
    task_run_name="{name}",
    retry_condition_fn=is_unsettled,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def _apply(step: Step, name: str) -> State[Any]:
    logger = get_run_logger()

    def say(line: str) -> None:
        step.execution.ledger.write(step.execution.run, step.execution.place, Event.PROGRESS, name, line=line)
        logger.info(line)

    try:
        result = await step.threads.run(step.execution.apply, name, say)
    except WorkspaceError as error:
        say(str(error))
        if isinstance(error, Unsettled):
            await asyncio.sleep(error.after)
        return Failed(name=_word_for(error), message=str(error))
    ending = Completed if result.outcome.is_success else Failed
    return ending(name=str(result.outcome).capitalize(), message=result.detail)


def _word_for(error: WorkspaceError) -> str:
    """The word of the vocabulary, whatever a client calls its own kind of it."""
    return next((word for word, failure in _FAILURES.items() if isinstance(error, failure)), Broken.__name__)


@task(name="blocked", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
async def _block(name: str, reason: str) -> State[Any]:
    return Cancelled(name="Blocked", message=reason)
