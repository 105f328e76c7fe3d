"""Operations that take their time: accepted at once, asked about until they are over."""

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workspace.rehearsal.arm_answers import Refusal, phrase

NEVER = float("inf")


@dataclass
class Operation:
    """One operation: when it will be over, and what is answered then."""

    status: int = 200
    body: Any = None
    seconds: float = 0.0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    began: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """True once its time has passed."""
        return time.monotonic() - self.began >= self.seconds

    @property
    def state(self) -> str:
        """`InProgress`, `Succeeded` or `Failed`, as a status poll words it."""
        if not self.is_over:
            return "InProgress"
        return "Failed" if self.status >= 400 else "Succeeded"


class Operations:
    """The operations of one stand-in, by id. Calls may come from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: dict[str, Operation] = {}

    def begin(self, operation: Operation) -> Operation:
        """Remember an operation so that it can be asked about."""
        with self._lock:
            self._operations[operation.id] = operation
        return operation

    def location(self, request: Request, subscription: str, operation: Operation) -> dict[str, str]:
        """The header of an answer whose outcome is fetched at another address."""
        place = f"/subscriptions/{subscription}/operationresults/{operation.id}"
        return {"Location": f"{_base(request)}{place}{_version(request)}"}

    def status_header(
        self, request: Request, subscription: str, namespace: str, operation: Operation
    ) -> dict[str, str]:
        """The header of an answer whose progress is told at another address."""
        place = (
            f"/subscriptions/{subscription}/providers/{namespace}/locations/rehearsal/operationStatuses/{operation.id}"
        )
        return {"Azure-AsyncOperation": f"{_base(request)}{place}{_version(request)}"}

    def result(self, request: Request, subscription: str, operation_id: str) -> Response:
        """What `Location` answers: 202 until it is over, then the outcome itself."""
        operation = self._find(operation_id)
        if not operation.is_over:
            return Response(status_code=202, headers=self.location(request, subscription, operation))
        if operation.body is None:
            return Response(status_code=operation.status)
        return JSONResponse(operation.body, operation.status)

    def status(self, operation_id: str) -> Response:
        """What `Azure-AsyncOperation` answers: always 200, with the state inside."""
        operation = self._find(operation_id)
        told: dict[str, Any] = {"name": operation.id, "status": operation.state}
        if operation.state == "Failed":
            told["error"] = (operation.body or {}).get("error") or {"code": phrase(operation.status)}
        return JSONResponse(told)

    def _find(self, operation_id: str) -> Operation:
        with self._lock:
            found = self._operations.get(operation_id)
        if found is None:
            raise Refusal(404, "NotFound", f"The operation '{operation_id}' could not be found.")
        return found


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _version(request: Request) -> str:
    return f"?api-version={request.query_params.get('api-version', '2025-04-01')}"
