"""The package kind: the same folder, the same bytes, wherever and whenever."""

import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import workspace.rehearsal
from workspace.clients.packages import PackageFolder, SharedPackages
from workspace.contents import Contents
from workspace.environment import Environment
from workspace.errors import Broken, Refused
from workspace.kinds import package
from workspace.node import Kind, Node, Stage
from workspace.work import KindModule, Outcome, Result, Work

SAMPLES = Path(workspace.rehearsal.__file__).parent / "samples"


@dataclass(frozen=True)
class Outside:
    packages: PackageFolder


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(PackageFolder(tmp_path / "packages"))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    folder = tmp_path / "sources" / "api" / "publish"
    (folder / "wwwroot").mkdir(parents=True)
    (folder / "api.dll").write_text("code")
    (folder / "wwwroot" / "index.html").write_text("hello")
    return for_source(tmp_path, "api/publish")


def for_source(tmp_path: Path, source: str) -> Work:
    node = Node("api-package", Kind.PACKAGE, Stage.IMAGES)
    settings = {"name": "api", "source": source}
    return Work(node, Environment("dev"), settings, tmp_path / "work", tmp_path / "sources")


def run(work: Work, outside: Outside) -> Result:
    return package.verify(work, package.apply(work, package.preview(work, outside), outside), outside)


def test_the_module_is_a_kind() -> None:
    kind: KindModule = package
    assert kind


def test_a_folder_becomes_a_package_named_by_its_content(work: Work, outside: Outside) -> None:
    result = run(work, outside)
    assert result.outcome is Outcome.CHANGED
    assert result.gives == {"name": "api", "sha256": result.content}
    with zipfile.ZipFile(outside.packages.path(result.content)) as archive:
        assert archive.namelist() == ["api.dll", "wwwroot/index.html"]


def test_a_second_time_changes_nothing(work: Work, outside: Outside) -> None:
    first = run(work, outside)
    assert package.preview(work, outside).is_empty
    second = run(work, outside)
    assert (second.outcome, second.content) == (Outcome.UNCHANGED, first.content)


def test_times_and_modes_of_the_checkout_do_not_matter(work: Work, outside: Outside) -> None:
    before = package.preview(work, outside).plan
    file = work.sources / "api/publish/api.dll"
    os.utime(file, (0, 0))
    file.chmod(0o600)
    assert package.preview(work, outside).plan == before


def test_what_can_be_executed_stays_so(work: Work, outside: Outside) -> None:
    (work.sources / "api/publish/api.dll").chmod(0o755)
    with zipfile.ZipFile(outside.packages.path(run(work, outside).content)) as archive:
        assert archive.getinfo("api.dll").external_attr >> 16 & 0o777 == 0o755


def test_a_file_that_changes_after_the_preview_is_refused(work: Work, outside: Outside) -> None:
    preview = package.preview(work, outside)
    (work.sources / "api/publish/api.dll").write_text("other")
    with pytest.raises(Refused, match="changed after the preview"):
        package.apply(work, preview, outside)


@pytest.mark.parametrize("source", ["none", "empty"])
def test_a_missing_or_empty_folder_is_refused_with_what_to_do(tmp_path: Path, outside: Outside, source: str) -> None:
    (tmp_path / "sources" / "empty").mkdir(parents=True)
    with pytest.raises(Refused, match="dotnet publish"):
        package.preview(for_source(tmp_path, source), outside)


def test_a_link_out_of_the_folder_is_refused(work: Work, outside: Outside) -> None:
    (work.sources / "api/publish/secrets").symlink_to("/etc/hostname")
    with pytest.raises(Refused, match="leaves the package folder"):
        package.preview(work, outside)


def test_a_carried_package_needs_no_sources(work: Work, outside: Outside, tmp_path: Path) -> None:
    sha256 = run(work, outside).content
    carried = replace(for_source(tmp_path, "none"), environment=Environment("staging", follows="dev"), carried=sha256)
    result = run(carried, outside)
    assert (result.outcome, result.content) == (Outcome.UNCHANGED, sha256)


@pytest.mark.parametrize("carried", ["f" * 64, "latest"])
def test_a_carried_package_the_store_does_not_hold_is_refused(work: Work, outside: Outside, carried: str) -> None:
    with pytest.raises(Refused):
        package.preview(replace(work, carried=carried), outside)


def test_a_package_that_changed_in_the_store_is_noticed(work: Work, outside: Outside) -> None:
    result = run(work, outside)
    outside.packages.path(result.content).write_text("other")
    with pytest.raises(Broken, match="has changed"):
        package.verify(work, result, outside)


@pytest.mark.parametrize("name", ["api", "admin-api", "pwa"])
def test_a_rehearsal_has_something_to_package(tmp_path: Path, outside: Outside, name: str) -> None:
    with zipfile.ZipFile(
        outside.packages.path(run(for_source(tmp_path, str(SAMPLES / name)), outside).content)
    ) as zip_:
        assert {"index.html", "health"} <= set(zip_.namelist())


class Team:
    """What a team shares, in memory; somebody may have emptied it."""

    place = "the store"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def has(self, name: str) -> bool:
        return name in self.files

    def put(self, name: str, file: Path) -> bool:
        is_new = name not in self.files
        self.files.setdefault(name, file.read_bytes())
        return is_new

    def fetch(self, name: str, into: Path) -> bool:
        into.write_bytes(self.files.get(name, b""))
        return name in self.files


def test_a_carried_package_that_only_this_machine_has_is_given_back_to_the_team(work: Work, tmp_path: Path) -> None:
    team = Team()
    outside: Any = SimpleNamespace(packages=SharedPackages(cast("Contents", team), PackageFolder(tmp_path / "here")))
    built = run(work, outside)
    kept = dict(team.files)
    team.files.clear()

    elsewhere = replace(work, directory=tmp_path / "staging", carried=built.content)
    assert run(elsewhere, outside).outcome is Outcome.CHANGED
    assert team.files == kept
    assert run(elsewhere, outside).outcome is Outcome.UNCHANGED
