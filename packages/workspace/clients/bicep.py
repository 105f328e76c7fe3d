"""The Bicep compiler: a file of definitions becomes the template that Azure takes.

It is the `bicep` program of a folder that is named, else the one on PATH, else the one inside `az`. The same text is
compiled once, however often it is asked for.
"""

import hashlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workspace.errors import Broken, Refused, Unsettled
from workspace.work import say_nothing

_SECONDS = 180
_MOST_SHOWN = 5
_QUOTED = re.compile(r"'([^'\n]+)'")
_FINDING = re.compile(
    r"^(?P<file>.*?)\((?P<line>\d+),(?P<column>\d+)\)\s*:\s*(?P<level>Error|Warning|Info)\s+(?P<said>.*)$"
)

Template = dict[str, Any]


class Bicep:
    """The compiler found in `programs` or on this machine. Calls may come from any thread."""

    def __init__(self, programs: Path | None = None) -> None:
        self._programs = programs
        self._lock = threading.Lock()
        self._compiled: dict[str, Template] = {}

    def compile(self, file: Path, say: Callable[[str], None] = say_nothing) -> Template:
        """The template of a Bicep file; what the compiler objects to is refused with its place in the file.

        `say` hears the compiler's warnings, once per compilation.
        """
        if not file.is_file():
            raise Refused(f"there is no Bicep file {file}")
        known = digest(file)
        with self._lock:
            if known not in self._compiled:
                self._compiled[known] = self._run(file, say)
            # a copy, so that nobody edits what the next one is given
            return json.loads(json.dumps(self._compiled[known]))  # type: ignore[no-any-return]

    def command(self) -> list[str]:
        """The program that compiles, ready for a file's name; refused where this machine has none."""
        folder = str(self._programs) if self._programs else None
        found = (folder and shutil.which("bicep", path=folder)) or shutil.which("bicep")
        if found:
            return [found, "build", "--stdout"]
        if az := shutil.which("az"):
            return [az, "bicep", "build", "--stdout", "--file"]
        raise Refused("no Bicep compiler is here: install the bicep program, or az and run az bicep install")

    def _run(self, file: Path, say: Callable[[str], None]) -> Template:
        command = [*self.command(), str(file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise Unsettled(f"compiling {file} took longer than {_SECONDS} s: run again") from error
        except OSError as error:
            raise Refused(f"the Bicep compiler {command[0]} does not start: {error.strerror}") from error
        if done.returncode != 0:
            raise Refused(f"{file} does not compile: {_objections(done.stderr, done.returncode)}")
        for warning in _findings(done.stderr, "Warning"):
            say(f"bicep: {warning}")
        return _template(file, done.stdout)


def digest(file: Path) -> str:
    """One hash over the file and every file it names, directly or through others, and over the linter's settings."""
    content = hashlib.sha256()
    for each in sorted({*_named(file.resolve(), set()), *_settings(file.resolve())}):
        content.update(f"{each}\0".encode())
        content.update(hashlib.sha256(each.read_bytes()).digest())
    return content.hexdigest()


def _named(file: Path, seen: set[Path]) -> set[Path]:
    if file in seen:
        return seen
    seen.add(file)
    if file.suffix in (".bicep", ".bicepparam"):
        for quoted in _QUOTED.findall(file.read_text(errors="replace")):
            if _is_file(file.parent / quoted):
                _named((file.parent / quoted).resolve(), seen)
    return seen


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # a quoted sentence can be longer than a file's name may be
        return False


def _settings(file: Path) -> Iterator[Path]:
    return (settings for folder in file.parents if (settings := folder / "bicepconfig.json").is_file())


def _findings(text: str, level: str) -> list[str]:
    """The compiler's findings of one level: `main.bicep(12,5): BCP057: …`."""
    found = (_FINDING.match(line.strip()) for line in text.splitlines())
    return [
        f"{Path(f['file']).name}({f['line']},{f['column']}): {f['said'].strip()}"
        for f in found
        if f and f["level"] == level
    ]


def _objections(text: str, status: int) -> str:
    errors = _findings(text, "Error") or [line.strip() for line in text.splitlines() if line.strip()]
    more = f"; and {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
    return "; ".join(errors[:_MOST_SHOWN]) + more if errors else f"the compiler ended with {status} and said nothing"


def _template(file: Path, text: str) -> Template:
    try:
        template = json.loads(text)
    except ValueError as error:
        raise Broken(f"compiling {file} gave no JSON: {text[:80].strip()!r}") from error
    if not isinstance(template, dict) or "resources" not in template:
        raise Broken(f"compiling {file} gave JSON that is no template")
    return template
