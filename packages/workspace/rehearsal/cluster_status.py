"""How the cluster API says no: the Status object in the words of a Kubernetes API server."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """One field that is wrong: its path, the word for how (`FieldValueInvalid`), and the sentence about it."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class Rejected(Exception):
    """An answer other than success, with all that its Status object says."""

    def __init__(
        self, code: int, reason: str, message: str, details: Body | None = None, metadata: Body | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details
        self.metadata = metadata or {}

    def body(self) -> Body:
        """The Status object."""
        status: Body = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return {**status, "code": self.code}


def not_found(group: str, plural: str, name: str) -> Rejected:
    """The object is not there."""
    details = _details(group, plural, name)
    return Rejected(404, "NotFound", f'{qualified(plural, group)} "{name}" not found', details)


def exists(group: str, plural: str, name: str) -> Rejected:
    """An object of that name is already there."""
    message = f'{qualified(plural, group)} "{name}" already exists'
    return Rejected(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str) -> Rejected:
    """The object is no longer what the writer believes."""
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return Rejected(409, "Conflict", message, _details(group, plural, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Cause] = ()) -> Rejected:
    """Admission refuses it: a quota, a missing service account, a namespace that goes away."""
    message = f'{qualified(plural, group)} "{name}" is forbidden: {why}'
    details = _details(group, plural, name)
    return Rejected(403, "Forbidden", message, {**details, "causes": _listed(causes)} if causes else details)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Rejected:
    """Some fields are wrong; every one is named."""
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    words = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    details = {"name": name, "group": group, "kind": kind, "causes": _listed(causes)}
    message = f'{qualified(kind, group)} "{name}" is invalid: {words}'
    return Rejected(422, "Invalid", message, {key: value for key, value in details.items() if value})


def _listed(causes: Sequence[Cause]) -> list[Body]:
    return [{"reason": each.reason, "message": each.message, "field": each.field} for each in causes]


def bad_request(message: str) -> Rejected:
    """The request makes no sense."""
    return Rejected(400, "BadRequest", message)


def expired(message: str, metadata: Body | None = None) -> Rejected:
    """The version asked about has been forgotten; the metadata may say how to go on."""
    return Rejected(410, "Expired", message, None, metadata)


def unsupported(accepted: Sequence[str]) -> Rejected:
    """The body is in a language this resource does not take."""
    said = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {said}"
    return Rejected(415, "UnsupportedMediaType", message)


def no_such_resource() -> Rejected:
    """The group is served, the resource is not."""
    return Rejected(404, "NotFound", "the server could not find the requested resource", {})


def internal(message: str) -> Rejected:
    """Something behind the API failed."""
    said = f"Internal error occurred: {message}"
    return Rejected(500, "InternalError", said, {"causes": [{"message": message}]})


def qualified(name: str, group: str) -> str:
    """`deployments.apps`, or just `pods` for the core group."""
    return f"{name}.{group}" if group else name


def shown(value: Any) -> str:
    """A value as error messages since 1.34 print it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _details(group: str, plural: str, name: str) -> Body:
    return {"name": name, "group": group, "kind": plural} if group else {"name": name, "kind": plural}
