"""The directory a rehearsal keeps its state in: who holds it, what is in it, and how it is emptied."""

import fcntl
import fnmatch
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.rehearsal.arm_answers import visible
from workspace.rehearsal.cloud import Resource, parse

_LOCK = "running"
_KEPT = ("settings.json", "by-hand.json", "faults.json", _LOCK)
"""What a person wrote, or is meant to write: emptying the state leaves it."""


class InUse(Exception):
    """A rehearsal runs on this directory already."""


class Claim:
    """This directory, held until closed, so that two rehearsals never write into one. Raises InUse."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = (directory / _LOCK).open("a+")
        try:
            # the lock goes with the process, however it ends
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            who = self._file.read().strip()
            self._file.close()
            raise InUse(f"A rehearsal is running on {directory}" + (f" (process {who})." if who else ".")) from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def close(self) -> None:
        """Let go; a second call does nothing."""
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()


@dataclass(frozen=True)
class Held:
    """One resource as a person wants to see it: nothing that is secret."""

    group: str
    type: str
    name: str
    location: str
    state: str
    maker: str
    resource: Resource


def resources(directory: Path, chosen: str = "*") -> list[Held]:
    """The resources of the cloud whose id fits a glob, by group, type and name."""
    kept = [json.loads(file.read_text()) for file in sorted((directory / "cloud").rglob("*.json"))]
    fitting = [each for each in kept if fnmatch.fnmatch(each["id"].lower(), chosen.lower())]
    return sorted(map(_held, fitting), key=lambda each: (each.group, each.type, each.name))


def _held(resource: Resource) -> Held:
    place = parse(resource["id"])
    properties: dict[str, Any] = resource.get("properties") or {}
    terraform = (resource.get("_terraform") or {}).get("type", "")
    return Held(
        group=place.group or "(subscription)",
        type=place.type,
        name="/".join(place.names) or place.group,
        location=str(resource.get("location") or ""),
        state=str(properties.get("provisioningState") or properties.get("state") or ""),
        maker=terraform or "Resource Manager",
        resource=visible(resource),
    )


def folders(directory: Path) -> Iterator[tuple[str, int, int]]:
    """What else the directory holds: each folder's name, how many files, how many bytes."""
    for folder in sorted(each for each in directory.iterdir() if each.is_dir()):
        files = [each for each in folder.rglob("*") if each.is_file()]
        yield folder.name, len(files), sum(each.stat().st_size for each in files)


def empty(directory: Path) -> list[str]:
    """Forget everything but what a person wrote; the names of what went. Raises InUse while a rehearsal runs."""
    claim = Claim(directory)
    try:
        doomed = sorted(each for each in directory.iterdir() if each.name not in _KEPT)
        for each in doomed:
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
    finally:
        claim.close()
    return [each.name for each in doomed]
