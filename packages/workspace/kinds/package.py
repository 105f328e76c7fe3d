"""Packages: a published folder as one zip whose bytes depend on nothing but the folder, kept by its SHA-256."""

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workspace.errors import Broken, Refused
from workspace.work import Outcome, Preview, Result, Work

if TYPE_CHECKING:
    from workspace.clients.packages import Packages

_SHA256 = re.compile(r"[0-9a-f]{64}")
# The earliest time a zip can hold; real times would make every build another package.
_FILE_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


class Outside(Protocol):
    """What this kind speaks to."""

    @property
    def packages(self) -> "Packages":
        """Where packages are kept."""


def preview(work: Work, outside: Outside, /) -> Preview:
    """Whether the store lacks the package; Refused where the folder is missing or empty, or a carried sha unknown."""
    sha256 = _carried(work, outside) if work.carried else _zip(work)
    if outside.packages.exists(sha256):
        return Preview(plan=sha256)
    return Preview((f"store package {_name(work)} {sha256[:12]}",), plan=sha256)


def apply(work: Work, preview: Preview, outside: Outside, /) -> Result:
    """Keep the package; unchanged where the store has it. Refused when the folder is not the one previewed."""
    sha256 = _carried(work, outside) if work.carried else _zip(work)
    if sha256 != preview.plan:
        raise Refused(f"the files of {work.node.id} changed after the preview: preview again, then apply that")
    if outside.packages.exists(sha256):
        detail = "was carried" if work.carried else "was stored before"
        return _result(work, sha256, Outcome.UNCHANGED, detail)
    # One that is carried was found here, whole, and everybody else lost it: they get it back.
    file = outside.packages.path(sha256) if work.carried else _file(work)
    outside.packages.put(file)
    size = file.stat().st_size
    return _result(work, sha256, Outcome.CHANGED, f"was stored ({size / 1024:.0f} KiB)")


def reads(work: Work, preview: Preview, outside: Outside, /) -> Mapping[str, str]:
    """The bytes of the package."""
    return {"content": preview.plan}


def verify(work: Work, result: Result, outside: Outside, /) -> Result:
    """The store gives these very bytes back; raises when it does not."""
    outside.packages.path(result.content)
    return result


def lacking(settings: Mapping[str, Any], sha256: str, outside: Outside) -> tuple[str, ...]:
    """Why the package to carry cannot be had from the store, in words; nothing when its bytes are there, checked."""
    try:
        outside.packages.path(sha256)
    except (Refused, Broken) as error:
        return (f"package {settings['name']} {sha256} ({error})",)
    return ()


def _result(work: Work, sha256: str, outcome: Outcome, detail: str) -> Result:
    name = _name(work)
    return Result(outcome, f"{name} {sha256[:12]} {detail}", {"name": name, "sha256": sha256}, sha256)


def _carried(work: Work, outside: Outside) -> str:
    if not _SHA256.fullmatch(work.carried):
        raise Refused(f"the release brings {work.carried!r} for {work.node.id}, which is no SHA-256")
    outside.packages.path(work.carried)
    return work.carried


def _zip(work: Work) -> str:
    """Make the zip in the node's own directory; returns its SHA-256."""
    folder = work.sources / str(work.settings["source"])
    files = _published(folder)
    file = _file(work)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Stored, not deflated: deflate gives other bytes with another zlib, and the package would have another name.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            archive.writestr(_entry(path, folder), path.read_bytes())
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _published(folder: Path) -> list[Path]:
    files = sorted(_walk(folder), key=lambda path: path.relative_to(folder).parts) if folder.is_dir() else []
    if not files:
        what = "is empty" if folder.is_dir() else "does not exist"
        hint = f"publish the app into it first (`dotnet publish <project> -c Release -o {folder}`)"
        raise Refused(f"the package folder {folder} {what}: {hint}")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for below, folders, names in os.walk(folder):
        for name in (*names, *folders):
            path = Path(below, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise Refused(f"{path} is a link that leaves the package folder: publish the file itself")
            if path.is_symlink() and path.is_dir():
                raise Refused(f"{path} is a link to a folder, which a package cannot hold: publish the folder itself")
        yield from (Path(below, name) for name in names)


def _entry(path: Path, folder: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _FILE_TIME)
    entry.create_system = _UNIX
    mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    entry.external_attr = (0o100000 | mode) << 16
    return entry


def _file(work: Work) -> Path:
    return work.directory / f"{_name(work)}.zip"


def _name(work: Work) -> str:
    return str(work.settings["name"])
