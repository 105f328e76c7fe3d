"""One run of a plan: previews that hold, outcomes that are recorded, failures that are told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from workspace.environment import Environment
from workspace.errors import Broken, Overdue, Unsettled, WorkspaceError
from workspace.execution import Execution, relocated
from workspace.ledger import Entry, Event, Ledger
from workspace.node import Kind, Node, Output, Stage
from workspace.plan import draw
from workspace.work import Certainty, Outcome, Preview, Result, Work


class Things:
    """A made-up kind: things in a dictionary, wanted by settings."""

    def __init__(self, things: dict[str, Any]) -> None:
        self.things, self.previewed, self.written, self.applied, self.verified = things, 0, 0, 0, 0
        self.content = ""
        self.refusals: list[WorkspaceError] = []

    def preview(self, work: Work, outside: Any) -> Preview:
        self.previewed += 1
        if "explode" in work.settings:
            raise ValueError("hunter2")
        same = self.things.get(work.node.id) == work.settings["want"]
        certainty = Certainty(work.settings.get("certainty", "exact"))
        always = bool(work.settings.get("always"))
        if same and "doubt" in work.settings:
            return Preview((f"perhaps {work.node.id}",), Certainty.UNCERTAIN, only_doubts=True)
        return Preview(() if same and not always else (f"set {work.node.id}",), certainty, always=always)

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        self.applied += 1
        gives = {"value": work.settings["want"]}
        if preview.is_empty:
            return Result(Outcome.UNCHANGED, "is so already", gives)
        self.written += 1
        self.things[work.node.id] = work.settings["want"]
        return Result(Outcome.CHANGED, "set", gives, content=f"c-{work.settings['want']}")

    def reads(self, work: Work, preview: Preview, outside: Any) -> Mapping[str, str]:
        return {"definition": self.content}

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        self.verified += 1
        if self.refusals:
            raise self.refusals.pop(0)
        if work.settings.get("ready", True):
            return result
        raise Unsettled(f"{work.node.id} is not ready")


def thing(name: str, want: Any, **settings: Any) -> Node:
    return Node(name, Kind.PAUSE, Stage.IMAGES, settings={"want": want, **settings})


def execution(nodes: list[Node], kind: Things, folder: Path, environment: Environment | None = None) -> Execution:
    plan = draw(environment or Environment("dev"), nodes, world={})
    kinds: Mapping[Kind, Any] = {Kind.PAUSE: kind}
    return Execution(plan, run="r", outside=None, ledger=Ledger(folder), kinds=kinds, sources=folder, state=folder)


def test_a_preview_that_still_holds_is_not_made_again(tmp_path: Path) -> None:
    kind = Things({})
    run = execution([thing("a", 1)], kind, tmp_path)
    assert run.expect("a").changes == ("set a",)
    assert run.apply("a").outcome is Outcome.CHANGED
    assert kind.previewed == 1


def test_a_node_is_previewed_again_when_a_need_changed(tmp_path: Path) -> None:
    kind = Things({"a": 0, "b": 0})
    nodes = [thing("a", 1), thing("b", Output("a", "value"))]
    execution([thing("a", 0), thing("b", 0)], kind, tmp_path).apply("a")
    run = execution(nodes, kind, tmp_path)
    assert run.expect("b").changes == (), "based on what a gave last"
    run.apply("a")
    assert run.apply("b").outcome is Outcome.CHANGED
    assert kind.things == {"a": 1, "b": 1}


def test_what_is_unknown_until_a_need_was_there_is_deferred(tmp_path: Path) -> None:
    run = execution([thing("a", 1), thing("b", Output("a", "value"))], Things({}), tmp_path)
    preview = run.expect("b")
    assert preview.certainty is Certainty.DEFERRED
    assert not preview.is_empty
    assert preview.changes == ("known after a",)


def test_a_second_run_changes_nothing_and_still_gives(tmp_path: Path) -> None:
    kind = Things({})
    execution([thing("a", 1)], kind, tmp_path).apply("a")
    again = execution([thing("a", 1)], kind, tmp_path).apply("a")
    assert (again.outcome, again.gives, kind.written) == (Outcome.UNCHANGED, {"value": 1}, 1)


def test_what_is_not_ready_is_raised_and_not_recorded_as_an_outcome(tmp_path: Path) -> None:
    run = execution([thing("a", 1, ready=False)], Things({}), tmp_path)
    with pytest.raises(Unsettled):
        run.apply("a")
    assert [entry.event for entry in run.ledger.after(0)] == [Event.INTENT]
    assert run.fail("a", Unsettled("a is not ready")).outcome is Outcome.UNKNOWN


def test_a_node_whose_need_failed_is_blocked_by_name(tmp_path: Path) -> None:
    run = execution([thing("a", 1), thing("b", Output("a", "value"))], Things({}), tmp_path)
    run.fail("a", Broken("a said no"))
    assert run.block("b") == Result(Outcome.BLOCKED, "not started: a did not succeed")


def test_a_failure_nobody_translated_is_told_without_its_text(tmp_path: Path) -> None:
    run = execution([thing("a", 1, explode=True)], Things({}), tmp_path)
    with pytest.raises(Broken) as told:
        run.apply("a")
    assert "hunter2" not in str(told.value)
    trace = tmp_path / "work/dev/a/trace.txt"
    assert "hunter2" in trace.read_text()
    assert trace.stat().st_mode & 0o077 == 0


def test_a_release_is_what_images_and_packages_became(tmp_path: Path) -> None:
    image = Node("web-image", Kind.IMAGE, Stage.IMAGES, settings={"want": 3})
    plan = draw(Environment("dev"), [image], world={})
    kinds: Mapping[Kind, Any] = {Kind.IMAGE: Things({})}
    run = Execution(plan, run="r", outside=None, ledger=Ledger(tmp_path), kinds=kinds, sources=tmp_path, state=tmp_path)
    run.apply("web-image")
    assert run.parts == {"web-image": "c-3"}


# ---- what is skipped, and what is not


def outcome_of(folder: Path, name: str = "a") -> Entry:
    """The last outcome of a node."""
    return [each for each in Ledger(folder).after(0) if each.event is Event.OUTCOME and each.node == name][-1]


def events_of(folder: Path, after: int) -> list[Event]:
    return [each.event for each in Ledger(folder).after(after) if each.event is not Event.PROGRESS]


def test_a_node_is_skipped_when_inputs_and_reality_are_those_of_its_last_success(tmp_path: Path) -> None:
    kind = Things({})
    execution([thing("a", 1)], kind, tmp_path).apply("a")
    first = outcome_of(tmp_path)
    for _ in range(2):
        applied, verified, last = kind.applied, kind.verified, Ledger(tmp_path).last_number("dev")
        result = execution([thing("a", 1)], kind, tmp_path).apply("a")
        assert (result.outcome, result.gives, result.content) == (Outcome.UNCHANGED, {"value": 1}, "c-1")
        assert (kind.applied, kind.verified) == (applied, verified + 1), "reality is asked, nothing is applied"
        body = outcome_of(tmp_path).body
        assert (body["way"], body["relies_on"], body["inputs"]) == ("skipped", first.number, first.body["inputs"])
        assert events_of(tmp_path, last) == [Event.OUTCOME]


def again(folder: Path, kind: Things, *nodes: Node) -> Mapping[str, Any]:
    """What the next run records of `a`."""
    run = execution(list(nodes) or [thing("a", 1)], kind, folder)
    for name in run.plan.order:
        run.apply(name)
    return outcome_of(folder).body


def test_other_inputs_that_reality_matches_are_applied_and_say_so(tmp_path: Path) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    kind.content = "another definition"
    applied = kind.applied
    body = again(tmp_path, kind)
    assert (body["way"], body["outcome"], kind.applied) == ("matched", "unchanged", applied + 1)
    assert again(tmp_path, kind, thing("a", 1, colour="blue"))["way"] == "matched"
    assert again(tmp_path, kind, thing("a", 1, colour="blue"))["way"] == "skipped"


def test_how_long_a_node_waits_is_no_input(tmp_path: Path) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    assert again(tmp_path, kind, thing("a", 1, deadline_seconds=5))["way"] == "skipped"


def test_what_somebody_changed_with_the_same_inputs_is_drift_and_is_said(tmp_path: Path) -> None:
    kind = Things({})
    again(tmp_path, kind)
    since = outcome_of(tmp_path)
    kind.things["a"] = 7
    said: list[str] = []
    execution([thing("a", 1)], kind, tmp_path).apply("a", said.append)
    body = outcome_of(tmp_path).body
    assert (body["way"], body["outcome"]) == ("corrected", "changed")
    assert body["drift"] == {"since": {"entry": since.number, "at": since.at, "run": "r"}, "changes": ["set a"]}
    assert said == [f"changed outside since {since.at} (entry {since.number}, run r), with the same inputs: set a"]


@pytest.mark.parametrize("settings", [{"always": True}, {"certainty": "uncertain"}])
def test_what_is_done_each_time_or_cannot_be_compared_is_no_drift(tmp_path: Path, settings: dict[str, Any]) -> None:
    kind = Things({})
    for _ in range(2):
        assert again(tmp_path, kind, thing("a", 1, **settings))["way"] == "applied"


def test_what_cannot_be_compared_is_skipped_with_its_doubts_told(tmp_path: Path) -> None:
    kind = Things({})
    again(tmp_path, kind, thing("a", 1, doubt=True))
    last = Ledger(tmp_path).last_number("dev")
    body = again(tmp_path, kind, thing("a", 1, doubt=True))
    assert (body["way"], body["doubts"], events_of(tmp_path, last)) == ("skipped", ["perhaps a"], [Event.OUTCOME])
    assert body["detail"].endswith("; 1 things could not be compared")


def test_what_a_need_changed_is_no_drift(tmp_path: Path) -> None:
    kind = Things({})
    needing = Node("a", Kind.PAUSE, Stage.IMAGES, frozenset({"b"}), {"want": 1})
    again(tmp_path, kind, thing("b", 1), needing)
    kind.things["a"] = 7
    assert again(tmp_path, kind, thing("b", 2), needing)["way"] == "applied"
    kind.things["a"] = 7
    assert again(tmp_path, kind, thing("b", 2), needing)["way"] == "corrected"


@pytest.mark.parametrize("error", [Broken("no"), Unsettled("not yet")])
def test_a_failure_is_never_relied_on(tmp_path: Path, error: WorkspaceError) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    execution([thing("a", 1)], kind, tmp_path).fail("a", error)
    assert again(tmp_path, kind)["way"] == "matched"
    assert again(tmp_path, kind)["way"] == "skipped"


def test_a_node_that_was_blocked_since_may_be_skipped(tmp_path: Path) -> None:
    kind = Things({"a": 1})
    needing = Node("a", Kind.PAUSE, Stage.IMAGES, frozenset({"b"}), {"want": 1})
    again(tmp_path, kind, thing("b", 1), needing)
    run = execution([thing("b", 1), needing], kind, tmp_path)
    run.fail("b", Broken("no"))
    run.block("a")
    assert again(tmp_path, kind, thing("b", 1), needing)["way"] == "skipped"


def test_a_probe_that_disagrees_is_not_skipped(tmp_path: Path) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    applied = kind.applied
    kind.refusals = [Broken("it serves something else")]
    said: list[str] = []
    execution([thing("a", 1)], kind, tmp_path).apply("a", said.append)
    body = outcome_of(tmp_path).body
    assert (body["way"], kind.applied, "relies_on" in body) == ("matched", applied + 1, False)
    assert said == ["is not as entry 1 left it: it serves something else"]


@pytest.mark.parametrize("content", ["as before", "another"])
def test_what_somebody_changes_after_the_preview_found_nothing_is_announced_before_it_is_written(
    tmp_path: Path, content: str
) -> None:
    kind = Things({})
    kind.content = "as before"
    execution([thing("a", 1)], kind, tmp_path).apply("a")
    kind.content = content
    run = execution([thing("a", 1)], kind, tmp_path)
    assert run.expect("a").is_empty
    kind.things["a"], kind.refusals, before = 2, [Broken("a is not 1")], run.ledger.last_number("dev")
    if content == "another":
        kind.refusals.clear()
    assert run.apply("a").outcome is Outcome.CHANGED
    assert kind.things == {"a": 1}
    told = [entry.event for entry in run.ledger.after(before, "dev")]
    assert told == [Event.INTENT, Event.EFFECT, Event.OUTCOME]


def test_what_had_nothing_to_do_before_a_long_wait_is_compared_again_and_what_was_shown_stays(tmp_path: Path) -> None:
    """The probe of a kind may see less than its preview does: a stack's reads its outputs."""
    kind = Things({})
    execution([thing("a", 1)], kind, tmp_path).apply("a")
    run = execution([thing("a", 1), thing("b", 1)], kind, tmp_path)
    assert (run.expect("a").is_empty, run.expect("b").is_empty) == (True, False)
    kind.things["a"] = 2
    run.look_again()
    assert set(run.expected) == {"b"}
    assert (run.apply("a").outcome, outcome_of(tmp_path).body["way"]) == (Outcome.CHANGED, "corrected")
    assert kind.things == {"a": 1}


