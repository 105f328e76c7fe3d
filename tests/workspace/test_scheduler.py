"""Running a plan without Prefect: order, patience, failure and being stopped."""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from workspace import ending, scheduler
from workspace.environment import Environment
from workspace.errors import Broken, Overdue, Refused, Unsettled, WorkspaceError
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.scheduler import Patience
from workspace.store import Folder
from workspace.work import Certainty, Outcome, Preview, Result, Work

_DEADLINE_SECONDS = 20
AT_ONCE = Patience((0.0, 0.0, 0.0))


class Scripted:
    """A kind whose nodes do what their settings say: `fails`, `refuses`, `unsettled` tries, `meets` another at work."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self._lock = threading.Lock()
        self._begun: dict[str, threading.Event] = {}

    def preview(self, work: Work, outside: Any) -> Preview:
        if "unseen" in work.settings:
            raise Unsettled(work.settings["unseen"])
        return Preview((f"make {work.node.id}",))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        name, wants = work.node.id, work.settings
        with self._lock:
            self.applied.append(name)
        self._event(name).set()
        if "meets" in wants and not self._event(wants["meets"]).wait(_DEADLINE_SECONDS):
            raise Broken(f"{wants['meets']} did not start while {name} was at work")
        if "halts" in wants:
            wants["halts"].set()
        if "fails" in wants:
            raise Broken(wants["fails"])
        if "refuses" in wants:
            raise Refused(wants["refuses"])
        if "surprises" in wants:
            raise KeyError(wants["surprises"])
        if "overdue" in wants:
            raise Overdue(wants["overdue"])
        if self.applied.count(name) <= wants.get("unsettled", 0):
            unsettled = Unsettled(f"{name} is not ready yet")
            unsettled.after = wants.get("after", 0.0)
            raise unsettled
        return Result(Outcome.CHANGED, f"made {name}")

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result

    def _event(self, name: str) -> threading.Event:
        with self._lock:
            return self._begun.setdefault(name, threading.Event())


def node(name: str, *needs: str, **settings: Any) -> Node:
    return Node(name, Kind.PAUSE, Stage.IMAGES, needs=frozenset(needs), settings=settings)


def execution(nodes: Sequence[Node], kind: Scripted, folder: Path, ledger: Ledger | None = None) -> Execution:
    kinds: Mapping[Kind, Any] = {Kind.PAUSE: kind}
    plan, where = draw(Environment("dev"), nodes, world={}), ledger or Ledger(folder)
    return Execution(plan, run="r", outside=None, ledger=where, kinds=kinds, sources=folder, state=folder)


def settled(nodes: Sequence[Node], folder: Path, patience: Patience = AT_ONCE) -> tuple[Execution, Scripted]:
    kind = Scripted()
    run = execution(nodes, kind, folder)
    scheduler.settle(run, patience)
    return run, kind


def outcomes(run: Execution) -> dict[str, str]:
    return {name: str(result.outcome) for name, result in run.results.items()}


def test_every_node_comes_after_its_needs(tmp_path: Path) -> None:
    _, kind = settled([node("web", "db", "net"), node("db", "net"), node("net")], tmp_path)
    assert kind.applied == ["net", "db", "web"]


def test_what_is_independent_is_at_work_at_the_same_time(tmp_path: Path) -> None:
    run, _ = settled([node("a", meets="b"), node("b", meets="a")], tmp_path)
    assert outcomes(run) == {"a": "changed", "b": "changed"}


def test_a_node_starts_when_its_own_needs_are_settled_whatever_else_is_at_work(tmp_path: Path) -> None:
    run, _ = settled([node("slow", meets="late"), node("quick"), node("late", "quick")], tmp_path)
    assert set(outcomes(run).values()) == {"changed"}


def test_a_failure_blocks_its_dependants_and_nothing_else(tmp_path: Path) -> None:
    nodes = [node("db", fails="no disk"), node("web", "db"), node("site", "web"), node("mail")]
    run, kind = settled(nodes, tmp_path)
    assert outcomes(run) == {"db": "failed", "web": "blocked", "site": "blocked", "mail": "changed"}
    assert sorted(kind.applied) == ["db", "mail"]
    assert run.results["site"].detail == "not started: web did not succeed"


@pytest.mark.parametrize(
    ("settings", "tries", "outcome"),
    [
        ({"unsettled": 3}, 4, "changed"),
        ({"unsettled": 9}, 4, "unknown"),
        ({"overdue": "it had its time"}, 1, "unknown"),
        ({"fails": "it said no"}, 1, "failed"),
        ({"refuses": "it is wrong"}, 1, "failed"),
        ({"surprises": "hunter2"}, 1, "failed"),
    ],
)
def test_only_what_is_not_ready_is_tried_again(
    tmp_path: Path, settings: dict[str, Any], tries: int, outcome: str
) -> None:
    run, kind = settled([node("a", **settings)], tmp_path)
    assert (kind.applied.count("a"), str(run.results["a"].outcome)) == (tries, outcome)
    assert "hunter2" not in run.results["a"].detail


def test_whoever_asks_for_more_time_is_given_it(tmp_path: Path) -> None:
    began = time.monotonic()
    run, _ = settled([node("a", unsettled=2, after=0.2)], tmp_path)
    assert outcomes(run) == {"a": "changed"}
    assert time.monotonic() - began >= 0.4


def test_each_try_says_in_the_ledger_why_it_was_not_the_last(tmp_path: Path) -> None:
    run, _ = settled([node("a", unsettled=2)], tmp_path)
    lines = [entry.body["line"] for entry in run.ledger.after(0) if entry.event is Event.PROGRESS]
    assert lines == ["a is not ready yet"] * 2


def test_among_those_that_could_start_the_longest_way_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one at a time: side by side, who is first at work says nothing about who was first in line
    monkeypatch.setattr(scheduler, "_MOST_THREADS", 1)
    nodes = [node("a"), node("z"), node("y", "z"), node("x", "y")]
    run, kind = settled(nodes, tmp_path)
    assert kind.applied[0] == "z"
    assert kind.applied.index("z") < kind.applied.index("y") < kind.applied.index("x")
    assert [entry.node for entry in run.ledger.after(0) if entry.event is Event.INTENT] == kind.applied


def test_who_halts_a_run_lets_what_is_at_work_end_and_nothing_more_start(tmp_path: Path) -> None:
    patience = Patience((0.0,))
    kind = Scripted()
    run = execution([node("a", halts=patience.halt), node("b", "a"), node("c", "b")], kind, tmp_path)
    with pytest.raises(Broken, match=r"^dev: the run was stopped before its end; 2 nodes did not start\."):
        scheduler.settle(run, patience)
    assert outcomes(run) == {"a": "changed"}
    assert kind.applied == ["a"]


def test_halting_ends_the_wait_for_what_is_not_ready(tmp_path: Path) -> None:
    patience = Patience((3600.0,))
    kind = Scripted()
    run = execution([node("a", halts=patience.halt, unsettled=9)], kind, tmp_path)
    scheduler.settle(run, patience)
    assert outcomes(run) == {"a": "unknown"}
    assert kind.applied == ["a"]


def test_previews_are_made_of_all_and_one_that_cannot_be_made_is_uncertain(tmp_path: Path) -> None:
    run = execution([node("a"), node("b", unseen="the API is away")], Scripted(), tmp_path)
    found = scheduler.preview(run)
    assert found["a"].changes == ("make a",)
    assert found["b"] == Preview(("not previewed: the API is away",), Certainty.UNCERTAIN)


def test_a_run_that_failed_proves_nothing_and_says_so(tmp_path: Path) -> None:
    run, _ = settled([node("a", fails="no disk"), node("b", "a")], tmp_path)
    ended = ending.conclude(run)
    assert (ended.success, ended.changed) == (False, False)
    assert ended.sentence.startswith("promote/dev: 1 of 2 nodes failed. a failed: no disk. Not started because of that")
    assert run.ledger.proven("dev") is None


def test_a_release_is_proven_only_by_a_run_that_verified(tmp_path: Path) -> None:
    run, _ = settled([node("a")], tmp_path)
    assert ending.conclude(run).success
    assert run.ledger.proven("dev") is None, "the plan had no stage of verification"


class Away(Folder):
    """A store that is slow to say, some times, that it cannot take the outcome of `db`."""

    def __init__(self, folder: Path, error: WorkspaceError, times: int) -> None:
        super().__init__(folder)
        self._error, self._times = error, times

    def append(self, record: str, data: bytes, at: int) -> None:
        if b'"db","outcome"' in data and self._times:
            self._times -= 1
            # Long enough for the scheduler to look which nodes may start.
            time.sleep(2 * scheduler._LOOK_SECONDS)
            raise self._error
        super().append(record, data, at)


def test_where_only_the_record_of_a_step_failed_the_step_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_LOOK_SECONDS", 0.05)
    kind, ledger = Scripted(), Ledger(Away(tmp_path, Unsettled("the store is away"), times=1))
    run = execution([node("db"), node("web", "db")], kind, tmp_path, ledger)
    scheduler.settle(run, AT_ONCE)
    assert kind.applied == ["db", "web"]
    assert outcomes(run) == {"db": "changed", "web": "changed"}
    assert [each.event for each in ledger.after(0, "dev") if each.node == "db"].count(Event.INTENT) == 1


def test_nothing_that_needs_a_node_starts_before_its_outcome_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_LOOK_SECONDS", 0.05)
    kind, ledger = Scripted(), Ledger(Away(tmp_path, Broken("the disk is full"), times=9))
    run = execution([node("db"), node("web", "db")], kind, tmp_path, ledger)
    with pytest.raises(Broken, match="the disk is full"):
        scheduler.settle(run, AT_ONCE)
    assert kind.applied == ["db"]
