"""Images, rollouts and secrets under every fault that can be practised by name."""

import pytest
from conftest import Stage
from expectation import is_sentence, practise
from practice import things, touched
from rows import IMAGES, ROLLOUTS, Row, cases
from workspace.errors import Refused

from deployments import faults

pytestmark = pytest.mark.evidence("faults")


@pytest.mark.parametrize("row", cases((*IMAGES, *ROLLOUTS)))
def test_a_fault_ends_as_its_row_says(stage: Stage, row: Row) -> None:
    try:
        practise(stage.practice(), row)
    except BaseException:
        stage.close()
        raise


def test_an_image_that_dev_proved_and_somebody_deleted_is_missed_before_anything_changes(stage: Stage) -> None:
    """`image-missing`: staging is refused as a whole, and carries it once it is there again."""
    practice = stage.practice()
    practice.inforce(faults.known()["image-missing"])
    before = things(practice)
    with pytest.raises(Refused) as told:
        practice.run("staging", ["chain-image"])
    said = str(told.value)
    assert is_sentence(
        "Release … cannot be carried to staging, and nothing was touched, because this is missing: chain@sha256:… in "
        "mystiraacr.azurecr.io. Bring it back, or run promote/dev again to make a release that is whole, or promote an "
        "earlier one by name.",
        said,
    ), said
    assert touched(before, things(practice)) == set()
    practice.inforce([])
    assert practice.run("staging", ["chain-image"]).outcomes == {"chain-image": "changed"}
