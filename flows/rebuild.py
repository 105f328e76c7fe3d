"""Build an environment again from its sources, every night: what drifted or rotted shows up in the morning."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.errors import Refused

import deployments
from deployments import EnvironmentName
from flows import guard
from flows.promote import promote


@flow(name="rebuild", flow_run_name="rebuild-{environment}", persist_result=False)
@guard.told
async def rebuild(environment: EnvironmentName) -> State[Any]:
    """Promote an environment that builds its own release, building everything afresh; refused for one that carries."""
    guard.deployment_fits(environment)
    if not deployments.find(environment).builds:
        raise Refused(f"{environment} carries what was proven before and is never rebuilt; run promote/{environment}.")
    again: Any = promote
    state: State[Any] = await again(environment, fresh=True, return_state=True)
    # A subflow's own state, returned as it is, would be summed up as "1/1 states failed".
    return State(type=state.type, name=state.name, message=state.message)
