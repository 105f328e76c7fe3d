"""Every host asked, every digest compared."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="verification", flow_run_name="verification-{environment}", persist_result=False)
async def verification(environment: EnvironmentName) -> State[Any]:
    """Every host asked, every digest compared."""
    return await settle.stage(Stage.VERIFICATION, environment)
