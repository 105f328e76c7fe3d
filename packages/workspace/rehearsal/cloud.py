"""The one store of resources every stand-in reads and writes: what the rehearsal's cloud holds.

A resource is kept under its Azure id, compared without regard to case, as one readable JSON file per resource, so the
state can be looked at with `find` and reset by deleting the directory. Two tools that name the same id meet here.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
Listener = Callable[[str, Resource | None], None]

_UNSAFE = re.compile(r"[^A-Za-z0-9._@-]")


@dataclass(frozen=True)
class ResourceId:
    """An Azure id taken apart: subscription, group, full type (`Microsoft.Web/sites/slots`) and dotted name parts."""

    subscription: str
    group: str
    type: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last part of the name."""
        return self.names[-1] if self.names else self.group


@lru_cache(maxsize=4096)
def parse(resource_id: str) -> ResourceId:
    """Take an Azure id apart; a group's own id has the type `Microsoft.Resources/resourceGroups`.

    Only the last provider counts (extension resources). Raises ValueError for what is no id.
    """
    parts = [part for part in resource_id.split("/") if part]
    if len(parts) < 2 or parts[0].lower() != "subscriptions":
        raise ValueError(f"{resource_id!r} is not an Azure resource id")
    group = parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else ""
    places = [index for index, part in enumerate(parts) if part.lower() == "providers"]
    if not places:
        if not group:
            return ResourceId(parts[1], "", "Microsoft.Resources/subscriptions", (parts[1],))
        return ResourceId(parts[1], group, "Microsoft.Resources/resourceGroups", (group,))
    rest = parts[places[-1] + 1 :]
    if not rest:
        raise ValueError(f"{resource_id!r} is not an Azure resource id")
    return ResourceId(parts[1], group, "/".join([rest[0], *rest[1::2]]), tuple(rest[2::2]))


def _by_id(item: tuple[str, Resource]) -> str:
    return item[0]


def _copy(value: Any) -> Any:
    """A copy of JSON; `copy.deepcopy`, which is ready for anything, takes several times as long."""
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_copy(each) for each in value]
    if isinstance(value, tuple):
        return tuple(_copy(each) for each in value)
    return value


class Cloud:
    """Resources by id, kept in a directory. Every method may be called from any thread; values are copies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.RLock()
        self._resources: dict[str, Resource] = {}
        self._listeners: list[Listener] = []
        directory.mkdir(parents=True, exist_ok=True)
        for file in sorted(directory.rglob("*.json")):
            resource = json.loads(file.read_text())
            self._resources[resource["id"].lower()] = resource

    def get(self, resource_id: str) -> Resource | None:
        """The resource, or None."""
        with self._lock:
            found: Resource | None = _copy(self._resources.get(resource_id.rstrip("/").lower()))
        return found

    def put(self, resource: Resource) -> Resource:
        """Create or replace the resource whose `id` is given; returns what is kept."""
        kept: Resource = _copy(resource)
        with self._lock:
            self._resources[kept["id"].rstrip("/").lower()] = kept
            file = self._file(kept["id"])
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            partial.write_text(json.dumps(kept, indent=1))
            partial.chmod(0o600)
            partial.replace(file)
        self._tell(kept["id"], kept)
        told: Resource = _copy(kept)
        return told

    def delete(self, resource_id: str) -> bool:
        """Remove the resource and everything under it; False when there was none."""
        prefix = resource_id.rstrip("/").lower()
        with self._lock:
            doomed = [r for key, r in self._resources.items() if key == prefix or key.startswith(prefix + "/")]
            for resource in doomed:
                del self._resources[resource["id"].rstrip("/").lower()]
                self._file(resource["id"]).unlink(missing_ok=True)
        for resource in doomed:
            self._tell(resource["id"], None)
        return bool(doomed)

    def under(self, prefix: str, kind: str = "") -> Iterator[Resource]:
        """Resources below an id, of one full type when `kind` is given, sorted by id."""
        return iter(self._copies(prefix.rstrip("/").lower() + "/", kind))

    def all(self, kind: str = "") -> Iterator[Resource]:
        """Every resource, of one full type when `kind` is given, sorted by id."""
        return iter(self._copies("", kind))

    def _copies(self, start: str, kind: str) -> list[Resource]:
        # copying is what costs, so what is not wanted is not copied
        wanted = kind.lower()
        with self._lock:
            return [
                _copy(resource)
                for key, resource in sorted(self._resources.items(), key=_by_id)
                if key.startswith(start) and (not wanted or parse(resource["id"]).type.lower() == wanted)
            ]

    def listen(self, listener: Listener) -> None:
        """Call `listener(id, resource or None)` after every change."""
        self._listeners.append(listener)

    def _tell(self, resource_id: str, resource: Resource | None) -> None:
        for listener in list(self._listeners):
            listener(resource_id, _copy(resource))

    def _file(self, resource_id: str) -> Path:
        parts = [_UNSAFE.sub("_", part) for part in resource_id.lower().split("/") if part]
        return self._directory.joinpath(*parts[:-1], parts[-1] + ".json")
