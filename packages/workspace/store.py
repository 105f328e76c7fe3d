"""Where durable records are kept: only whoever knows what was last there may add to it or replace it.

A *record* grows at its end and never changes before it; a *document* is small and replaced whole. Both are
compare-and-set, which is all that a ledger and its leases need, whether the store is a folder or a blob container.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from workspace.errors import Broken

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


class Conflict(Exception):
    """Somebody else wrote since; nothing was written now."""


class Store(Protocol):
    """A few records and documents by name. Calls may come from any thread; Broken when the store cannot be used."""

    @property
    def place(self) -> str:
        """Where it is, for messages to people."""

    @property
    def is_far(self) -> bool:
        """True where each write costs a journey, so that what need not be durable at once is better gathered."""

    def read(self, record: str, start: int = 0) -> bytes:
        """The bytes of a record from `start` on; empty when there is none."""

    def append(self, record: str, data: bytes, at: int) -> None:
        """Add to a record and return when it is durable. Raises Conflict when the record is not `at` bytes long."""

    def set_aside(self, record: str, at: int) -> str:
        """Take what follows the first `at` bytes out of the record, keep it elsewhere and return where.

        What a crash tore is set aside, never lost; a store whose appends are whole has nothing to set aside.
        """

    def document(self, name: str) -> tuple[bytes, str]:
        """A document and its version; empty both when there is none."""

    def replace(self, name: str, data: bytes, version: str) -> str:
        """Write a document that has this version now, and return the new one; raises Conflict when it has not."""

    def note(self, name: str, data: bytes) -> None:
        """Write a document without asking what was there; it need not be durable at once, only soon."""

    def records(self) -> tuple[str, ...]:
        """The names of all records, in order."""


class Folder:
    """A store in a folder of this machine (mode 0700): a file each, forced to disk before a call returns.

    Processes that share the folder see each other's writes in order; each write is alone through a lock on the file.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        self._directory = directory
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._directory)

    @property
    def is_far(self) -> bool:
        """A folder is at hand."""
        return False

    def read(self, record: str, start: int = 0) -> bytes:
        """The bytes of a record from `start` on; empty when there is none."""
        file = self._file(record)
        with self._translated(file):
            try:
                with file.open("rb") as opened:
                    opened.seek(start)
                    return opened.read()
            except FileNotFoundError:
                return b""

    def append(self, record: str, data: bytes, at: int) -> None:
        """Add to a record and return when it is durable. Raises Conflict when the record is not `at` bytes long.

        When it cannot be written whole (the disk is full) it is not written at all.
        """
        with self._alone(record) as (file, descriptor):
            if os.fstat(descriptor).st_size != at:
                raise Conflict(record)
            try:
                _write(descriptor, data, at)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, at)
                raise
            if at == 0:
                _sync_folder(file.parent)

    def set_aside(self, record: str, at: int) -> str:
        """Take what follows the first `at` bytes out of the record into a file beside it, and return its name."""
        with self._alone(record) as (file, descriptor):
            torn = os.pread(descriptor, os.fstat(descriptor).st_size, at)
            aside = file.with_name(f"{file.name}.torn-{at}-{hashlib.sha256(torn).hexdigest()[:8]}")
            kept = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
            try:
                _write(kept, torn, 0)
            finally:
                os.close(kept)
            os.ftruncate(descriptor, at)
            os.fsync(descriptor)
            return str(aside)

    def document(self, name: str) -> tuple[bytes, str]:
        """A document and its version; empty both when there is none."""
        file = self._file(name)
        with self._translated(file):
            try:
                data = file.read_bytes()
            except FileNotFoundError:
                return b"", ""
        return data, _version(data)

    def replace(self, name: str, data: bytes, version: str) -> str:
        """Write a document that has this version now, and return the new one; raises Conflict when it has not."""
        # The lock is on a file of its own: the document itself is replaced by another file.
        with self._alone(f"{name}.lock") as (lock, _):
            file = lock.with_name(name)
            if self.document(name)[1] != version:
                raise Conflict(name)
            partial = file.with_name(f"{name}.partial")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
            try:
                _write(descriptor, data, 0)
            finally:
                os.close(descriptor)
            partial.replace(file)
            _sync_folder(file.parent)
        return _version(data)

    def note(self, name: str, data: bytes) -> None:
        """Write a document without asking what was there; the system brings it to disk when it likes."""
        with self._alone(name) as (_, descriptor):
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))

    def records(self) -> tuple[str, ...]:
        """The names of all records, in order."""
        with self._translated(self._directory):
            return tuple(sorted(each.name for each in self._directory.glob("*.jsonl")))

    def _file(self, name: str) -> Path:
        return self._directory / name

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[tuple[Path, int]]:
        """The open file of that name, ours alone among the threads and processes of this machine."""
        file = self._file(name)
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock, self._translated(file):
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield file, descriptor
            finally:
                # Not left to closing: a child that another thread starts at this moment holds the file, too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    @contextlib.contextmanager
    def _translated(self, file: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Broken(
                f"{file} cannot be used: {error.strerror or error}; nothing further is done without it. Make room or "
                f"mend the folder, then run again."
            ) from error


def _write(descriptor: int, data: bytes, at: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], at + done)
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable, not only its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
