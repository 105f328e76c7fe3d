"""Which locks a dead run left behind may be broken, and that all others are left alone."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace import lease, orphans
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


def left(ledger: Ledger, process: Any, *, ended: bool = False, settled: bool = False, meant: bool = True) -> None:
    """A run that meant to change the network."""
    ledger.write("dead", "dev", Event.STARTED, nodes={}, process=process)
    if meant:
        ledger.write("dead", "dev", Event.INTENT, "network", changes=["create a.b"])
    if settled:
        ledger.outcome("dead", "dev", "network", Result(Outcome.CHANGED, "made"))
    if ended:
        ledger.write("dead", "dev", Event.ENDED, success=False, sentence="no")


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
    assert found.reason == f"It was taken by run dead, whose process {HERE['process']} is still at work."


def test_the_lock_of_another_machine_may_be_broken_once_no_command_can_be_at_work(ledger: Ledger) -> None:
    left(ledger, ELSEWHERE)
    young = judged(ledger, lock(ELSEWHERE), later=3600)
    assert not young.may_break
    assert "on another machine 60 min ago and is broken by the next run once it is 125 min old" in young.reason
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
