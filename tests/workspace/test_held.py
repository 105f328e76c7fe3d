"""Held releases: what was left by a rollback is not carried again until a person moves forward."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from workspace import carried, ending, held
from workspace.environment import Environment
from workspace.errors import Broken, Refused
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.release import Release
from workspace.work import Outcome, Preview, Result, Work

A, B, C = (Release({"web-image": f"sha256:{digit * 64}"}, "d", "dev") for digit in "123")
DEV, STAGING = Environment("dev"), Environment("staging", follows="dev")
PROD = Environment("prod", follows="staging")
AFTER_PROD = Environment("mirror", follows="prod")


class Puts:
    """A made-up kind that changes what it is told to, or fails, or finds everything so already."""

    def __init__(self, how: str = "changes") -> None:
        self.how = how

    def preview(self, work: Work, outside: Any) -> Preview:
        return Preview(() if self.how == "is so" else ("put it",))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        if self.how == "fails":
            raise Broken("it said no")
        return Result(Outcome.UNCHANGED if preview.is_empty else Outcome.CHANGED, content=work.carried)

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result


def promote(ledger: Ledger, folder: Path, place: Environment, wanted: str = "", how: str = "changes") -> Release:
    """One promotion of an image, as `promotion.opened` and the scheduler do it; the release it carried."""
    chosen = carried.release(ledger, place, wanted)
    nodes = [Node("web-image", Kind.IMAGE, Stage.VERIFICATION)]
    kinds: Mapping[Kind, Any] = {Kind.IMAGE: Puts(how)}
    run = f"{place.name}-{ledger.last_number(place.name)}"
    execution = Execution(
        draw(place, nodes, {}, chosen), run=run, outside=None, ledger=ledger, kinds=kinds, sources=folder, state=folder,
        sayings=held.sayings(ledger, place, chosen, named=bool(wanted)),
    )  # fmt: skip
    execution.begin("thandi")
    try:
        execution.apply("web-image")
    except Broken as error:
        execution.fail("web-image", error)
    ending.conclude(execution)
    assert chosen is not None
    return chosen


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A and B were proven in dev, staging and prod, in that order."""
    made = Ledger(tmp_path)
    for release in (A, B):
        made.prove(release.id, "dev", release)
        promote(made, tmp_path, STAGING)
        promote(made, tmp_path, PROD)
    return made


def test_moving_forward_holds_nothing(ledger: Ledger) -> None:
    assert held.everywhere(ledger) == {}


def test_a_rollback_holds_what_was_left_with_who_when_and_why(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id)
    (hold,) = held.releases(ledger, "staging").values()
    assert (hold.release, hold.instead, hold.by) == (B.id, A.id, "thandi")
    assert hold.because == f"staging went back to release {A.id}, proven in dev before it"
    entry = next(each for each in ledger.after(0, "staging") if each.event is Event.RELEASE_HELD)
    assert hold.at == entry.at


def test_what_is_held_is_refused_without_a_name_with_the_reason_and_what_to_do(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id)
    with pytest.raises(Refused, match=rf"^Release {B.id} is held: it was rolled back to {A.id} in staging 2.* by thandi"
                       rf"; nothing was touched\. .* `workspace lift {B.id} staging --because …`\.$"):  # fmt: skip
        carried.release(ledger, STAGING)


def test_to_ask_for_what_dev_proved_last_is_not_to_name_what_is_held(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id)
    with pytest.raises(Refused, match=rf"^Release {B.id} is held"):
        carried.release(ledger, STAGING, "dev")
    assert carried.release(ledger, STAGING, B.id) == B


@pytest.mark.parametrize("wanted", ["", B.id])
@pytest.mark.parametrize("place", [PROD, AFTER_PROD])
def test_environments_that_follow_refuse_it_named_or_not(
    ledger: Ledger, tmp_path: Path, place: Environment, wanted: str
) -> None:
    promote(ledger, tmp_path, STAGING, A.id, how="fails")
    with pytest.raises(Refused, match=f"^Release {B.id} is held in staging, which {place.name} follows"):
        carried.release(ledger, place, wanted)