class Reviving(Things):
    """A kind that does something more where its preview found nothing to do."""

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        work.announce("start 1 failed pods of a anew")
        self.told = [entry.event for entry in Ledger(outside).after(0, "dev")]
        work.announce("start 2 failed pods of b anew")
        return Result(Outcome.CHANGED, "started 3 failed pods anew", {})


def test_what_no_preview_told_of_is_an_intent_before_it_is_done(tmp_path: Path) -> None:
    kind = Reviving({"a": 1})
    run = execution([thing("a", 1)], kind, tmp_path)
    run.outside = tmp_path
    assert run.apply("a").outcome is Outcome.CHANGED
    assert kind.told == [Event.INTENT]
    told = run.ledger.after(0, "dev")
    assert [entry.event for entry in told] == [Event.INTENT, Event.EFFECT, Event.OUTCOME]
    assert told[0].body["changes"] == ["start 1 failed pods of a anew"]


def test_what_was_waited_for_in_vain_is_not_waited_for_twice(tmp_path: Path) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    verified = kind.verified
    kind.refusals = [Overdue("not ready after 600 s")]
    run = execution([thing("a", 1)], kind, tmp_path)
    with pytest.raises(Overdue):
        run.apply("a")
    run.fail("a", Overdue("not ready after 600 s"))
    body = outcome_of(tmp_path).body
    assert (kind.verified, body["outcome"], "way" in body) == (verified + 1, "unknown", False)


