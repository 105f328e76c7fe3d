"""Records and documents of a ledger in a container: append blobs and small blobs, each written under a condition.

A record is one append blob, and further ones where the first is full: Azure takes 50,000 appends each. A further one is
named by the length at which it begins, so the parts put together are one record with one length.
"""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from workspace.clients.blobs.container import Container, Later
from workspace.errors import Broken, Refused, WorkspaceError
from workspace.store import Conflict

BLOCKS = 49_000
"""Appends to one blob before the next is begun. Everybody who writes must use the same number at the same time."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
_RECORD = ".jsonl"
_FURTHER = re.compile(r"\.(\d{18})")


@dataclass(frozen=True)
class _Part:
    """One blob of a record: where it begins in the record, and how long it is."""

    name: str
    start: int
    size: int
    blocks: int = 0

    @property
    def end(self) -> int:
        return self.start + self.size


class BlobStore:
    """A ledger's store in a container. Any thread may use it, and any number of processes on any machine."""

    def __init__(self, container: Container, *, blocks: int = BLOCKS) -> None:
        self._container = container
        self._blocks = blocks
        self._guard = threading.Lock()
        self._ends: dict[str, _Part] = {}
        self._notes = Later(self._write_note)

    @property
    def place(self) -> str:
        """The container's address."""
        return self._container.place

    @property
    def is_far(self) -> bool:
        """A container is a journey away."""
        return True

    def read(self, record: str, start: int = 0) -> bytes:
        """The bytes of a record from `start` on; empty when there is none. Broken when it was longer before."""
        parts = self._parts(_checked(record))
        end = parts[-1].end if parts else 0
        if start > end:
            raise Broken(
                f"{record} in {self.place} is {end} bytes long and was {start} before: somebody overwrote or shortened "
                f"it. Nothing is done on its word; bring it back from a copy."
            )
        pieces = (
            self._container.piece(part.name, max(start, part.start) - part.start, part.end - max(start, part.start))
            for part in parts
            if part.end > start
        )
        return b"".join(pieces)

    def append(self, record: str, data: bytes, at: int) -> None:
        """Add to a record and return when it is durable. Raises Conflict when the record is not `at` bytes long."""
        with self._guard:
            part = self._ends.get(_checked(record))
        if part is None or part.end != at:
            part = self._end(record)
            if part.end != at:
                raise Conflict(record)
        if part.blocks >= self._blocks:
            part = _Part(f"{record}.{at:018d}", at, 0)
            self._container.create_record(part.name)
        try:
            blocks = self._container.append(part.name, data, at - part.start)
        except Conflict:
            with self._guard:
                self._ends.pop(record, None)
            raise
        with self._guard:
            self._ends[record] = replace(part, size=part.size + len(data), blocks=blocks)

    def set_aside(self, record: str, at: int) -> str:
        """Broken always: an append is whole or not there, so a torn end was made by somebody else."""
        raise Broken(
            f"{record} in {self.place} ends in the middle of an entry after {at} bytes, which no append leaves behind: "
            f"somebody changed it. Nothing is done on its word; bring it back from a copy."
        )

    def document(self, name: str) -> tuple[bytes, str]:
        """A document and its version; empty both when there is none."""
        self._notes.settle(name)
        return self._container.whole(_checked(name)) or (b"", "")

    def replace(self, name: str, data: bytes, version: str) -> str:
        """Write a document that has this version now, and return the new one; raises Conflict when it has not."""
        return self._container.replace(_checked(name), data, version)

    def note(self, name: str, data: bytes) -> None:
        """Write a document soon, without asking what was there; of several at a time only the newest."""
        self._notes.add(_checked(name), data)

    def records(self) -> tuple[str, ...]:
        """The names of all records, in order."""
        names = (each.name for each in self._container.listed(""))
        return tuple(sorted(name for name in names if name.endswith(_RECORD)))

    def _write_note(self, name: str, data: bytes) -> None:
        try:
            self._container.write(name, data)
        except WorkspaceError:
            # A head that is behind is no fault, the next one is ahead; and where nothing can be written, appends fail.
            return

    def _parts(self, record: str) -> list[_Part]:
        """The blobs of a record in order; broken when they do not follow on each other."""
        parts = sorted(self._found(record), key=lambda part: part.start)
        end = 0
        for part in parts:
            if part.start != end:
                raise Broken(
                    f"{record} in {self.place} should go on with {part.name} after {part.start} bytes, and what is "
                    f"before has {end}: a blob of it was overwritten, shortened or removed. Nothing is done on its "
                    f"word; bring it back from a copy."
                )
            end = part.end
        return parts

    def _found(self, record: str) -> Iterator[_Part]:
        for each in self._container.listed(record):
            if each.name == record:
                yield _Part(each.name, 0, each.size)
            elif further := _FURTHER.fullmatch(each.name.removeprefix(record)):
                yield _Part(each.name, int(further[1]), each.size)

    def _end(self, record: str) -> _Part:
        """The last blob of a record as it is now, made when there is none."""
        parts = self._parts(record)
        if not parts:
            self._container.create_record(record)
            return _Part(record, 0, 0)
        last = parts[-1]
        known = self._container.known(last.name)
        if known is None:
            raise Conflict(record)
        if not known.appendable:
            raise Broken(
                f"{last.name} in {self.place} is not an append blob: somebody put another blob in its place. Bring it "
                f"back from a copy, then run again."
            )
        return replace(last, size=known.size, blocks=known.blocks)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} is no name of a record or document: letters, digits, '.', '_' and '-' make one")
    return name