def test_environments_that_follow_carry_what_it_was_rolled_back_to(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id)
    assert promote(ledger, tmp_path, PROD) == A


def test_a_hold_does_not_reach_the_environment_before(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, PROD, A.id)
    assert B.id in held.releases(ledger, "prod")
    assert promote(ledger, tmp_path, STAGING) == B


def test_promoting_it_by_name_moves_forward_and_lifts_it(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id)
    assert promote(ledger, tmp_path, STAGING, B.id) == B
    assert held.releases(ledger, "staging") == {}
    lifted = next(each for each in ledger.after(0, "staging") if each.event is Event.RELEASE_LIFTED)
    assert (lifted.body["release"], lifted.body["by"]) == (B.id, "thandi")
    assert promote(ledger, tmp_path, PROD) == B


def test_a_newer_release_is_carried(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id)
    ledger.prove("c", "dev", C)
    assert promote(ledger, tmp_path, STAGING) == C
    assert promote(ledger, tmp_path, PROD) == C
    assert set(held.releases(ledger, "staging")) == {B.id}


def test_a_rollback_that_finds_everything_so_holds_too(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id, how="is so")
    assert set(held.releases(ledger, "staging")) == {B.id}


def test_a_rollback_that_fails_holds_what_it_began_to_leave(ledger: Ledger, tmp_path: Path) -> None:
    promote(ledger, tmp_path, STAGING, A.id, how="fails")
    assert set(held.releases(ledger, "staging")) == {B.id}


def test_a_rollback_that_never_began_to_change_anything_holds_nothing(ledger: Ledger, tmp_path: Path) -> None:
    plan = draw(STAGING, [Node("web-image", Kind.IMAGE, Stage.IMAGES)], {}, A)
    said = held.sayings(ledger, STAGING, A, named=True)
    run = Execution(plan, run="r", outside=None, ledger=ledger, kinds={}, sources=tmp_path, state=tmp_path,
                    sayings=said)  # fmt: skip
    run.begin("thandi")
    run.end("staging: nobody approved.", success=False)
    assert held.everywhere(ledger) == {}


def test_what_failed_half_way_and_was_left_by_name_is_held(ledger: Ledger, tmp_path: Path) -> None:
    ledger.prove("c", "dev", C)
    promote(ledger, tmp_path, STAGING, how="fails")
    promote(ledger, tmp_path, STAGING, B.id)
    assert set(held.releases(ledger, "staging")) == {C.id}


def test_what_dev_proved_again_is_no_rollback(ledger: Ledger, tmp_path: Path) -> None:
    ledger.prove("again", "dev", A)
    assert promote(ledger, tmp_path, STAGING, A.id) == A
    assert held.everywhere(ledger) == {}


def test_a_person_holds_and_lifts_by_hand(ledger: Ledger) -> None:
    with ledger.hold("dev", "thandi"):
        hold = held.hold(ledger, "dev", B.id[:6], by="thandi", because="it loses stories")
    assert (hold.release, hold.instead, hold.because) == (B.id, "", "it loses stories")
    for place in (STAGING, PROD):
        with pytest.raises(Refused, match=r"it was held because it loses stories in dev 2.* by thandi"):
            carried.release(ledger, place, B.id)
    with ledger.hold("dev", "thandi"):
        assert held.lift(ledger, "dev", B.id, by="lerato", because="mended").by == "thandi"
    assert carried.release(ledger, STAGING) == B


@pytest.mark.parametrize(
    ("how", "release", "because", "says"),
    [
        (held.hold, B.id, " ", "for a reason that others can read"),
        (held.hold, "feedbeef", "why", "There is no release"),
        (held.lift, B.id, "why", f"^Release {B.id} is not held in staging; held there: {A.id}"),
        (held.hold, A.id, "why", f"^Release {A.id} is held already: it was held because it is slow"),
    ],
)
def test_what_makes_no_sense_by_hand_is_refused(
    ledger: Ledger, how: Any, release: str, because: str, says: str
) -> None:
    with ledger.hold("staging", "thandi"):
        held.hold(ledger, "staging", A.id, by="thandi", because="it is slow")
        with pytest.raises(Refused, match=says):
            how(ledger, "staging", release, by="thandi", because=because)
