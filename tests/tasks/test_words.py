"""A client's own kind of failure is recorded under the word of the vocabulary that it is."""

import pytest
from workspace.clients.resolver import Disagreement, Reason, StillDisagreement
from workspace.errors import Broken, Overdue, Refused, Unsettled, WorkspaceError

from tasks import apply


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Refused("x"), "Refused"),
        (Unsettled("x"), "Unsettled"),
        (Overdue("x"), "Overdue"),
        (Broken("x"), "Broken"),
        (Disagreement("x", Reason.NO_ANSWER), "Unsettled"),
        (StillDisagreement("x", Reason.NO_ANSWER), "Overdue"),
    ],
)
def test_a_failure_has_the_word_of_the_vocabulary(error: WorkspaceError, word: str) -> None:
    assert apply._word_for(error) == word
