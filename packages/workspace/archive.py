"""A release's definitions on their way between machines: one archive by digest, checked byte by byte on arrival."""

import gzip
import io
import shutil
import tarfile
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from workspace import definitions
from workspace.contents import Contents
from workspace.definitions import Kept
from workspace.errors import Broken

_PRIVATE_FOLDER, _READ_ONLY = 0o700, 0o400
_ENDING = ".tar.gz"


def share(kept: Kept, contents: Contents) -> None:
    """Put a kept copy where everybody of the team can have it, unless it is there."""
    if contents.use(_name(kept.digest)):
        return
    with tempfile.TemporaryDirectory(prefix="definitions-") as beside:
        file = Path(beside, "archive")
        file.write_bytes(packed(kept.root))
        contents.put(_name(kept.digest), file)


def bring(digest: str, folders: Sequence[str], store: Path, contents: Contents) -> None:
    """Have the copy of that digest in the folder `store`, from where the team keeps it; nothing when nobody has it.

    Broken when what came is not what the digest says, or would write beside its folder; then nothing is kept.
    """
    target = store / digest
    if target.is_dir():
        return
    with tempfile.TemporaryDirectory(prefix="definitions-") as beside:
        file = Path(beside, "archive")
        if not contents.fetch(_name(digest), file):
            return
        data = file.read_bytes()
    store.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
    partial = store / f".{digest}.{uuid.uuid4().hex[:8]}"
    partial.mkdir(mode=_PRIVATE_FOLDER)
    try:
        written = unpacked(data, partial, contents.place)
        known = {name for name, _ in definitions.files(partial, folders)}
        if written != known or definitions.digest_of(partial, folders) != digest:
            raise Broken(
                f"The definitions {digest[:12]} from {contents.place} are not what their name says: they were altered "
                f"there, and nothing was touched. Remove that blob and promote again where the release was built."
            )
        partial.rename(target)
    except OSError:
        # Another run brought the same at the same moment.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def digest(name: str) -> str:
    """Which copy a file holds, by the file's name; empty when it holds none."""
    return name.removesuffix(_ENDING) if name.endswith(_ENDING) else ""


def packed(root: Path) -> bytes:
    """All files of a folder in one archive."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for file in sorted(each for each in root.rglob("*") if each.is_file()):
            entry = tarfile.TarInfo(file.relative_to(root).as_posix())
            entry.size = file.stat().st_size
            with file.open("rb") as content:
                archive.addfile(entry, content)
    return made.getvalue()


def unpacked(data: bytes, into: Path, place: str) -> set[str]:
    """Write an archive's files below a folder and return their names; broken for anything but files inside it."""
    names = set[str]()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for entry in archive:
                path = PurePosixPath(entry.name)
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None or path.is_absolute() or ".." in path.parts or path.as_posix() in names:
                    raise Broken(
                        f"The definitions from {place} hold {entry.name!r}, which is no file inside their folder: "
                        f"they were altered there, and nothing was touched. Remove that blob and promote again where "
                        f"the release was built."
                    )
                file = into / path
                file.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
                file.write_bytes(content.read())
                file.chmod(_READ_ONLY)
                names.add(path.as_posix())
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise Broken(
            f"The definitions from {place} are no archive ({error}): they were altered there, and nothing was touched. "
            f"Remove that blob and promote again where the release was built."
        ) from error
    return names


def _name(digest: str) -> str:
    return f"{digest}{_ENDING}"
