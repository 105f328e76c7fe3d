"""`make check-definitions` as a person sees it: what was looked at, each finding with its place, and the exit code."""

import shutil
from pathlib import Path

import pytest

import deployments
from deployments import check

APP = "packages/app/infrastructure"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(deployments.SOURCES / APP, tmp_path / APP)
    return tmp_path


def test_a_checkout_without_mistakes_ends_with_what_was_checked(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([str(checkout), "--only", "bicep"]) == 0
    told = capsys.readouterr().out
    assert "Bicep files" in told
    assert told.splitlines()[-1].startswith("Nothing to mend")


def test_a_mistake_is_told_with_its_place_and_what_to_do(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = checkout / APP / "main.bicep"
    file.write_text(file.read_text() + "\nparam nobodyReadsThis string = ''\n")
    assert check.main([str(checkout), "--only", "bicep"]) == 3
    told = capsys.readouterr().out
    assert f"{APP}/main.bicep:" in told
    assert "nobodyReadsThis" in told
    assert "risk bicep/unused" in told


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err
