"""Opening a stage: what happens when Prefect does not run it."""

import asyncio
from pathlib import Path
from typing import Any

import made_up_steps
import pytest
from prefect.client.schemas.objects import State
from prefect.states import Crashed
from workspace.errors import Broken
from workspace.node import Stage

from flows.settle import Settling


async def not_run(_: str, return_state: bool) -> State[Any]:
    return Crashed(message="503 five times")


async def unreachable(_: str, return_state: bool) -> State[Any]:
    raise ConnectionError("refused")


@pytest.mark.parametrize(
    ("flow", "reason"),
    [(not_run, "did not run the stage .*: 503 five times"), (unreachable, "Prefect failed with ConnectionError")],
)
def test_a_stage_that_prefect_does_not_run_ends_the_promotion_in_a_sentence(
    flow: Any, reason: str, tmp_path: Path
) -> None:
    step = made_up_steps.step(tmp_path, {})
    with pytest.raises(Broken, match=reason):
        asyncio.run(asyncio.wait_for(Settling(step).every(dict.fromkeys(Stage, flow)), 10))
