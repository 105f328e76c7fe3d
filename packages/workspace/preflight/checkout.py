"""The files of a workspace, as they stand in a folder."""

import fnmatch
import os
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
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        "bin",
        "obj",
    }
)


class Checkout:
    """A folder with a workspace in it; paths are relative to it, with forward slashes.

    Folders that hold no definitions (`.git`, `.venv`, `node_modules`, `.terraform` …) are left out.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str] = {}

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file, in alphabetical order."""
        return tuple(sorted(self._walk()))

    def matching(self, *patterns: str) -> tuple[str, ...]:
        """The files whose path matches one of the patterns; `*` also matches a slash."""
        return tuple(file for file in self.files if any(fnmatch.fnmatchcase(file, each) for each in patterns))

    def text(self, file: str) -> str:
        """The text of a file; bytes that are no UTF-8 are replaced. OSError where a link leads nowhere."""
        if file not in self._texts:
            self._texts[file] = (self.root / file).read_text(encoding="utf-8", errors="replace")
        return self._texts[file]

    def found(self, file: str) -> str:
        """The text of a file that is searched for words only: empty where it cannot be read."""
        try:
            return self.text(file)
        except OSError:
            return ""

    def line(self, file: str, wanted: str) -> str:
        """`file:line` of the first line that contains the text, or the file alone when none does."""
        for number, line in enumerate(self.text(file).splitlines(), start=1):
            if wanted in line:
                return f"{file}:{number}"
        return file

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(each for each in folders if each not in _NOT_OURS)
            for file in files:
                yield (Path(folder) / file).relative_to(self.root).as_posix()
