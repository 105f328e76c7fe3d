"""A few of the cases of `make one-writer`, other ones each time."""

import os
import time
from pathlib import Path

import pytest
from one_writer import CASES, counted

pytestmark = [pytest.mark.slow, pytest.mark.contract, pytest.mark.timeout(400)]
SEED = int(os.environ.get("WRITER_SEED", "0")) or int(time.time())


@pytest.mark.parametrize("what", CASES)
def test_writes_of_two_runs_never_interleave_and_who_slept_is_refused(what: str, tmp_path: Path) -> None:
    found = counted(what, 2, SEED, tmp_path)
    assert (found.cases, found.wrong) == (2, []), f"WRITER_SEED={SEED}"
    assert found.writes > 0
