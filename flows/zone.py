"""The layer below everything: state backend, zone and its delegation."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="zone", flow_run_name="zone-{environment}", persist_result=False)
async def zone(environment: EnvironmentName) -> State[Any]:
    """The layer below everything: state backend, zone and its delegation."""
    return await settle.stage(Stage.ZONE, environment)
