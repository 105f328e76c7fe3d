"""What services share: network, cluster, databases, caches, monitoring, and the base of the App.

Each part is a subflow of the stage; they run side by side, and a node in one waits for its own needs only.
"""

from typing import Any

from prefect import Flow, flow
from prefect.client.schemas.objects import State
from workspace.node import Part, Stage

from deployments import EnvironmentName
from flows import settle


def _flow(part: Part, about: str) -> Flow[..., Any]:
    """The flow of one part, with the name, run names and description that people see."""

    @flow(name=part, flow_run_name=f"{part}-{{environment}}", description=about, persist_result=False)
    async def settled(environment: EnvironmentName) -> State[Any]:
        return await settle.part(part, environment)

    return settled


_ABOUT = {
    Part.NETWORK_AND_CLUSTER: "The virtual network with its subnets, and the AKS cluster in it.",
    Part.MONITORING: "Where logs and metrics go, and who is told.",
    Part.SERVICES: "What each service in the cluster has of its own in Azure: vault, identity, storage.",
    Part.POSTGRESQL: "The shared database server.",
    Part.REDIS: "The shared cache.",
    Part.APP_BASE: "What the App stands on: sites, database, storage, by Bicep.",
}

PARTS: settle.Parts = {part: _flow(part, about) for part, about in _ABOUT.items()}


@flow(name="shared-infrastructure", flow_run_name="shared-infrastructure-{environment}", persist_result=False)
async def shared_infrastructure(environment: EnvironmentName) -> State[Any]:
    """What services share: network, cluster, databases, caches, monitoring, and the base of the App."""
    return await settle.stage(Stage.SHARED_INFRASTRUCTURE, environment, PARTS)
