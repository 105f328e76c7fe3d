"""Where one cluster's objects live: one readable JSON file per object, a revision counter, and a short history.

Objects handed out are shared: whoever wants another one makes a copy. Every method may be called from any thread.
"""

import datetime
import json
import logging
import os
import shutil
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

Body = dict[str, Any]
Key = tuple[str, str, str]

_LOG = logging.getLogger(__name__)
_HISTORY = 2000


@dataclass(frozen=True)
class Change:
    """One write: its revision, ADDED, MODIFIED or DELETED, the object after it and the one before."""

    revision: int
    type: str
    resource: str
    object: Body
    before: Body | None


Listener = Callable[[Change], None]


def now() -> str:
    """The present second as the API writes times."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Objects by resource, namespace and name, kept in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.RLock()
        self.revision = 0
        self._objects: dict[Key, Body] = {}
        self._history: deque[Change] = deque(maxlen=_HISTORY)
        self._listeners: list[Listener] = []
        self._folders: set[Path] = set()
        directory.mkdir(parents=True, exist_ok=True)
        self._load()
        self._oldest = self.revision

    def get(self, resource: str, namespace: str, name: str) -> Body | None:
        """The object, or None."""
        with self.lock:
            return self._objects.get((resource, namespace, name))

    def every(self, resource: str, namespace: str = "") -> list[Body]:
        """The objects of a resource, of one namespace when one is given, by namespace and name."""
        with self.lock:
            keys = [k for k in self._objects if k[0] == resource and (not namespace or k[1] == namespace)]
            return [self._objects[key] for key in sorted(keys)]

    def all(self) -> Iterable[tuple[str, Body]]:
        """Every object with its resource."""
        with self.lock:
            return [(key[0], self._objects[key]) for key in sorted(self._objects)]

    def put(self, resource: str, body: Body) -> Body:
        """Keep the object under the next revision, which becomes its resourceVersion."""
        with self.lock:
            self.revision += 1
            metadata = {**body["metadata"], "resourceVersion": str(self.revision)}
            metadata.setdefault("uid", str(uuid.uuid4()))
            kept = {**body, "metadata": metadata}
            key = _key(resource, kept)
            before = self._objects.get(key)
            self._objects[key] = kept
            self._write(self._file(key), kept)
            self._tell(Change(self.revision, "MODIFIED" if before else "ADDED", resource, kept, before))
            return kept

    def remove(self, resource: str, body: Body) -> Body:
        """Drop the object; returns it as it was last, under the revision of its end."""
        with self.lock:
            key = _key(resource, body)
            before = self._objects.pop(key)
            self.revision += 1
            self._write(self.directory / "revision.json", {"revision": self.revision})
            self._file(key).unlink(missing_ok=True)
            last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.revision)}}
            self._tell(Change(self.revision, "DELETED", resource, last, before))
            return last

    def since(self, revision: int) -> list[Change] | None:
        """The writes after a revision, or None when they have been forgotten."""
        with self.lock:
            if revision < self._oldest:
                return None
            return [change for change in self._history if change.revision > revision]

    def as_of(self, revision: int, resource: str, namespace: str = "") -> list[Body] | None:
        """The objects of a resource as they were at a revision, or None when that has been forgotten."""
        with self.lock:
            changes = self.since(revision)
            if changes is None:
                return None
            found = {_key(resource, each): each for each in self.every(resource, namespace)}
            for change in reversed(changes):
                key = _key(resource, change.object)
                if change.resource != resource or namespace not in ("", key[1]):
                    continue
                if change.before is None:
                    found.pop(key, None)
                else:
                    found[key] = change.before
            return [found[key] for key in sorted(found)]

    @property
    def oldest(self) -> int:
        """The oldest revision that can still be watched from."""
        return self._oldest

    def compact(self) -> None:
        """Forget the history, as a real store does every few minutes: older watches expire."""
        with self.lock:
            self._history.clear()
            self._oldest = self.revision

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call the listener after every write; calling what comes back ends that."""
        with self.lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self.lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def clear(self) -> None:
        """Forget everything, on disk too."""
        with self.lock:
            self._objects.clear()
            self.compact()
            self._folders.clear()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _tell(self, change: Change) -> None:
        if len(self._history) == self._history.maxlen:
            self._oldest = self._history[0].revision
        self._history.append(change)
        for listener in list(self._listeners):
            listener(change)

    def _load(self) -> None:
        counter = self.directory / "revision.json"
        self.revision = _read(counter)["revision"] if counter.exists() else 0
        for file in sorted(self.directory.glob("*/*/*.json")):
            try:
                body = _read(file)
            except ValueError:
                _LOG.warning("%s was cut off in the middle of a write; the object is lost", file)
                continue
            self._objects[_key(file.parent.parent.name, body)] = body
            self.revision = max(self.revision, int(body["metadata"]["resourceVersion"]))

    def _file(self, key: Key) -> Path:
        resource, namespace, name = key
        return self.directory / resource / (namespace or "_") / f"{quote(name, safe='')}.json"

    def _write(self, file: Path, body: Body) -> None:
        """Write in place by one call, then cut: faster than a rename, and a reader stops at the end of the value."""
        if file.parent not in self._folders:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(file.parent)
        content = _lines(body).encode()
        handle = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(handle, content)
            os.ftruncate(handle, len(content))
        finally:
            os.close(handle)


def _lines(body: Body) -> str:
    """The object with one line per top-level field, readable and quick to write."""
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in body.items()) + "\n}\n"


def _read(file: Path) -> Body:
    body: Body = json.JSONDecoder().raw_decode(file.read_text())[0]
    return body


def _key(resource: str, body: Body) -> Key:
    return resource, body["metadata"].get("namespace", ""), body["metadata"]["name"]
