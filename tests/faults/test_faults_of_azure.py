"""Stacks, templates and who we are under every fault that can be practised by name."""

import pytest
from conftest import Stage
from expectation import practise
from rows import STACKS, TEMPLATES, Row, cases

pytestmark = pytest.mark.evidence("faults")


@pytest.mark.parametrize("row", cases((*STACKS, *TEMPLATES)))
def test_a_fault_ends_as_its_row_says(stage: Stage, row: Row) -> None:
    try:
        practise(stage.practice(), row)
    except BaseException:
        stage.close()
        raise
