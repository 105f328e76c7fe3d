"""Where an environment lives, as a Prefect block: addresses and the names of credentials, never a secret."""

from typing import Any, cast

from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound
from workspace.addresses import Addresses
from workspace.errors import Refused


class Target(Block):
    """The addresses one environment is promoted at; a rehearsal is a target whose addresses are loopback."""

    _block_type_name = "Workspace target"
    _block_type_slug = "workspace-target"
    _description = "Addresses of one environment: Azure's, or those of a rehearsal on this machine."

    addresses: Addresses


async def of(environment: str) -> Addresses:
    """The addresses registered for an environment; refused when none are."""
    try:
        block = await cast(Any, Target.aload)(environment)
    except (ValueError, ObjectNotFound) as error:
        raise Refused(
            f"No target block is registered for {environment}; run `python -m deployments.register`, see README.md."
        ) from error
    return cast(Target, block).addresses
