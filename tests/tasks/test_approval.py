"""What a person approves is exactly one plan."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_up_steps import step
from pydantic import ValidationError
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.execution import Expected
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.release import Release
from workspace.work import Preview

from tasks import approval
from tasks.step import Step

PLAN = {"network": Preview(("create vnet",)), "chain": Preview()}


def guarded(folder: Path, release: Release | None = None) -> Step:
    made = step(folder, {}, release=release)
    made.execution.plan = replace(
        made.execution.plan, environment=replace(made.execution.plan.environment, needs_approval=True)
    )
    return made


def asked(
    folder: Path,
    previews: dict[str, Preview],
    patch: pytest.MonkeyPatch,
    answer: str = "",
    release: Release | None = None,
) -> str:
    """The phrase a person is asked for; they answer with it, or with another one."""
    seen: list[str] = []

    async def pause(wait_for_input: Any, **_: Any) -> Any:
        phrase = wait_for_input._description.split("`")[1]
        seen.append(phrase)
        return approval.Approval(phrase=answer or phrase, approver="a person")

    patch.setattr(approval, "pause_flow_run", pause)
    asyncio.run(approval.asked(guarded(folder, release), previews))
    return seen[0]


def test_where_no_approval_is_needed_nobody_is_asked(tmp_path: Path) -> None:
    asyncio.run(approval.asked(step(tmp_path, {}), PLAN))


def test_the_phrase_names_the_environment_and_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = asked(tmp_path, PLAN, monkeypatch).split()
    assert words[:3] == ["DEPLOY", "TO", "DEV"]
    assert len(words[3]) == 12


def test_the_same_plan_has_the_same_phrase_in_whatever_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = dict(reversed(PLAN.items()))
    assert asked(tmp_path, PLAN, monkeypatch) == asked(tmp_path, again, monkeypatch)


@pytest.mark.parametrize(
    "other",
    [
        PLAN | {"chain": Preview(("create vault",))},
        PLAN | {"network": Preview(("create vnet", "destroy subnet"))},
        PLAN | {"publisher": Preview()},
        {"network": Preview(("create vnet",))},
    ],
)
def test_another_plan_has_another_phrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, Preview]
) -> None:
    assert asked(tmp_path, PLAN, monkeypatch) != asked(tmp_path, other, monkeypatch)


def test_the_same_changes_of_another_release_have_another_phrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow run that is started again reads the answer that it got before, and may carry a newer release."""
    phrases = {
        asked(tmp_path, PLAN, monkeypatch, release=Release({}, definitions, "dev")) for definitions in ("a", "b", "a")
    }
    assert len(phrases) == 2


@pytest.mark.parametrize("answer", ["DEPLOY TO PRODUCTION", "deploy", "DEPLOY TO DEV 000000000000"])
def test_another_phrase_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    with pytest.raises(Refused, match="was not approved: the phrase was not `DEPLOY TO DEV"):
        asked(tmp_path, PLAN, monkeypatch, answer)


def test_what_went_while_a_person_thought_is_found_before_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = f"web@sha256:{'1' * 64}"
    node = Node("web-image", Kind.IMAGE, Stage.IMAGES, settings={"repository": "web"})
    parts = {"web-image": gone.partition("@")[2]}
    prod = Environment("prod", follows="staging", needs_approval=True)
    made = step(tmp_path, {})
    made.execution.plan = draw(prod, [node], {}, Release(parts, "d", "dev"))
    registry = SimpleNamespace(host="the registry", lacking=lambda *_: (gone,))
    made.execution.outside = SimpleNamespace(registry=registry)

    async def pause(wait_for_input: Any, **_: Any) -> Any:
        return approval.Approval(phrase=wait_for_input._description.split("`")[1], approver="a person")

    monkeypatch.setattr(approval, "pause_flow_run", pause)
    with pytest.raises(Refused, match=f"nothing was touched, because this is missing: {gone} in the registry"):
        asyncio.run(approval.asked(made, PLAN))


def test_what_had_nothing_to_do_is_compared_again_after_a_person_thought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = guarded(tmp_path)
    made.execution.expected |= {name: Expected(its, "inputs") for name, its in PLAN.items()}

    async def pause(wait_for_input: Any, **_: Any) -> Any:
        return approval.Approval(phrase=wait_for_input._description.split("`")[1], approver="a person")

    monkeypatch.setattr(approval, "pause_flow_run", pause)
    asyncio.run(approval.asked(made, PLAN))
    assert set(made.execution.expected) == {"network"}


def test_a_flow_run_that_is_started_again_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []

    async def pause(wait_for_input: Any, key: str, **_: Any) -> Any:
        keys.append(key)
        return approval.Approval(phrase=wait_for_input._description.split("`")[1], approver="a person")

    monkeypatch.setattr(approval, "pause_flow_run", pause)
    for _ in range(2):
        asyncio.run(approval.asked(guarded(tmp_path), PLAN))
    assert len(set(keys)) == 2


def test_an_answer_says_who_gave_it() -> None:
    with pytest.raises(ValidationError):
        approval.Approval(phrase="DEPLOY", approver="")
