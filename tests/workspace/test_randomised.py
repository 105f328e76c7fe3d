"""A sample of the randomised promotions, and that they would notice a product that resolves a tag again."""

from pathlib import Path
from typing import Any

import pytest
import randomised
from randomised import CARRIED, WRONG, Case
from small_world import DEV, World
from workspace import equality, plan, presence
from workspace.environment import Environment
from workspace.execution import Execution
from workspace.node import Node
from workspace.preflight.baseline import Sifted
from workspace.preflight.finding import Report
from workspace.release import Release

COUNT = 12


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_staging_has_what_was_proven_or_is_refused_whatever_happened() -> None:
    first = randomised.fresh_seed()
    ends, wrong = randomised.many(first, COUNT)
    assert wrong == []
    assert sum(ends.values()) == COUNT
    assert ends[CARRIED] and len(ends) > 1, (first, ends)


@pytest.mark.parametrize("compares", [True, False])
def test_a_product_that_resolves_the_tag_again_is_noticed(monkeypatch: pytest.MonkeyPatch, compares: bool) -> None:
    case = Case(1)
    registry = case.world.outside.registry

    def resolved(environment: Environment, nodes: list[Node], release: Release | None) -> dict[str, str]:
        if release is None:
            return {}
        tagged = {f"{name}-image": str(registry.digest(name, "dev")) for name in randomised.IMAGES}
        return {**release.parts, **tagged}

    monkeypatch.setattr(plan, "_carried", resolved)
    if not compares:
        monkeypatch.setattr(equality, "refuted", lambda execution, release: "")
    case.dev()
    for name in randomised.IMAGES:
        case.world.push.tag(name, "dev", case.world.push.image(name, "somebody else's"))
    end = case.staging()
    case.world.close()
    assert end.startswith(WRONG)
    assert ("is not proven in staging" in end) is compares


def test_a_product_that_does_not_look_before_it_writes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(1)
    monkeypatch.setattr(presence, "require", lambda *_: None)
    case.dev()
    randomised.delete_a_digest(case)
    end = case.staging()
    case.world.close()
    assert end.startswith(WRONG)


def test_a_checkout_that_moves_before_its_images_are_previewed_builds_no_release(tmp_path: Path) -> None:
    """The release would name the commit at which its definitions were kept, and hold images of another."""
    world = World(tmp_path)

    def moves(execution: Execution, sources: Path) -> Sifted:
        world.write("web", "web two")
        world.commit()
        return Sifted(Report())

    ended = world.promote(DEV, look=moves)
    assert not ended.success
    assert "web-image failed: the checkout went from commit" in ended.sentence
    assert world.content("dev")["images"] == {}
    assert world.promote(DEV).success
    world.close()


def test_a_checkout_that_moves_after_its_images_were_previewed_does_no_harm(tmp_path: Path) -> None:
    world = World(tmp_path)

    def moves(*_: Any) -> list[str]:
        world.write("notes", "two")
        world.commit()
        return ["192.0.2.1"]

    world.outside.resolver.answers = moves
    assert world.promote(DEV).success
    world.close()
