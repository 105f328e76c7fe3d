"""The files of a workspace, as they stand in a folder."""

import codecs
import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

_NOT_OURS = frozenset(
    {
        ".git",
        ".venv",
        "venv",
        ".scanners",
        "node_modules",
        ".terraform",
        ".terragrunt-cache",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        "bin",
        "obj",
    }
)
LARGEST = 8_000_000
"""No definition has more bytes; a larger file is not read."""
# Words are searched for in smaller ones only.
_SEARCHED = 1_000_000
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What the tools take in UTF-8 alone, and what they take in UTF-16, too.
_UTF_8 = (".tf", ".tfvars", ".tf.json", ".tfvars.json", ".hcl")
_YAML = (".yaml", ".yml")


class Checkout:
    """A folder with a workspace in it; paths are relative to it, with forward slashes.

    Folders that hold no definitions (`.git`, `.venv`, `node_modules`, `.terraform` …) are left out, and so is whatever
    is neither a file nor a link to one. Nothing outside the folder is read: links that lead there are not followed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.closed: list[tuple[str, str]] = []
        self.links: set[str] = set()
        self.garbled: dict[str, tuple[int, str]] = {}
        self._texts: dict[str, str] = {}

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file, in alphabetical order."""
        return tuple(sorted(self._walk()))

    def matching(self, *patterns: str) -> tuple[str, ...]:
        """The files whose path matches one of the patterns; `*` also matches a slash."""
        return tuple(file for file in self.files if any(fnmatch.fnmatchcase(file, each) for each in patterns))

    def text(self, file: str) -> str:
        """The text of a file; bytes that are no UTF-8 are replaced, and told in `garbled`.

        OSError where a link leads nowhere or out of the checkout, and for a file that is too large to be a definition.
        """
        if file not in self._texts:
            content = self._bytes(file)
            self._texts[file], garbled = _decoded(file, content)
            if garbled:
                self.garbled[file] = garbled
        return self._texts[file]

    def found(self, file: str) -> str:
        """The text of a file that is searched for words only: empty where it cannot be read."""
        if file in self._texts:
            return self._texts[file]
        try:
            return _decoded("", self._bytes(file, _SEARCHED))[0]
        except OSError:
            return ""

    def leads_out(self, file: str) -> bool:
        """True for a link of the checkout, to a file or folder, that leads outside it."""
        place = self.root / file
        is_link = bool(self.files) and file in self.links
        return is_link and not Path(os.path.realpath(place)).is_relative_to(self._real_root)

    def line(self, file: str, wanted: str) -> str:
        """`file:line` of the first line that contains the text, or the file alone when none does."""
        for number, line in enumerate(self.text(file).splitlines(), start=1):
            if wanted in line:
                return f"{file}:{number}"
        return file

    @cached_property
    def _real_root(self) -> Path:
        return Path(os.path.realpath(self.root))

    def _bytes(self, file: str, most: int = LARGEST) -> bytes:
        place = self.root / file
        if self.leads_out(file):
            raise OSError(errno.EXDEV, "it is a link that leads out of the checkout")
        told = place.stat()
        if not stat.S_ISREG(told.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if told.st_size > most:
            megabytes = f"{told.st_size / 1e6:.0f} MB, and no definition has more than {most / 1e6:.0f}"
            raise OSError(errno.EFBIG, f"it has {megabytes}")
        return place.read_bytes()

    def _walk(self) -> Iterator[str]:
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                entries = list(os.scandir(self.root / folder))
            except OSError as error:
                self.closed.append((folder or ".", error.strerror or "it cannot be opened"))
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_symlink():
                    self.links.add(path)
                if entry.is_dir(follow_symlinks=False):
                    pending += [] if entry.name in _NOT_OURS else [path]
                elif entry.is_file(follow_symlinks=False) or (entry.is_symlink() and not (self.root / path).is_dir()):
                    yield path


def _decoded(file: str, content: bytes) -> tuple[str, tuple[int, str] | None]:
    """The text of some bytes, and the line and sentence of what the tools would not take in such a file."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            text = content.decode(name, errors="replace")
            wrong = (1, f"is {name.upper()}, and only UTF-8 is taken") if file.endswith(_UTF_8) else None
            return text.replace("\r\n", "\n").replace("\r", "\n"), wrong
    try:
        text, wrong = content.decode(), None
    except UnicodeDecodeError as error:
        text = content.decode(errors="replace")
        line = content.count(b"\n", 0, error.start) + 1
        wrong = (line, "is not UTF-8") if file.endswith((*_UTF_8, *_YAML)) else None
    return text.replace("\r\n", "\n").replace("\r", "\n"), wrong
