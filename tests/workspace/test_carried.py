"""Which release an environment carries, and which it refuses before anything is touched."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from workspace import carried, history
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.ledger import Event, Ledger
from workspace.release import Release

OLD, NEW = (Release({"web-image": f"sha256:{digit * 64}"}, "d", "dev") for digit in "12")
DEV, STAGING = Environment("dev"), Environment("staging", follows="dev")
PROD = Environment("prod", follows="staging")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Both were proven in dev, the old one in staging too."""
    made = Ledger(tmp_path)
    for environment, release in (("dev", OLD), ("staging", OLD), ("dev", NEW)):
        made.prove("r", environment, release)
    return made


def test_the_last_proven_before_is_carried(ledger: Ledger) -> None:
    assert carried.release(ledger, STAGING) == NEW
    assert carried.release(ledger, PROD) == OLD


def test_one_can_be_asked_for_by_its_id_or_the_beginning_of_it(ledger: Ledger) -> None:
    assert carried.release(ledger, STAGING, OLD.id) == OLD
    assert carried.release(ledger, STAGING, OLD.id[:6]) == OLD


def test_the_last_proven_is_the_one_recorded_last_though_a_clock_was_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    for clock, release in (("13:00", OLD), ("12:05", NEW)):
        monkeypatch.setattr("workspace.ledger._now", lambda clock=clock: f"2026-11-29T{clock}:00.000000+00:00")
        ledger.prove("r", "dev", release)
    assert carried.release(ledger, STAGING) == NEW
    assert [proof.release for proof in history.proofs(ledger)] == [NEW, OLD]


def test_one_that_was_proven_again_is_carried_as_it_was_proven_last(tmp_path: Path) -> None:
    """Its content is the same; what its template is compiled to is not, with another compiler."""
    ledger, again = Ledger(tmp_path), replace(OLD, nodes={"app-base": "compiled anew"})
    for release in (OLD, again):
        ledger.prove("r", "dev", release)
    assert again.id == OLD.id
    for wanted in ("", OLD.id, "dev"):
        assert carried.release(ledger, STAGING, wanted) == again


def test_where_releases_are_built_none_is_carried_and_none_can_be_asked_for(ledger: Ledger) -> None:
    assert carried.release(ledger, DEV) is None
    with pytest.raises(Refused, match=r"^dev builds its own release, so it cannot be told to carry"):
        carried.release(ledger, DEV, OLD.id)


def test_a_release_that_skips_an_environment_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Refused, match=rf"^Release {NEW.id} was proven in dev and never in staging, which prod follows"):
        carried.release(ledger, PROD, NEW.id)


def test_a_release_nobody_proved_is_refused_with_those_there_are(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="There is no release or environment 'feedbeef'; releases are ") as told:
        carried.release(ledger, STAGING, "feedbeef")
    # Of what two environments proved in one millisecond nobody knows which was first.
    assert NEW.id in str(told.value)
    assert OLD.id in str(told.value)


def test_nothing_proven_yet_is_left_to_the_plan(tmp_path: Path) -> None:
    assert carried.release(Ledger(tmp_path), STAGING) is None


@pytest.mark.parametrize(
    ("hours", "left"),
    [(0.0, "8 h 00 min"), (7.5, "0 h 30 min"), (7.999, "0 h 01 min"), (-3.0, "8 h 00 min")],
)
def test_a_release_that_has_not_stood_long_enough_is_refused_with_the_time_left(
    ledger: Ledger, hours: float, left: str
) -> None:
    proven = datetime.datetime.fromisoformat(ledger.after(0, "staging")[0].at)
    place = Environment("prod", follows="staging", soak_hours=8)
    with pytest.raises(Refused, match=rf"prod asks for 8 h 00 min; nothing was touched\. Run .* again in {left}\.$"):
        carried.release(ledger, place, now=proven + datetime.timedelta(hours=hours))


def test_a_release_that_has_stood_long_enough_is_carried_counted_from_its_first_proof(ledger: Ledger) -> None:
    proven = datetime.datetime.fromisoformat(ledger.after(0, "staging")[0].at)
    ledger.prove("r2", "staging", OLD)
    place = Environment("prod", follows="staging", soak_hours=8)
    assert carried.release(ledger, place, now=proven + datetime.timedelta(hours=8)) == OLD


def at(ledger: Ledger, number: int) -> datetime.datetime:
    """When the release was proven in staging for the so-manieth time."""
    proofs = [each for each in ledger.after(0, "staging") if each.event is Event.PROVEN]
    return datetime.datetime.fromisoformat(proofs[number].at)


def test_a_release_that_is_too_young_is_passed_over_for_one_that_has_stood_long_enough(ledger: Ledger) -> None:
    ledger.prove("r2", "staging", NEW)
    place = Environment("prod", follows="staging", soak_hours=8)
    between = at(ledger, 0) + datetime.timedelta(hours=8)
    assert at(ledger, 1) + datetime.timedelta(hours=8) > between
    assert carried.release(ledger, place, now=between) == OLD
    assert carried.passed_over(ledger, place, OLD) == (
        f"release {NEW.id}, proven in staging last, is passed over: it has not stood there for 8 h 00 min yet"
    )
    assert carried.release(ledger, place, now=between + datetime.timedelta(hours=1)) == NEW
    assert carried.passed_over(ledger, place, NEW) == ""
    with pytest.raises(Refused, match=rf"^Release {NEW.id} has stood in staging for .* again in 0 h 01 min\."):
        carried.release(ledger, place, NEW.id, now=between)


def test_nothing_older_than_what_is_there_is_carried_because_a_younger_one_has_to_stand(ledger: Ledger) -> None:
    ledger.prove("r2", "staging", NEW)
    ledger.prove("p1", "prod", NEW)
    place = Environment("prod", follows="staging", soak_hours=8)
    with pytest.raises(Refused, match=rf"^Release {NEW.id} has stood in staging for"):
        carried.release(ledger, place, now=at(ledger, 0) + datetime.timedelta(hours=8))
