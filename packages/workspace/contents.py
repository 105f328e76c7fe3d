"""Files kept by what is in them where everybody of a team can reach them."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class File:
    """A file that is kept: its bytes, when it was put there or used last by the store's clock, and as which version."""

    name: str
    size: int
    used: datetime.datetime
    version: str


class Contents(Protocol):
    """Files by name, each written once; the name is made from the content, which whoever fetches it checks."""

    @property
    def place(self) -> str:
        """Where it is, for messages to people."""

    def has(self, name: str) -> bool:
        """True when there is a file of that name; what is in it was not looked at."""

    def put(self, name: str, file: Path) -> bool:
        """Keep a file unless there is one of that name already: False then, and nothing is written."""

    def fetch(self, name: str, into: Path) -> bool:
        """Write the file of that name to a path of this machine; False when there is none."""

    def use(self, name: str) -> bool:
        """Mark a file as used now, so that nobody prunes it; False when there is none."""

    def files(self) -> tuple[File, ...]:
        """All files, by name."""

    def remove(self, file: File) -> bool:
        """Remove a file that was not used since it was listed; False when it was."""

    def url(self, name: str) -> str:
        """An address at which Azure can fetch the file for a while; it may hold a signature and is shown nowhere."""
