"""The figures of patience: usual against Azure, shorter where looking is cheap."""

import pytest
from workspace import patience


def test_a_target_that_is_looked_at_as_usual_has_the_usual_delays() -> None:
    assert patience.delays(5.0) == list(patience.DELAYS)


def test_delays_are_never_longer_than_usual() -> None:
    assert patience.delays(60.0) == list(patience.DELAYS)


def test_a_rehearsal_tries_as_often_and_much_sooner() -> None:
    assert patience.delays(0.5) == pytest.approx([each / 10 for each in patience.DELAYS])
    assert patience.delays(0.0) == [0.05] * len(patience.DELAYS)


def test_delays_grow() -> None:
    assert list(patience.DELAYS) == sorted(patience.DELAYS)
