"""What every flow checks before it starts, and how a refusal is told: in a sentence, without a trace."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Failed
from workspace.errors import Refused, WorkspaceError

P = ParamSpec("P")


def deployment_fits(environment: str) -> None:
    """Refuse a run whose environment is not that of its deployment: its parameters are defaults, not pins."""
    name = deployment.name
    if name and name != environment:
        raise Refused(
            f"The deployment {flow_run.flow_name}/{name} was asked to work on {environment}, and nothing was touched; "
            f"run the deployment of {environment} instead."
        )


def starter() -> str:
    """Who or what started this run, as Prefect knows it, for the ledger."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    by = run.created_by.display_value if run and run.created_by else None
    what = "schedule" if run and run.auto_scheduled else "request"
    return f"{by or what} (flow run {flow_run.name or 'without a name'})"


def told(function: Callable[P, Awaitable[State[Any]]]) -> Callable[P, Awaitable[State[Any]]]:
    """End on the sentence of a refusal or a failure as the run's state, instead of raising it."""

    @functools.wraps(function)
    async def telling(*arguments: P.args, **named: P.kwargs) -> State[Any]:
        try:
            return await function(*arguments, **named)
        except WorkspaceError as error:
            get_run_logger().error("%s", error)
            return Failed(name=type(error).__name__, message=str(error))

    return telling
