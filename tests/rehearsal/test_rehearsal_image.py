"""The context of the image that stands for a service: the same from the same things, and honest about what it lacks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from workspace.errors import Refused
from workspace.rehearsal import image


def prepared(folder: Path, *, runs: bool = False, places: tuple[Path, ...] = ()) -> image.Context:
    return image.prepare(folder / "context", runs=runs, cache=folder / "cache", places=places)


def content(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_the_same_things_make_the_same_context(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    before = content(first.folder)
    (first.folder / "left-over").write_text("from another time")
    second = prepared(tmp_path)
    assert (second, content(second.folder)) == (first, before)


def test_what_a_service_answers_names_it_and_the_version_of_the_context(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    told = json.loads((made.folder / "services/publisher/version").read_text())
    assert told == {"service": "publisher", "version": made.version}
    assert made.arguments("publisher") == {"SERVICE": "publisher", "PORTS": "3000 3001", "VERSION": made.version}
    assert {each.name for each in (made.folder / "services").iterdir()} == set(image.PORTS)


def test_without_a_busybox_a_stand_in_goes_on_and_says_what_the_images_lack(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    assert "no program" in made.lacks
    assert (made.folder / "busybox").read_text() == image.NO_PROGRAM


def test_without_a_busybox_an_engine_that_would_run_it_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"static busybox, which cannot be had .*apt-get.*: install .* busybox-static\.$"):
        prepared(tmp_path, runs=True)


@pytest.mark.parametrize("text", [b"", b"#!/bin/sh\necho httpd sh wget\n", b"\x7fELF\x02\x01" + b"\0" * 200])
def test_a_file_that_is_no_static_program_is_no_busybox(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(text)
    (tmp_path / "busybox").chmod(0o755)
    assert image.at_hand([tmp_path / "busybox", tmp_path / "gone"]) is None


def test_a_program_that_needs_libraries_is_no_busybox() -> None:
    assert image.at_hand([Path(sys.executable).resolve()]) is None


@pytest.mark.slow
def test_by_hand_it_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-m", "workspace.rehearsal.image"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "FOLDER" in done.stderr
