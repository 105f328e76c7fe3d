"""The App: API, Admin API and PWA."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="app-services", flow_run_name="app-services-{environment}", persist_result=False)
async def app_services(environment: EnvironmentName) -> State[Any]:
    """The App: API, Admin API and PWA."""
    return await settle.stage(Stage.APP_SERVICES, environment)
