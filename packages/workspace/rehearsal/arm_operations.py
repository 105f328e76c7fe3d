"""Operations that take their time: accepted at once, asked about until they are over, in each of Azure's ways."""

import datetime
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workspace.rehearsal.arm_answers import Json, Refusal, phrase

NEVER = float("inf")
_RETRY = {"Retry-After": "0"}
"""Azure names 10 or 15 seconds; nobody has to wait so long for what takes a moment here."""


@dataclass
class Operation:
    """One operation: when it will be over, and what is answered then.

    `subject` is the id of what is under way; `last` is done once, at the end and before anybody is told of it.
    """

    status: int = 200
    body: Any = None
    seconds: float = 0.0
    subject: str = ""
    doing: str = "Creating"
    last: Callable[[], object] | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: float = field(default_factory=time.monotonic)
    since: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    _concluding: threading.RLock = field(default_factory=threading.RLock)

    @property
    def is_over(self) -> bool:
        """True once its time has passed."""
        return time.monotonic() - self.began >= self.seconds

    def conclude(self) -> None:
        """Do what is done at the end, unless it is done; whoever comes second waits for whoever came first."""
        with self._concluding:
            last, self.last = self.last, None
            if last is not None:
                last()

    @property
    def state(self) -> str:
        """`InProgress`, `Succeeded` or `Failed`, as a status poll words it."""
        if not self.is_over:
            return "InProgress"
        return "Failed" if self.status >= 400 else "Succeeded"


class Operations:
    """The operations of one stand-in, by id and by subject. Calls may come from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: dict[str, Operation] = {}
        self._subjects: dict[str, Operation] = {}

    def begin(self, operation: Operation) -> Operation:
        """Remember an operation so that it can be asked about."""
        with self._lock:
            self._operations[operation.id] = operation
            if operation.subject:
                self._subjects[operation.subject.lower()] = operation
        if operation.last is not None and operation.seconds != NEVER:
            _in(operation.seconds, operation.conclude)
        return operation

    def on(self, resource_id: str) -> Operation | None:
        """What is still under way with a resource."""
        with self._lock:
            found = self._subjects.get(resource_id.lower())
        return found if found is not None and not found.is_over else None

    def forget(self, resource_id: str) -> None:
        """Stop thinking of a resource that is gone, and of all below it."""
        prefix = resource_id.lower()
        with self._lock:
            for each in [s for s in self._subjects if s == prefix or s.startswith(f"{prefix}/")]:
                del self._subjects[each]

    def shown(self, resource: Json) -> Json:
        """A resource with the state it has while something is under way with it."""
        operation = self.on(resource["id"])
        if operation is None:
            return resource
        return {**resource, "properties": {**resource.get("properties", {}), "provisioningState": operation.doing}}

    def location(
        self, request: Request, subscription: str, operation: Operation, namespace: str = ""
    ) -> dict[str, str]:
        """The headers of an answer whose outcome is fetched at another address: a provider's, or Resource Manager's."""
        place = f"/subscriptions/{subscription}"
        place += f"/providers/{namespace}/locations/rehearsal" if namespace else ""
        return {"Location": f"{_base(request)}{place}/operationresults/{operation.id}{_version(request)}", **_RETRY}

    def status_header(
        self, request: Request, subscription: str, namespace: str, operation: Operation
    ) -> dict[str, str]:
        """The headers of an answer whose progress is told at another address."""
        place = (
            f"/subscriptions/{subscription}/providers/{namespace}/locations/rehearsal/operationStatuses/{operation.id}"
        )
        return {"Azure-AsyncOperation": f"{_base(request)}{place}{_version(request)}", **_RETRY}

    def result(self, request: Request, operation_id: str) -> Response:
        """What `Location` answers: 202 until it is over, then the outcome itself."""
        operation = self._find(operation_id)
        if not operation.is_over:
            return Response(status_code=202, headers={"Location": str(request.url), **_RETRY})
        if operation.body is None:
            return Response(status_code=operation.status)
        return JSONResponse(operation.body, operation.status)

    def status(self, operation_id: str) -> Response:
        """What `Azure-AsyncOperation` answers: always 200, with the state inside."""
        operation = self._find(operation_id)
        told: dict[str, Any] = {"name": operation.id, "status": operation.state, "startTime": _moment(operation.since)}
        if operation.is_over:
            told["endTime"] = _moment(operation.since + datetime.timedelta(seconds=operation.seconds))
        if operation.state == "Failed":
            told["error"] = (operation.body or {}).get("error") or {"code": phrase(operation.status)}
        return JSONResponse(told)

    def _find(self, operation_id: str) -> Operation:
        with self._lock:
            found = self._operations.get(operation_id)
        if found is None:
            raise Refusal(404, "NotFound", f"The operation '{operation_id}' could not be found.")
        if found.is_over:
            found.conclude()
        return found


def _in(seconds: float, work: Callable[[], object]) -> None:
    if not seconds:
        work()
        return
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _version(request: Request) -> str:
    return f"?api-version={request.query_params.get('api-version', '2025-04-01')}"


def _moment(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
