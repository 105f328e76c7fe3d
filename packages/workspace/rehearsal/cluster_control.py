"""What keeps a cluster moving: a thread that looks at an object whenever something about it changed or is due."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from workspace.rehearsal.cluster_select import matches
from workspace.rehearsal.cluster_status import Rejected
from workspace.rehearsal.cluster_store import Change, now
from workspace.rehearsal.cluster_verbs import Server

Body = dict[str, Any]
Key = tuple[str, str, str]

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 0.1
_STUMBLE_SECONDS = 1.0


class FindsFaults(Protocol):
    """What tells a stand-in to do something wrong."""

    def find(self, point: str, subject: str) -> Any:
        """The fault in force for this point and subject, or None."""


@dataclass(frozen=True, eq=False)
class Place:
    """One cluster as its controllers see it: the server, the pace of things, and the world outside."""

    group: str
    name: str
    server: Server
    pace: float
    deadline_scale: float
    faults: FindsFaults
    pulls: Callable[[str], Any]
    address: Callable[[str], str]
    issue: Callable[[list[str]], str]
    cert_manager_must_run: bool
    ingress_classes: tuple[str, ...]

    def subject(self, what: str) -> str:
        """A name for something of this cluster that no other cluster has."""
        return f"{self.group}/{self.name}/{what}"


Reconciler = Callable[[Place, str, str], float | None]


class Controllers:
    """Runs reconcilers for every attached cluster in one thread.

    A reconciler gets a place, a namespace and a name, brings the object a step nearer to what it should be, and
    returns after how many seconds to look again even if nothing changes.
    """

    def __init__(
        self, reconcilers: Mapping[str, Reconciler], related: Callable[[Place, Change], Iterable[Key]]
    ) -> None:
        self._reconcilers = reconcilers
        self._related = related
        self._wake = threading.Condition()
        self._due: dict[tuple[Place, Key], float] = {}
        self._heap: list[tuple[float, int, tuple[Place, Key]]] = []
        self._order = itertools.count()
        self._stops: dict[Place, Callable[[], None]] = {}
        self._closed = False
        self._thread: threading.Thread | None = None

    def attach(self, place: Place) -> None:
        """Look after this cluster, starting with a look at everything in it."""
        self._stops[place] = place.server.store.listen(lambda change: self._hear(place, change))
        for kind in place.server.kinds.all():
            for body in place.server.store.every(kind.resource):
                self._push(place, (kind.kind, body["metadata"].get("namespace", ""), body["metadata"]["name"]), 0)
        self._push(place, ("Garbage", "", ""), 0)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cluster-controllers", daemon=True)
            self._thread.start()

    def detach(self, place: Place) -> None:
        """Look after this cluster no more."""
        self._stops.pop(place, lambda: None)()

    def close(self) -> None:
        """Stop; a second call does nothing."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _hear(self, place: Place, change: Change) -> None:
        for key in self._related(place, change):
            self._push(place, key, 0)

    def _push(self, place: Place, key: Key, seconds: float) -> None:
        if key[0] not in self._reconcilers:
            return
        due, entry = time.monotonic() + seconds, (place, key)
        with self._wake:
            if self._due.get(entry, float("inf")) <= due:
                return
            self._due[entry] = due
            heapq.heappush(self._heap, (due, next(self._order), entry))
            self._wake.notify_all()

    def _next(self) -> tuple[Place, Key] | None:
        with self._wake:
            while not self._closed:
                while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
                    heapq.heappop(self._heap)
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                if left is not None and left <= 0:
                    entry = heapq.heappop(self._heap)[2]
                    del self._due[entry]
                    return entry
                self._wake.wait(left)
        return None

    def _run(self) -> None:
        while True:
            entry = self._next()
            if entry is None:
                return
            place, key = entry
            if place not in self._stops:
                continue
            again = self._reconcile(place, key)
            if again is not None:
                self._push(place, key, again)

    def _reconcile(self, place: Place, key: Key) -> float | None:
        kind, namespace, name = key
        try:
            return self._reconcilers[kind](place, namespace, name)
        except Rejected as rejected:
            _LOG.debug("%s %s/%s of %s waits: %s", kind, namespace, name, place.name, rejected.message)
            return _RETRY_SECONDS
        except Exception:
            _LOG.exception("the controller of %s stumbled over %s/%s in %s", kind, namespace, name, place.name)
            return _STUMBLE_SECONDS


def conditioned(present: Iterable[Body], kind: str, status: str, reason: str, message: str, **extra: Any) -> list[Body]:
    """The conditions with this one set; its transition time moves only when its status does."""
    listed = list(present)
    before = next((each for each in listed if each["type"] == kind), None)
    same = before is not None and before["status"] == status
    moment = before["lastTransitionTime"] if before and same else now()
    fresh = {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": moment,
        **extra,
    }
    if before is None:
        return [*listed, fresh]
    return [fresh if each is before else each for each in listed]


def condition(body: Body, kind: str) -> Body:
    """The condition of an object, or an empty one."""
    found = (each for each in body.get("status", {}).get("conditions", []) if each["type"] == kind)
    return next(found, {})


def holds(body: Body, kind: str) -> bool:
    """Whether a condition is True."""
    return bool(condition(body, kind).get("status") == "True")


def owner(body: Body, kind: str, block: bool = True) -> Body:
    """The reference by which this object owns another as its controller."""
    return {
        "apiVersion": body["apiVersion"],
        "kind": kind,
        "name": body["metadata"]["name"],
        "uid": body["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": block,
    }


def owned(server: Server, kind: str, parent: Body) -> list[Body]:
    """The objects of a kind this one controls."""
    uid, namespace = parent["metadata"]["uid"], parent["metadata"].get("namespace", "")
    return [body for body in server.every(kind, namespace) if _controller_uid(body) == uid]


def adopt(server: Server, kind: str, parent: Body, parent_kind: str) -> None:
    """Make this the controller of the objects of a kind that its selector means and that have none."""
    if parent["metadata"].get("deletionTimestamp"):
        return
    for body in server.every(kind, parent["metadata"].get("namespace", "")):
        metadata = body["metadata"]
        free = _controller_uid(body) is None and not metadata.get("deletionTimestamp")
        if free and matches(parent["spec"].get("selector"), metadata.get("labels")):
            server.change(kind, body, lambda live: _given(live, owner(parent, parent_kind)))


def _given(live: Body, reference: Body) -> Body:
    live["metadata"]["ownerReferences"] = [*(live["metadata"].get("ownerReferences") or []), reference]
    return live


def _controller_uid(body: Body) -> str | None:
    references = body["metadata"].get("ownerReferences") or []
    return next((each["uid"] for each in references if each.get("controller")), None)


def compact(values: Body) -> Body:
    """The status without the zeros and empties that Kubernetes leaves out."""
    return {name: value for name, value in values.items() if value not in (0, None, [], {}, "")}
