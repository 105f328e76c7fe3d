"""One run of a plan: previews that hold, outcomes that are recorded, failures that are told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from workspace.environment import Environment
from workspace.errors import Broken, Unsettled
from workspace.execution import Execution, relocated
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Output, Stage
from workspace.plan import draw
from workspace.work import Certainty, Outcome, Preview, Result, Work


class Things:
    """A made-up kind: things in a dictionary, wanted by settings."""

    def __init__(self, things: dict[str, Any]) -> None:
        self.things, self.previewed, self.written = things, 0, 0

    def preview(self, work: Work, outside: Any) -> Preview:
        self.previewed += 1
        if "explode" in work.settings:
            raise ValueError("hunter2")
        same = self.things.get(work.node.id) == work.settings["want"]
        return Preview(() if same else (f"set {work.node.id}",))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        gives = {"value": work.settings["want"]}
        if preview.is_empty:
            return Result(Outcome.UNCHANGED, "is so already", gives)
        self.written += 1
        self.things[work.node.id] = work.settings["want"]
        return Result(Outcome.CHANGED, "set", gives, content=f"c-{work.settings['want']}")

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
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
