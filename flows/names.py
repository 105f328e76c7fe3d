"""Records, bindings and certificates, now that their targets exist."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="names", flow_run_name="names-{environment}", persist_result=False)
async def names(environment: EnvironmentName) -> State[Any]:
    """Records, bindings and certificates, now that their targets exist."""
    return await settle.stage(Stage.NAMES, environment)
