"""What services share: network, cluster, databases, caches, monitoring, and the base of the App.

Each part is a subflow of the stage; they run side by side, and a node in one waits for its own needs only.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from prefect import Flow, flow
from prefect.client.schemas.objects import State
from workspace.node import Part, Stage

from deployments import EnvironmentName
from flows import settle


def _part(part: Part) -> Callable[[Callable[[EnvironmentName], Awaitable[State[Any]]]], Flow[..., Any]]:
    """Make a flow of a part's body, with the name and the run names that people see."""
    return flow(name=part, flow_run_name=f"{part}-{{environment}}", persist_result=False)


@_part(Part.NETWORK_AND_CLUSTER)
async def network_and_cluster(environment: EnvironmentName) -> State[Any]:
    """The virtual network with its subnets, and the AKS cluster in it."""
    return await settle.part(Part.NETWORK_AND_CLUSTER, environment)


@_part(Part.MONITORING)
async def monitoring(environment: EnvironmentName) -> State[Any]:
    """Where logs and metrics go, and who is told."""
    return await settle.part(Part.MONITORING, environment)


@_part(Part.SERVICES)
async def services(environment: EnvironmentName) -> State[Any]:
    """What each service in the cluster has of its own in Azure: vault, identity, storage."""
    return await settle.part(Part.SERVICES, environment)


@_part(Part.POSTGRESQL)
async def postgresql(environment: EnvironmentName) -> State[Any]:
    """The shared database server."""
    return await settle.part(Part.POSTGRESQL, environment)


@_part(Part.REDIS)
async def redis(environment: EnvironmentName) -> State[Any]:
    """The shared cache."""
    return await settle.part(Part.REDIS, environment)


@_part(Part.APP_BASE)
async def app_base(environment: EnvironmentName) -> State[Any]:
    """What the App stands on: sites, database, storage, by Bicep."""
    return await settle.part(Part.APP_BASE, environment)


PARTS: settle.Parts = {
    Part.NETWORK_AND_CLUSTER: network_and_cluster,
    Part.MONITORING: monitoring,
    Part.SERVICES: services,
    Part.POSTGRESQL: postgresql,
    Part.REDIS: redis,
    Part.APP_BASE: app_base,
}


@flow(name="shared-infrastructure", flow_run_name="shared-infrastructure-{environment}", persist_result=False)
async def shared_infrastructure(environment: EnvironmentName) -> State[Any]:
    """What services share: network, cluster, databases, caches, monitoring, and the base of the App."""
    return await settle.stage(Stage.SHARED_INFRASTRUCTURE, environment, PARTS)
