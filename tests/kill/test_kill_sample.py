"""A sample of the kill matrix, another one each time; `make kill-matrix` runs all of it."""

import os
import random
import time
from pathlib import Path

import pytest
from cases import Matrix, carried_out, summary
from rich.console import Console

pytestmark = [pytest.mark.slow, pytest.mark.contract, pytest.mark.timeout(400)]
SEED = int(os.environ.get("KILL_SEED", "0")) or int(time.time())
KILLS = 3


def test_a_sample_of_kills_leaves_nothing_half_done_and_does_nothing_twice(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path)
    matrix.prepare(SEED, ("dev",))
    chance = random.Random(SEED)
    row = chance.choice(matrix.rows(matrix.kills))
    rows = matrix.rows(chance.sample(row, KILLS))
    assert len(rows) == 1
    console = Console(width=150)
    verdicts = carried_out(matrix, rows, 1, console)
    console.print(summary(verdicts))
    assert len(verdicts) == KILLS
    assert {str(each.kill): each.wrong for each in verdicts if each.wrong} == {}, f"KILL_SEED={SEED}"