# ---- intent, effect, outcome


def test_the_effect_is_recorded_between_intent_and_outcome(tmp_path: Path) -> None:
    execution([thing("a", 1)], Things({}), tmp_path).apply("a")
    assert events_of(tmp_path, 0) == [Event.INTENT, Event.EFFECT, Event.OUTCOME]
    assert Ledger(tmp_path).after(0)[1].body == {"content": "c-1", "detail": "set", "by": "this run"}
    assert outcome_of(tmp_path).body["way"] == "applied"


def left_half_done(folder: Path, run: str = "dead") -> Entry:
    """An intent whose run died."""
    Ledger(folder).write(run, "dev", Event.INTENT, "a", changes=["set a"])
    return Ledger(folder).after(0)[-1]


@pytest.mark.parametrize(
    ("there", "way", "by", "found"),
    [(1, "adopted", "found done", "found done"), (0, "completed", "this run", "still to do: set a")],
)
def test_what_was_left_half_done_is_looked_at_and_adopted_or_completed(
    tmp_path: Path, there: int, way: str, by: str, found: str
) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    intent = left_half_done(tmp_path)
    kind.things["a"] = there
    said: list[str] = []
    execution([thing("a", 1)], kind, tmp_path).apply("a", said.append)
    body = outcome_of(tmp_path).body
    assert (body["way"], body["half_done"]) == (way, {"entry": intent.number, "at": intent.at, "run": "dead"})
    assert said == [f"half-done since {intent.at}, run dead (set a): {found}"]
    (effect,) = [each for each in Ledger(tmp_path).after(intent.number) if each.event is Event.EFFECT]
    assert effect.body["by"] == by
    assert again(tmp_path, kind)["way"] == "skipped"


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN, Outcome.BLOCKED])
@pytest.mark.parametrize("again_as", ["refused", "dead"])
def test_a_run_in_between_that_did_not_come_to_it_leaves_it_half_done(
    tmp_path: Path, outcome: Outcome, again_as: str
) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    intent = left_half_done(tmp_path)
    ledger = Ledger(tmp_path)
    ledger.write(again_as, "dev", Event.STARTED, nodes={})
    ledger.outcome(again_as, "dev", "a", Result(outcome, "its state is locked"))
    execution([thing("a", 1)], kind, tmp_path).apply("a")
    body = outcome_of(tmp_path).body
    assert (body["way"], body["half_done"]) == ("adopted", {"entry": intent.number, "at": intent.at, "run": "dead"})


