"""Which locks a dead run left behind may be broken, and that all others are left alone."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace import lease, orphans
from workspace.clients.terraform import engine, launcher
from workspace.errors import Refused
from workspace.ledger import Event, Ledger
from workspace.work import HeldLock, LockVerdict, Outcome, Result

APPLY, PLAN = "OperationTypeApply", "OperationTypePlan"
HERE = lease.here()
GONE = {**HERE, "began": "1"}
ELSEWHERE = {"host": "worker-7/0000aaaa", "process": 4, "began": "9", "user": "ann"}


@pytest.fixture(autouse=True)
def _nobody_else_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests run Terraform on this machine; what that means is shown with the real engine in test_stack_locks."""
    monkeypatch.setattr(orphans, "_terraforms", lambda directory, taken: iter(()))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path)
    with ledger.hold("dev", "the next"):
        yield ledger


def left(
    ledger: Ledger,
    process: Any,
    *,
    ended: bool = False,
    settled: bool = False,
    meant: bool = True,
    run: str = "dead",
) -> None:
    """A run that meant to change the network."""
    ledger.write(run, "dev", Event.STARTED, nodes={}, process=process)
    if meant:
        ledger.write(run, "dev", Event.INTENT, "network", changes=["create a.b"])
    if settled:
        ledger.outcome(run, "dev", "network", Result(Outcome.CHANGED, "made"))
    if ended:
        ledger.write(run, "dev", Event.ENDED, success=False, sentence="no")


def lock(
    process: Any, operation: str = APPLY, *, seconds: float = 0, who: str = "", zone: str = "+0000 UTC"
) -> HeldLock:
    taken = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    made = who or f"{process['user']}@{process['host'].partition('/')[0]}"
    return HeldLock("4a70", made, f"{taken:%Y-%m-%d %H:%M:%S}.962147413 {zone}", operation)


def judged(ledger: Ledger, held: HeldLock, *, later: float = 0, node: str = "network") -> LockVerdict:
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=later)
    return orphans.verdict(ledger, "dev", "next", node, held, Path("/nowhere"), now)


@pytest.mark.parametrize("operation", [APPLY, PLAN])
def test_the_lock_of_a_process_of_this_machine_that_is_gone_may_be_broken(ledger: Ledger, operation: str) -> None:
    left(ledger, GONE)
    found = judged(ledger, lock(GONE, operation), later=60)
    assert (found.may_break, found.run) == (True, "dead")
    assert found.reason == f"run dead (process {GONE['process']} of this machine) is gone and recorded no end"
    assert 55 <= found.age_seconds <= 65


def test_the_lock_is_left_while_a_terraform_from_before_it_is_at_work(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_terraforms", lambda directory, taken: iter((4711,)))
    left(ledger, GONE)
    found = judged(ledger, lock(GONE), later=60)
    assert not found.may_break
    assert "Terraform (process 4711) is older than the lock and still at work" in found.reason


def test_the_lock_of_a_living_process_is_left_alone_and_told(ledger: Ledger) -> None:
    left(ledger, HERE)
    found = judged(ledger, lock(HERE))
    assert not found.may_break
    assert found.reason == (
        f"Run dead took it, whose process {HERE['process']} is still at work on this machine: wait until that is over."
    )


def test_the_lock_of_another_machine_may_be_broken_once_no_command_can_be_at_work(ledger: Ledger) -> None:
    left(ledger, ELSEWHERE)
    young = judged(ledger, lock(ELSEWHERE), later=3600)
    assert not young.may_break
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=orphans.OLD_SECONDS)
    assert young.reason in [
        f"Run dead took it on worker-7 and recorded no end: Terraform may be at work there until "
        f"{until + datetime.timedelta(seconds=late):%Y-%m-%d %H:%M} UTC, and the first run after that breaks the lock. "
        f'Where that machine is gone for certain, say so: workspace lost dev dead --because "…".'
        for late in (0, -10)
    ]
    old = judged(ledger, lock(ELSEWHERE), later=orphans.OLD_SECONDS + 60)
    assert (old.may_break, old.run) == (True, "dead")


@pytest.mark.parametrize(
    "held",
    [
        lock(GONE, who="ann@worker-7"),
        lock(GONE, seconds=-60),
        lock(GONE, seconds=600),
        lock(GONE, PLAN, seconds=600),
        lock(GONE, zone="+0200 CEST"),
        HeldLock("", lock(GONE).who, lock(GONE).created, APPLY),
        HeldLock("4a70", lock(GONE).who, "", APPLY),
    ],
    ids=["somebody else's", "older", "later", "a later plan", "no UTC", "no id", "no time"],
)
def test_a_lock_that_fits_nothing_of_ours_is_left_alone(ledger: Ledger, held: HeldLock) -> None:
    left(ledger, GONE)
    assert judged(ledger, held, later=orphans.OLD_SECONDS * 2) == LockVerdict()


@pytest.mark.parametrize("how", [{"ended": True}, {"settled": True}, {"meant": False}])
def test_a_lock_is_left_alone_where_the_run_ended_or_meant_nothing(ledger: Ledger, how: dict[str, bool]) -> None:
    left(ledger, GONE, **how)
    assert judged(ledger, lock(GONE), later=orphans.OLD_SECONDS * 2) == LockVerdict()


