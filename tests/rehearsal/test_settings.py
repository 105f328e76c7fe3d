"""How fast the rehearsal's Azure is, in one file."""

import os
from pathlib import Path

import pytest
from workspace.rehearsal.settings import Pace, Settings, operation_seconds, read


def test_the_file_is_there_from_the_first_start_with_every_figure(tmp_path: Path) -> None:
    Settings(tmp_path)
    assert read(tmp_path / "settings.json") == Pace()


def test_a_figure_that_is_changed_is_in_force_at_once_and_the_others_stay(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    seconds = operation_seconds(settings)
    write(tmp_path, '{"dns": 30, "operations": 2}')
    assert settings.pace == Pace(dns=30, operations=2)
    assert seconds() == 2
    write(tmp_path, '{"dns": 3')
    assert settings.pace.dns == 30


@pytest.mark.parametrize("text", ['{"dns": -1}', '{"dns": "soon"}', '{"dns": true}', '{"speed": 1}', "[]"])
def test_a_figure_that_means_nothing_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"settings\.json"):
        Settings(tmp_path)


def write(folder: Path, text: str) -> None:
    """Write the file with a time of its own, however coarse the clock of the disk is."""
    file = folder / "settings.json"
    moment = file.stat().st_mtime_ns + 10**9
    file.write_text(text)
    os.utime(file, ns=(moment, moment))
