"""What services share: network, cluster, databases, caches, monitoring, and the base of the App."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="shared-infrastructure", flow_run_name="shared-infrastructure-{environment}", persist_result=False)
async def shared_infrastructure(environment: EnvironmentName) -> State[Any]:
    """What services share: network, cluster, databases, caches, monitoring, and the base of the App."""
    return await settle.stage(Stage.SHARED_INFRASTRUCTURE, environment)
