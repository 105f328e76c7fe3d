"""Promote the whole workspace to one environment: start reading here."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

import deployments
from deployments import EnvironmentName, described
from flows import app_services, cluster_rollout, guard, images, names, settle, shared_infrastructure, verification, zone
from tasks import approval, preflight, preview, record, target

STAGES = {
    Stage.ZONE: zone.zone,
    Stage.SHARED_INFRASTRUCTURE: shared_infrastructure.shared_infrastructure,
    Stage.IMAGES: images.images,
    Stage.CLUSTER_ROLLOUT: cluster_rollout.cluster_rollout,
    Stage.APP_SERVICES: app_services.app_services,
    Stage.NAMES: names.names,
    Stage.VERIFICATION: verification.verification,
}


@flow(name="promote", flow_run_name="promote-{environment}", persist_result=False)
@guard.told
async def promote(environment: EnvironmentName, fresh: bool = False, release: str = "") -> State[Any]:
    """Bring one environment to its release: dev builds one, the others carry what the one before proved.

    `fresh` builds every image and package again, even where nothing of ours changed. `release` asks for a release by
    its id, or the beginning of it, instead of the one that was proven last.
    """
    guard.deployment_fits(environment)
    place = deployments.find(environment)
    nodes = deployments.nodes(place, fresh=fresh)
    async with target.opened(
        place,
        nodes,
        deployments.SOURCES,
        deployments.DEFINITIONS,
        release=release,
        following=deployments.following(place),
    ) as step:
        await step.threads.run(step.execution.begin, guard.starter())
        await preflight.look(step, deployments.SOURCES, described.facts())
        previews = await preview.plan(step)
        await approval.asked(step, previews)
        await settle.Settling(step).every(STAGES)
        return await record.outcome(step)
