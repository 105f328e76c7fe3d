"""The package store: content in, the same content out."""

import hashlib
import stat
from pathlib import Path

import pytest
from workspace.clients.packages import PackageFolder
from workspace.errors import Broken, Refused


@pytest.fixture
def store(tmp_path: Path) -> PackageFolder:
    return PackageFolder(tmp_path / "packages")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "web.zip"
    file.write_bytes(b"a package")
    return file


def test_a_package_is_found_by_what_is_in_it(store: PackageFolder, file: Path) -> None:
    sha256 = store.put(file)
    assert sha256 == hashlib.sha256(b"a package").hexdigest()
    assert store.exists(sha256)
    with store.open(sha256) as content:
        assert content.read() == b"a package"
    assert store.url(sha256).startswith("file:///")


def test_keeping_it_again_changes_nothing(store: PackageFolder, file: Path) -> None:
    assert store.put(file) == store.put(file)
    assert len(list(store.path(store.put(file)).parent.iterdir())) == 1


def test_nobody_else_may_look_into_the_store(store: PackageFolder, file: Path) -> None:
    path = store.path(store.put(file))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_package_that_changed_is_broken_and_does_not_count_as_there(store: PackageFolder, file: Path) -> None:
    sha256 = store.put(file)
    store.path(sha256).write_bytes(b"another package")
    assert not store.exists(sha256)
    with pytest.raises(Broken, match="has changed"):
        store.open(sha256)


def test_a_damaged_package_is_healed_by_keeping_it_again(store: PackageFolder, file: Path) -> None:
    sha256 = store.put(file)
    store.path(sha256).write_bytes(b"another package")
    store.put(file)
    assert store.exists(sha256)


@pytest.mark.parametrize("sha256", ["f" * 64, "../../etc/passwd", ""])
def test_what_the_store_does_not_hold_is_refused(store: PackageFolder, sha256: str) -> None:
    with pytest.raises(Refused):
        store.path(sha256)
