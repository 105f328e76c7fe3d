"""The Bicep compiler as a program: found, run once per definitions, and its objections told with their place."""

import os
from pathlib import Path

import pytest
from workspace.clients import bicep
from workspace.clients.bicep import Bicep
from workspace.errors import Broken, Refused

TEMPLATE = '{"$schema": "s", "contentVersion": "1.0.0.0", "resources": []}'


def a_compiler(folder: Path, script: str) -> Path:
    """A folder with a `bicep` that notes each run and then does as the script says."""
    folder.mkdir(exist_ok=True)
    program = folder / "bicep"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/runs"\n{script}\n')
    program.chmod(0o755)
    return folder


def runs(folder: Path) -> list[str]:
    return (folder / "runs").read_text().splitlines()


@pytest.fixture
def main(tmp_path: Path) -> Path:
    file = tmp_path / "main.bicep"
    file.write_text("module m 'parts/one.bicep' = {}\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/one.bicep").write_text("var x = 1\n")
    return file


def test_a_file_becomes_its_template(tmp_path: Path, main: Path) -> None:
    programs = a_compiler(tmp_path / "bin", f"echo '{TEMPLATE}'")
    assert Bicep(programs).compile(main)["resources"] == []
    assert runs(programs) == [f"build --stdout {main}"]


def test_the_same_definitions_are_compiled_once_and_changed_ones_again(tmp_path: Path, main: Path) -> None:
    programs = a_compiler(tmp_path / "bin", f"echo '{TEMPLATE}'")
    compiler = Bicep(programs)
    compiler.compile(main)["resources"].append("mine")
    assert compiler.compile(main)["resources"] == []
    assert len(runs(programs)) == 1
    (tmp_path / "parts/one.bicep").write_text("var x = 2\n")
    compiler.compile(main)
    assert len(runs(programs)) == 2


def test_an_error_is_refused_with_its_place(tmp_path: Path, main: Path) -> None:
    said = 'echo "/x/main.bicep(12,5) : Error BCP057: The name \\"y\\" does not exist." >&2; exit 1'
    with pytest.raises(Refused, match=r'main\.bicep\(12,5\): BCP057: The name "y" does not exist'):
        Bicep(a_compiler(tmp_path / "bin", said)).compile(main)


def test_warnings_are_told(tmp_path: Path, main: Path) -> None:
    script = f"echo '/x/main.bicep(1,1) : Warning no-unused-vars: unused' >&2; echo '{TEMPLATE}'"
    heard: list[str] = []
    Bicep(a_compiler(tmp_path / "bin", script)).compile(main, heard.append)
    assert heard == ["bicep: main.bicep(1,1): no-unused-vars: unused"]


@pytest.mark.parametrize("printed", ["not json", "[]", '{"parameters": {}}'])
def test_what_is_no_template_is_broken(tmp_path: Path, main: Path, printed: str) -> None:
    with pytest.raises(Broken):
        Bicep(a_compiler(tmp_path / "bin", f"echo '{printed}'")).compile(main)


def test_a_machine_without_a_compiler_says_what_to_install(
    tmp_path: Path, main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="install the bicep program"):
        Bicep(None).compile(main)


def test_az_compiles_where_there_is_no_bicep(tmp_path: Path, main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_compiler(tmp_path / "bin", f"echo '{TEMPLATE}'")
    (folder / "bicep").rename(folder / "az")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin")
    Bicep(None).compile(main)
    assert runs(folder) == [f"bicep build --stdout --file {main}"]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no Bicep file"):
        Bicep(None).compile(tmp_path / "nothing.bicep")


def test_the_hash_of_definitions_follows_what_they_name(main: Path) -> None:
    before = bicep.digest(main)
    (main.parent / "parts/stranger.bicep").write_text("var z = 1\n")
    assert bicep.digest(main) == before
    (main.parent / "parts/one.bicep").write_text("var x = 3\n")
    assert bicep.digest(main) != before