def test_a_kind_is_told_what_runs_said_of_its_node_since_the_last_success(tmp_path: Path) -> None:
    kind, ledger = Things({"a": 1}), Ledger(tmp_path)
    ledger.write("old", "dev", Event.PROGRESS, "a", line="before")
    again(tmp_path, kind)
    ledger.write("dead", "dev", Event.INTENT, "a", changes=["set a"])
    ledger.write("dead", "dev", Event.PROGRESS, "a", line="creating a")
    ledger.write("dead", "dev", Event.PROGRESS, "b", line="creating b")
    ledger.outcome("refused", "dev", "a", Result(Outcome.UNKNOWN, "locked"))
    ledger.write("refused", "dev", Event.PROGRESS, "a", line="is locked")
    run = execution([thing("a", 1)], kind, tmp_path)
    assert run._work(run.plan.nodes["a"], {}, print).said == ("creating a", "is locked")


def test_a_kind_is_told_what_runs_meant_and_did_not_live_to_tell_of(tmp_path: Path) -> None:
    kind, ledger = Things({"a": 1}), Ledger(tmp_path)

    def left() -> frozenset[str]:
        run = execution([thing("a", 1)], kind, tmp_path)
        return run._work(run.plan.nodes["a"], {}, print).left

    for run, line in (("dead", "create x"), ("dead too", "create y"), ("failed", "create z")):
        ledger.write(run, "dev", Event.STARTED, nodes={})
        ledger.write(run, "dev", Event.INTENT, "a", changes=[line])
    ledger.outcome("failed", "dev", "a", Result(Outcome.FAILED, "no"))
    assert left() == {"create x", "create y"}
    ledger.write("dead", "dev", Event.STARTED, nodes={})
    ledger.outcome("dead", "dev", "a", Result(Outcome.UNKNOWN, "locked"))
    assert left() == {"create x", "create y"}, "started again, it did not come to it"
    again(tmp_path, kind)
    assert left() == frozenset()


