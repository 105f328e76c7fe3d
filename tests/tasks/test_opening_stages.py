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


class NotRun:
    """A flow that Prefect gives up before its body starts."""

    name = "made-up"

    async def __call__(self, _: str, return_state: bool) -> State[Any]:
        return Crashed(message="503 five times")


class Unreachable(NotRun):
    """A flow whose server does not answer."""

    async def __call__(self, _: str, return_state: bool) -> State[Any]:
        raise ConnectionError("refused")


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        (NotRun(), "did not run the subflow made-up: 503 five times"),
        (Unreachable(), "Prefect failed with ConnectionError"),
    ],
)
def test_a_stage_that_prefect_does_not_run_ends_the_promotion_in_a_sentence(
    flow: Any, reason: str, tmp_path: Path
) -> None:
    step = made_up_steps.step(tmp_path, {})
    with pytest.raises(Broken, match=reason):
        asyncio.run(asyncio.wait_for(Settling(step).every(dict.fromkeys(Stage, flow)), 10))
