"""A stand-in for the `bicep` program: compiles the part of the language that this workspace and most templates use.

`python -m workspace.rehearsal.bicep build FILE --stdout` prints the template that the real compiler would print. What
the subset does not know is refused with its place, never left out.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workspace.rehearsal.bicep_emit import Emitter
from workspace.rehearsal.bicep_parser import parse
from workspace.rehearsal.bicep_tokens import BicepError, Source

__all__ = ["BicepError", "compile", "install", "main"]

VERSION = "Bicep CLI version 0.0.0 (rehearsal subset)"
_USAGE = "Usage: bicep build FILE (--stdout | --outfile PATH) | bicep lint FILE | bicep --version\n"


def compile(file: Path, *, symbolic: bool = False) -> dict[str, Any]:
    """The ARM template of a Bicep file and its modules; raises BicepError at the first thing it refuses.

    With `symbolic` resources keep their names in the template, as the real compiler does when types ask for it.
    """
    return _compiled(file, symbolic, ())


def _compiled(file: Path, symbolic: bool, above: tuple[Path, ...]) -> dict[str, Any]:
    source = Source(str(file), file.read_bytes().decode("utf-8-sig"))
    here = file.resolve()
    if here in above:
        raise source.error(0, "BCP095", f'The file is involved in a cycle ("{here.name}").')

    def load(path: str) -> dict[str, Any]:
        return _module(file.parent / path, symbolic, (*above, here))

    return Emitter(parse(source), load, symbolic=symbolic).template()


def _module(file: Path, symbolic: bool, above: tuple[Path, ...]) -> dict[str, Any]:
    if not file.is_file():
        raise FileNotFoundError(f"Could not find file '{file}'")
    if file.suffix.lower() in (".json", ".jsonc"):
        template: dict[str, Any] = json.loads(file.read_text())
        return template
    return _compiled(file, symbolic, above)


def install(folder: Path) -> Path:
    """Write an executable `bicep` into a folder meant for PATH; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / "bicep"
    packages = Path(__file__).resolve().parents[2]
    launcher.touch(mode=0o700)
    launcher.write_text(
        "#!/bin/sh\n"
        "# The rehearsal's bicep: a subset compiler, not Microsoft's.\n"
        f'PYTHONPATH="{packages}${{PYTHONPATH:+:$PYTHONPATH}}" '
        f'exec "{sys.executable}" -m workspace.rehearsal.bicep "$@"\n'
    )
    launcher.chmod(0o700)
    return launcher


def main(arguments: Sequence[str]) -> int:
    """The program: 0 when the file compiles, 1 with the reasons on standard error when not."""
    if list(arguments) in (["--version"], ["-v"]):
        sys.stdout.write(VERSION + "\n")
        return 0
    try:
        command = _command(list(arguments))
    except ValueError as error:
        sys.stderr.write(f"{error}\n{_USAGE}")
        return 1
    return _build(*command)


def _command(arguments: list[str]) -> tuple[Path, Path | None, bool]:
    """The file, where to write (None for nowhere) and whether to print; options may stand before or after the file."""
    name = arguments.pop(0) if arguments else ""
    if name not in ("build", "lint"):
        raise ValueError(f"Unrecognized command {name!r}")
    prints = "--stdout" in arguments
    rest = [each for each in arguments if each not in ("--stdout", "--no-restore")]
    target = ""
    if "--outfile" in rest[:-1]:
        place = rest.index("--outfile")
        target = rest[place + 1]
        del rest[place : place + 2]
    if len(rest) != 1 or rest[0].startswith("-") or (prints and target) or (name == "lint" and (prints or target)):
        raise ValueError(f"Unrecognized parameters {arguments}")
    file = Path(rest[0])
    return file, None if prints or name == "lint" else Path(target or file.with_suffix(".json")), prints


def _build(file: Path, target: Path | None, prints: bool) -> int:
    try:
        text = json.dumps(compile(file), indent=2, ensure_ascii=False) + "\n"
    except (BicepError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if prints:
        sys.stdout.write(text)
    if target:
        target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
