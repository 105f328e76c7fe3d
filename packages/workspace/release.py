"""What travels: the content addresses that were proven together, moved onward as one unit."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.errors import Refused
from workspace.inputs import fingerprint


@dataclass(frozen=True)
class Release:
    """Parts by node id (`chain-image` → `sha256:…`), the digest of the definitions, and where it was built.

    Two releases with the same content have the same id, whatever they are called and whenever they were made.
    """

    parts: Mapping[str, str]
    definitions: str
    built_in: str

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the digest of everything in it."""
        return fingerprint({"parts": dict(self.parts), "definitions": self.definitions})[:12]

    def part(self, node: str) -> str:
        """The content address for one node; refused when the release does not carry it."""
        if node not in self.parts:
            raise Refused(f"Release {self.id} carries nothing for {node}; promote {self.built_in} again to build it.")
        return self.parts[node]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the ledger and for people."""
        return {
            "id": self.id,
            "built_in": self.built_in,
            "definitions": self.definitions,
            "parts": dict(sorted(self.parts.items())),
        }


def from_json(value: Mapping[str, Any]) -> Release:
    """The release that `as_json` wrote; refused when its id does not fit its content."""
    release = Release(parts=dict(value["parts"]), definitions=value["definitions"], built_in=value["built_in"])
    if release.id != value["id"]:
        raise Refused(f"Release {value['id']} is not what its id says (it is {release.id}); the record was altered.")
    return release


def digest_of(folders: Iterable[Path]) -> str:
    """One digest over all files below the folders: their relative names and their bytes, hidden files left out."""
    total = hashlib.sha256()
    for folder in folders:
        for file in sorted(each for each in folder.rglob("*") if each.is_file() and not _hidden(each, folder)):
            total.update(f"{folder.name}/{file.relative_to(folder)}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
