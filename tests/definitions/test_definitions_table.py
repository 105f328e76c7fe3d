"""The table of docs/definitions.md: everything the guide names has a file, and that file says it."""

import functools
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "definitions.md"
# The guide's headings, counted as the page says.
SECTIONS = ["1", "2.1", "2.2", "3.1", "3.2", "3.3", "3.4", "4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3"]
SECTIONS += ["6.1", "6.2", "6.3", "7.1", "7.2", "7.3", "8.1", "8.2", "8.3", "8.4", "8.5", "9.1", "9.2"]
SECTIONS += ["10.1", "10.2", "10.3", "11", "12"]

Row = tuple[str, str, str, str, str]


@functools.cache
def rows() -> list[Row]:
    lines = re.findall(r"^\| (\d.+)\|$", PAGE.read_text(), re.MULTILINE)
    cells = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    assert all(len(each) == 5 for each in cells), [each for each in cells if len(each) != 5]
    return [(section, thing, files, word, why) for section, thing, files, word, why in cells]


def linked(files: str) -> list[Path]:
    return [PAGE.parent / target for target in re.findall(r"\]\(([^)]+)\)", files)]


@functools.cache
def text(place: Path) -> str:
    found = sorted(each for each in place.rglob("*") if each.is_file()) if place.is_dir() else [place]
    return "\n".join(each.read_text() for each in found if "__pycache__" not in each.parts)


def test_the_table_has_rows() -> None:
    assert len(rows()) > 130


def test_every_section_of_the_guide_has_rows_in_its_order() -> None:
    assert list(dict.fromkeys(section for section, *_ in rows())) == SECTIONS


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_has_files_that_exist_and_say_its_word(row: Row) -> None:
    _, _, files, word, _ = row
    places = linked(files)
    assert places, "no file"
    assert [each for each in places if not each.exists()] == []
    (wanted,) = re.findall(r"^`(.+)`$", word)
    assert any(wanted in text(each) for each in places), f"{wanted} is in none of {files}"


def test_what_a_row_calls_missing_is_listed_as_missing() -> None:
    missing = {section for section, *_, why in rows() if "is missing**" in why}
    listed = PAGE.read_text().split("## What is missing")[1]
    assert set(re.findall(r"\((\d+\.\d+)\)", listed)) == missing


def test_no_thing_of_a_section_is_named_twice() -> None:
    named = [(section, thing) for section, thing, *_ in rows()]
    assert len(named) == len(set(named))
