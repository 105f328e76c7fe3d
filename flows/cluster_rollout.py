"""Everything that runs in the cluster: gateway, issuers, secrets, workloads."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="cluster-rollout", flow_run_name="cluster-rollout-{environment}", persist_result=False)
async def cluster_rollout(environment: EnvironmentName) -> State[Any]:
    """Everything that runs in the cluster: gateway, issuers, secrets, workloads."""
    return await settle.stage(Stage.CLUSTER_ROLLOUT, environment)