def test_a_kind_is_told_what_was_ever_built_of_which_inputs(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for run, inputs, content in (("1", "i1", "c1"), ("2", "i2", "c2"), ("3", "i1", "c3"), ("4", "", "c4")):
        gives = {"inputs": inputs} if inputs else {}
        ledger.outcome(run, "dev", "a", Result(Outcome.CHANGED, gives=gives, content=content))
    ledger.outcome("5", "dev", "a", Result(Outcome.FAILED, gives={"inputs": "i5"}, content="c5"))
    run_now = execution([thing("a", 1)], Things({}), tmp_path)
    assert run_now._work(run_now.plan.nodes["a"], {}, print).built == {"i1": "c3", "i2": "c2"}


def test_what_the_run_that_meant_it_says_of_it_is_the_end_of_it(tmp_path: Path) -> None:
    kind = Things({"a": 1})
    again(tmp_path, kind)
    left_half_done(tmp_path)
    Ledger(tmp_path).outcome("dead", "dev", "a", Result(Outcome.FAILED, "no"))
    execution([thing("a", 1)], kind, tmp_path).apply("a")
    assert outcome_of(tmp_path).body["way"] == "matched"


def test_a_second_try_of_this_run_does_not_call_its_own_step_half_done(tmp_path: Path) -> None:
    kind = Things({})
    kind.refusals = [Unsettled("not yet")]
    run = execution([thing("a", 1)], kind, tmp_path)
    with pytest.raises(Unsettled):
        run.apply("a")
    run.apply("a")
    assert events_of(tmp_path, 0) == [Event.INTENT, Event.EFFECT, Event.OUTCOME]
    body = outcome_of(tmp_path).body
    assert (body["way"], "half_done" in body, kind.applied) == ("applied", False, 2)


def test_a_step_that_failed_has_no_effect_recorded(tmp_path: Path) -> None:
    kind = Things({})
    kind.refusals = [Broken("no")]
    run = execution([thing("a", 1)], kind, tmp_path)
    with pytest.raises(Broken):
        run.apply("a")
    run.fail("a", Broken("no"))
    assert events_of(tmp_path, 0) == [Event.INTENT, Event.OUTCOME]


@pytest.mark.parametrize(
    ("target", "own", "seconds"),
    [
        ({}, {}, None),
        ({"deadline_seconds": 60.0}, {}, 60.0),
        ({"deadline_seconds": 60.0, "deadlines": {"web": 4.0}}, {}, 4.0),
        ({"deadline_seconds": 60.0, "deadlines": {"web": 4.0}}, {"deadline_seconds": 9.0}, 9.0),
    ],
)
def test_a_target_says_how_long_a_node_waits_that_does_not_say_so_itself(
    tmp_path: Path, target: dict[str, Any], own: dict[str, Any], seconds: float | None
) -> None:
    seen: list[Any] = []

    class Asking(Things):
        def preview(self, work: Work, outside: Any) -> Preview:
            seen.append(work.settings.get("deadline_seconds"))
            return super().preview(work, outside)

    plan = draw(Environment("dev"), [thing("web", 1, **own)], world={})
    kinds: Mapping[Kind, Any] = {Kind.PAUSE: Asking({})}
    run = Execution(
        plan,
        run="r",
        outside=None,
        ledger=Ledger(tmp_path),
        kinds=kinds,
        sources=tmp_path,
        state=tmp_path,
        target=target,
    )
    run.expect("web")
    assert seen == [seconds]


def test_a_rehearsal_brings_its_own_sources() -> None:
    assert relocated({"source": "app/publish", "n": 1}, {"app/publish": "/r/app"}) == {"source": "/r/app", "n": 1}
    instead = {"Dockerfile": {"dockerfile": "r/Dockerfile", "context": "r"}}
    settings = {"dockerfile": "Dockerfile", "context": "."}
    assert relocated(settings, instead) == {"dockerfile": "r/Dockerfile", "context": "r"}
