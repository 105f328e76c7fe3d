"""Images, rollouts and secrets under every fault that can be practised by name."""

import pytest
from conftest import Stage
from expectation import practise
from rows import IMAGES, ROLLOUTS, Row, cases

pytestmark = pytest.mark.evidence("faults")


@pytest.mark.parametrize("row", cases((*IMAGES, *ROLLOUTS)))
def test_a_fault_ends_as_its_row_says(stage: Stage, row: Row) -> None:
    try:
        practise(stage.practice(), row)
    except BaseException:
        stage.close()
        raise
