"""Definitions and packages between machines: what arrives is what was sent, or it is refused and nothing is kept."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from blobs import Memory, in_memory
from workspace import archive, definitions
from workspace.clients.blobs import BlobContents
from workspace.clients.packages import PackageFolder, SharedPackages
from workspace.errors import Broken, Refused

FOLDERS = ("infra",)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def contents(memory: Memory) -> BlobContents:
    return BlobContents(in_memory(memory), "definitions")


@pytest.fixture
def kept(tmp_path: Path) -> definitions.Kept:
    root = tmp_path / "checkout"
    (root / "infra/stacks").mkdir(parents=True)
    (root / "infra/main.tf").write_text("a = 1")
    (root / "infra/stacks/.terraform.lock.hcl").write_bytes(b"\x00lock")
    return definitions.keep(root, FOLDERS, tmp_path / "one")


def blob(memory: Memory) -> dict[str, object]:
    (name,) = [each for each in memory.blobs if each.startswith("definitions/")]
    return memory.blobs[name]


def test_another_machine_has_the_same_definitions(
    kept: definitions.Kept, contents: BlobContents, tmp_path: Path
) -> None:
    archive.share(kept, contents)
    archive.share(kept, contents)
    archive.bring(kept.digest, FOLDERS, tmp_path / "other", contents)
    brought = definitions.kept(kept.digest, FOLDERS, tmp_path / "other", "dev")
    assert (brought.root / "infra/main.tf").read_text() == "a = 1"
    assert (brought.root / "infra/stacks/.terraform.lock.hcl").read_bytes() == b"\x00lock"


def test_what_nobody_has_is_left_to_who_asks(contents: BlobContents, tmp_path: Path) -> None:
    archive.bring("0" * 64, FOLDERS, tmp_path / "other", contents)
    with pytest.raises(Refused, match="are not in"):
        definitions.kept("0" * 64, FOLDERS, tmp_path / "other", "dev")


def archived(*files: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as written:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(data), kind, "/etc/passwd"
            written.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (archived(("../outside.tf", b"x")), "no file inside their folder"),
        (archived(("infra/../../outside.tf", b"x")), "no file inside their folder"),
        (archived(("/outside.tf", b"x")), "no file inside their folder"),
        (archived(("infra/main.tf", b""), kind=tarfile.SYMTYPE), "no file inside their folder"),
        (archived(("infra/main.tf", b"a = 1"), ("infra/main.tf", b"a = 2")), "no file inside their folder"),
        (archived(("infra/main.tf", b"a = 2")), "are not what their name says"),
        (archived(), "are not what their name says"),
        (b"nothing of the kind", "are no archive"),
        (gzip.compress(b"nothing of the kind" * 99)[:-9], "are no archive"),
    ],
    # An archive has the time of its making in it, and a test's name must be the same in every process.
    ids=["above", "above, below", "absolute", "link", "twice", "other", "empty", "words", "cut"],
)
def test_what_was_altered_is_told_and_nothing_is_kept(
    kept: definitions.Kept, contents: BlobContents, memory: Memory, tmp_path: Path, data: bytes, says: str
) -> None:
    archive.share(kept, contents)
    blob(memory)["data"] = data
    with pytest.raises(Broken, match=says):
        archive.bring(kept.digest, FOLDERS, tmp_path / "other", contents)
    assert list((tmp_path / "other").iterdir()) == []
    assert not (tmp_path / "outside.tf").exists()


def test_a_file_beside_the_definitions_is_not_brought(
    kept: definitions.Kept, contents: BlobContents, memory: Memory, tmp_path: Path
) -> None:
    archive.share(kept, contents)
    files = [(name, file.read_bytes()) for name, file in definitions.files(kept.root, FOLDERS)]
    blob(memory)["data"] = archived(*files, ("elsewhere/added.tf", b"x"))
    with pytest.raises(Broken, match="are not what their name says"):
        archive.bring(kept.digest, FOLDERS, tmp_path / "other", contents)


def shared(memory: Memory, folder: Path) -> SharedPackages:
    return SharedPackages(BlobContents(in_memory(memory), "packages"), PackageFolder(folder))


def test_another_machine_has_the_same_package(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "web.zip").write_bytes(b"a package")
    sha256 = shared(memory, tmp_path / "one").put(tmp_path / "web.zip")
    other = shared(memory, tmp_path / "other")
    assert other.exists(sha256)
    assert other.path(sha256).read_bytes() == b"a package"
    assert not other.exists("f" * 64)
    for name in ("f" * 64, "../../etc/passwd", ""):
        with pytest.raises(Refused):
            other.path(name)


def test_a_package_altered_in_the_container_is_told_on_both_machines(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "web.zip").write_bytes(b"a package")
    sha256 = shared(memory, tmp_path / "one").put(tmp_path / "web.zip")
    memory.blobs[f"packages/{sha256}"]["data"] = b"another one"
    other = shared(memory, tmp_path / "other")
    assert not other.exists(sha256)
    with pytest.raises(Broken, match="has changed"):
        other.path(sha256)
    with pytest.raises(Broken, match="has changed"):
        shared(memory, tmp_path / "one").put(tmp_path / "web.zip")
