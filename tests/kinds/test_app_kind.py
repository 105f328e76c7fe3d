"""The app kind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from names_outside import NEW, OLD, Outside, work
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import app
from workspace.node import Kind
from workspace.work import Certainty, Outcome, Work

HOST = "api.azurewebsites.net"


def an_app(folder: Path, slot: str = "staging", **settings: Any) -> Work:
    return work(Kind.APP, folder, group="g", site="api", slot=slot, package=NEW, health="/health", **settings)


@pytest.fixture
def outside() -> Outside:
    made = Outside()
    made.web.pages[f"{HOST}/health"] = (200, "")
    return made


def test_with_a_slot_the_package_is_warmed_up_before_the_public_sees_it(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)

    preview = app.preview(node, outside)
    result = app.verify(node, app.apply(node, preview, outside), outside)

    assert preview.changes == (f"deploy {NEW[:12]} to slot staging of api", "swap staging of api with production")
    assert outside.app_service.done == ["deploy staging", "warm up api staging", "swap", "warm up api"]
    assert outside.app_service.held == {"": NEW, "staging": OLD}
    assert (result.outcome, result.content) == (Outcome.CHANGED, NEW)
    assert result.gives == {"site": "api", "host": HOST, "verification": "ABC", "sha256": NEW}


def test_a_package_that_is_served_is_unchanged_and_never_swapped_back(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)
    outside.app_service.held = {"": NEW, "staging": OLD}

    assert app.preview(node, outside).is_empty
    assert app.apply(node, app.preview(node, outside), outside).outcome is Outcome.UNCHANGED
    assert outside.app_service.done == []


def test_a_run_that_died_before_the_swap_only_swaps(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)
    outside.app_service.held = {"": OLD, "staging": NEW}

    assert app.preview(node, outside).changes == ("swap staging of api with production",)
    app.apply(node, app.preview(node, outside), outside)
    assert outside.app_service.done == ["warm up api staging", "swap", "warm up api"]


def test_a_slot_that_does_not_become_well_never_reaches_the_public(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)
    outside.app_service.is_well = False

    with pytest.raises(Unsettled):
        app.apply(node, app.preview(node, outside), outside)
    assert outside.app_service.held[""] == OLD


def test_a_package_that_ails_in_public_is_swapped_back_and_tried_again_by_a_rerun(
    tmp_path: Path, outside: Outside
) -> None:
    node = an_app(tmp_path)
    outside.app_service.ails = "api"

    with pytest.raises(Broken) as told:
        app.apply(node, app.preview(node, outside), outside)
    assert str(told.value) == (
        f"api did not become well in time; swapped back, so api serves {OLD[:12]} again and staging holds {NEW[:12]}."
    )
    assert outside.app_service.held == {"": OLD, "staging": NEW}

    outside.app_service.ails = ""
    assert app.apply(node, app.preview(node, outside), outside).outcome is Outcome.CHANGED
    assert outside.app_service.held[""] == NEW


def test_without_a_slot_the_package_is_deployed_in_place(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path, slot="")

    assert app.preview(node, outside).changes == (f"deploy {NEW[:12]} to api",)
    app.apply(node, app.preview(node, outside), outside)
    assert outside.app_service.done == ["deploy production", "warm up api"]


def test_settings_alone_are_a_change_that_shows_names_and_no_values(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path, settings={"Jwt": "hidden"})
    outside.app_service.held[""] = NEW

    preview = app.preview(node, outside)
    result = app.apply(node, preview, outside)

    assert preview.changes == ("set app setting Jwt of api",)
    assert result.outcome is Outcome.CHANGED
    assert "hidden" not in f"{preview}{result}"
    assert app.preview(node, outside).is_empty


def test_settings_go_to_the_slot_first_and_come_with_the_swap(tmp_path: Path, outside: Outside) -> None:
    app.apply(an_app(tmp_path, settings={"Flag": "on"}), app.preview(an_app(tmp_path), outside), outside)

    assert outside.app_service.done[0] == "settings staging"
    assert outside.app_service.settings[""] == {"Flag": "on"}


def test_a_carried_package_wins_over_the_one_in_the_settings(tmp_path: Path, outside: Outside) -> None:
    node = replace(an_app(tmp_path, slot=""), carried="c" * 64)
    app.apply(node, app.preview(node, outside), outside)

    assert outside.app_service.held[""] == "c" * 64


def test_a_site_that_is_not_there_yet_defers_the_preview_and_breaks_the_apply(tmp_path: Path, outside: Outside) -> None:
    outside.app_service.is_there = False

    preview = app.preview(an_app(tmp_path), outside)
    assert preview.certainty is Certainty.DEFERRED
    with pytest.raises(Broken, match="promote what makes it"):
        app.apply(an_app(tmp_path), preview, outside)


def test_a_slot_that_is_not_there_is_refused(tmp_path: Path, outside: Outside) -> None:
    with pytest.raises(Refused, match="no slot blue"):
        app.preview(an_app(tmp_path, slot="blue"), outside)


def test_a_site_that_holds_something_else_afterwards_is_broken(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)
    result = app.apply(node, app.preview(node, outside), outside)
    outside.app_service.held[""] = ""

    with pytest.raises(Broken, match="somebody else"):
        app.verify(node, result, outside)


def test_a_site_that_does_not_answer_is_unsettled(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)
    result = app.apply(node, app.preview(node, outside), outside)
    outside.web.pages.clear()

    with pytest.raises(Unsettled):
        app.verify(node, result, outside)


def test_undo_swaps_the_version_before_back_once(tmp_path: Path, outside: Outside) -> None:
    node = an_app(tmp_path)
    app.apply(node, app.preview(node, outside), outside)

    assert app.undo(node, outside).content == OLD
    assert outside.app_service.held == {"": OLD, "staging": NEW}
    assert app.undo(node, outside).outcome is Outcome.UNCHANGED


def test_undo_without_a_slot_or_a_version_before_is_refused(tmp_path: Path, outside: Outside) -> None:
    with pytest.raises(Refused, match="no slot"):
        app.undo(an_app(tmp_path, slot=""), outside)
    outside.app_service.held = {"": NEW, "staging": ""}
    with pytest.raises(Refused, match="no version of ours"):
        app.undo(an_app(tmp_path), outside)
