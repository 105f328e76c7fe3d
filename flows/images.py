"""Images and packages: built and pushed once, carried by digest ever after."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from workspace.node import Stage

from deployments import EnvironmentName
from flows import settle


@flow(name="images", flow_run_name="images-{environment}", persist_result=False)
async def images(environment: EnvironmentName) -> State[Any]:
    """Images and packages: built and pushed once, carried by digest ever after."""
    return await settle.stage(Stage.IMAGES, environment)