def test_a_lock_on_another_node_is_left_alone(ledger: Ledger) -> None:
    left(ledger, GONE)
    assert judged(ledger, lock(GONE), node="redis") == LockVerdict()


def test_without_the_lease_no_lock_is_broken(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.hold("dev", "the next"):
        left(ledger, GONE)
    assert judged(ledger, lock(GONE)) == LockVerdict()


def test_a_lock_that_fits_two_dead_runs_may_be_broken(ledger: Ledger) -> None:
    left(ledger, GONE, run="first")
    left(ledger, GONE, run="second")
    found = judged(ledger, lock(GONE), later=60)
    assert (found.may_break, found.run) == (True, "second")


@pytest.mark.parametrize("order", [(GONE, HERE), (HERE, GONE)])
def test_a_lock_that_fits_a_dead_run_and_one_at_work_is_left_alone(ledger: Ledger, order: Any) -> None:
    for number, process in enumerate(order):
        left(ledger, process, run=f"run-{number}")
    found = judged(ledger, lock(GONE), later=60)
    assert not found.may_break
    assert "is still at work on this machine" in found.reason


def test_a_run_that_is_started_again_elsewhere_breaks_what_it_left_itself(ledger: Ledger) -> None:
    left(ledger, GONE, run="next")
    ledger.write("next", "dev", Event.STARTED, nodes={}, process=HERE)
    found = judged(ledger, lock(GONE), later=60)
    assert (found.may_break, found.run) == (True, "next")


def test_no_command_of_ours_is_at_work_when_its_lock_is_old() -> None:
    longest = engine.DEADLINE_SECONDS + engine.GRACE_SECONDS + launcher.TERMINATE_SECONDS
    difference_of_clocks = 15 * 60
    assert longest + difference_of_clocks < orphans.OLD_SECONDS


def test_a_machine_that_was_given_up_needs_no_waiting_for(ledger: Ledger) -> None:
    left(ledger, ELSEWHERE)
    assert not judged(ledger, lock(ELSEWHERE), later=60).may_break
    gone = orphans.give_up(ledger, "dev", "dead", by="thandi@laptop", because="the node was deleted")
    assert (gone.machine, gone.run, gone.by, gone.because) == (
        "worker-7",
        "dead",
        "thandi@laptop",
        "the node was deleted",
    )
    found = judged(ledger, lock(ELSEWHERE), later=60)
    assert (found.may_break, found.run) == (True, "dead")
    assert found.reason == (
        f"run dead was on worker-7, which was given up {gone.at[:16].replace('T', ' ')} UTC by thandi@laptop: the node "
        f"was deleted"
    )
    (entry,) = [each for each in ledger.after(0, "dev") if each.event is Event.LOST]
    assert (entry.run, entry.body["hosts"]) == ("dead", ["worker-7/0000aaaa"])


def test_what_a_run_does_after_its_machine_was_given_up_is_its_own_again(ledger: Ledger) -> None:
    left(ledger, ELSEWHERE)
    orphans.give_up(ledger, "dev", "dead", by="", because="the node was deleted")
    other = {**ELSEWHERE, "host": "worker-8/0000bbbb"}
    left(ledger, other)
    found = judged(ledger, lock(other), later=60)
    assert not found.may_break
    assert "Run dead took it on worker-8" in found.reason
    assert judged(ledger, lock(ELSEWHERE), later=60).may_break


@pytest.mark.parametrize(
    ("process", "run", "because", "ended", "says"),
    [
        (ELSEWHERE, "dead", "  ", False, "is given up for a reason that others can read; say it with --because."),
        (ELSEWHERE, "deaf", "gone", False, "There is no run 'deaf' in dev that recorded no end; those of other machines"
         " are: dead."),
        (ELSEWHERE, "dead", "gone", True, "Run dead recorded its end in dev: nothing of it is at work any more."),
        (GONE, "dead", "gone", False, f"Run dead is of this machine, where its process {GONE['process']} is gone: "
         f"nothing need be given up, the next run sees that for itself."),
        (HERE, "dead", "gone", False, f"where its process {HERE['process']} is at work"),
        (GONE, "deaf", "gone", False, "those of other machines are: none."),
    ],
    ids=["no reason", "no such run", "it ended", "of this machine, gone", "of this machine, at work", "none at all"],
)  # fmt: skip
def test_nothing_else_is_given_up(ledger: Ledger, process: Any, run: str, because: str, ended: bool, says: str) -> None:
    left(ledger, process, ended=ended)
    before = ledger.last_number("dev")
    with pytest.raises(Refused) as told:
        orphans.give_up(ledger, "dev", run, by="", because=because)
    assert says in str(told.value)
    assert ledger.last_number("dev") == before


def test_a_machine_is_given_up_once(ledger: Ledger) -> None:
    left(ledger, ELSEWHERE)
    orphans.give_up(ledger, "dev", "dead", by="ann", because="the node was deleted")
    with pytest.raises(Refused, match=r"was given up already, \d{4}-.* UTC by ann: the node was deleted\."):
        orphans.give_up(ledger, "dev", "dead", by="ann", because="again")
