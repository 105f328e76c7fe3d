"""The site kind."""

from pathlib import Path

import pytest
from names_outside import NEW, OLD, Outside, work
from workspace.errors import Broken, Unsettled
from workspace.kinds import site
from workspace.node import Kind
from workspace.work import Certainty, Outcome, Work


def a_site(folder: Path) -> Work:
    return work(Kind.SITE, folder, group="g", name="pwa", package=NEW)


def test_a_new_package_is_uploaded_once(tmp_path: Path) -> None:
    outside, node = Outside(), a_site(tmp_path)
    outside.web.pages["pwa.azurestaticapps.net/"] = (200, "<h1>")

    preview = site.preview(node, outside)
    result = site.verify(node, site.apply(node, preview, outside), outside)

    assert preview.changes == (f"upload {NEW[:12]} to pwa",)
    assert (result.outcome, result.content) == (Outcome.CHANGED, NEW)
    assert result.gives == {"name": "pwa", "host": "pwa.azurestaticapps.net", "sha256": NEW}
    assert site.preview(node, outside).is_empty
    assert site.apply(node, site.preview(node, outside), outside).outcome is Outcome.UNCHANGED
    assert outside.static_site.uploads == 1


def test_a_site_that_is_not_there_yet_defers_the_preview_and_breaks_the_apply(tmp_path: Path) -> None:
    outside, node = Outside(), a_site(tmp_path)
    outside.static_site.name = ""

    preview = site.preview(node, outside)
    assert preview.certainty is Certainty.DEFERRED
    with pytest.raises(Broken, match="promote what makes it"):
        site.apply(node, preview, outside)


def test_a_site_that_holds_something_else_or_does_not_answer_is_no_success(tmp_path: Path) -> None:
    outside, node = Outside(), a_site(tmp_path)
    result = site.apply(node, site.preview(node, outside), outside)
    with pytest.raises(Unsettled):
        site.verify(node, result, outside)

    outside.static_site.held = OLD
    with pytest.raises(Broken):
        site.verify(node, result, outside)
