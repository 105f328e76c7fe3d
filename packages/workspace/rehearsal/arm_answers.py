"""What Azure Resource Manager answers: the shapes of its errors, and resources without what is private here."""

import json
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

Json = dict[str, Any]


class Refusal(Exception):
    """An error answer: HTTP status, code and message, as the real service words them."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        bare: bool = False,
        details: Sequence[Json] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})
        self.bare, self.details = bare, list(details)

    @property
    def body(self) -> Json:
        """The error in Resource Manager's own dialect, or bare as DNS and AKS write it."""
        told: Json = {"code": self.code, "message": self.message}
        if self.details:
            told["details"] = self.details
        return told if self.bare else {"error": told}

    def response(self) -> Response:
        """The same as an HTTP answer."""
        return JSONResponse(self.body, self.status, headers=self.headers)


DIALECTS = ("error{}", "code", "Code", "Error{}", "odata", "xml", "text", "empty", "other")
"""The dialects of Azure's errors, as the recorded ones were sorted; each service speaks one or two of them."""


class Spoken(Refusal):
    """A refusal in the dialect of another service: what stands before Resource Manager, or behind it, answers so."""

    def __init__(self, dialect: str, status: int, code: str, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(status, code, message, headers=headers)
        if dialect not in DIALECTS:
            raise ValueError(f"There is no dialect {dialect!r} of errors; there are {', '.join(DIALECTS)}.")
        self.dialect = dialect

    def response(self) -> Response:
        """The same as an HTTP answer."""
        if self.dialect in ("empty", "text"):
            text = "" if self.dialect == "empty" else self.message
            return PlainTextResponse(text, self.status, headers=self.headers)
        if self.dialect == "xml":
            inner = f"<Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            text = f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error>{inner}</Error>'
            return Response(text, self.status, headers=self.headers, media_type="application/xml")
        return JSONResponse(self._told(), self.status, headers=self.headers)

    def _told(self) -> Json:
        small = {"code": self.code, "message": self.message}
        large = {"Code": self.code, "Message": self.message, "Target": None}
        entity = {"Code": self.code, "Message": self.message, "ExtendedCode": "01025"}
        bodies: dict[str, Json] = {
            "error{}": {"error": small},
            "code": small,
            "Code": {**large, "Details": [{"Message": self.message}, {"Code": self.code}, {"ErrorEntity": entity}]},
            "Error{}": {"Error": large},
            "odata": {"odata.error": {"code": self.code, "message": {"lang": "en", "value": self.message}}},
            "other": {"Message": self.message},
        }
        return bodies[self.dialect]


def missing_group(group: str) -> Refusal:
    """Nobody made that group."""
    return Refusal(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def missing(kind: str, name: str, group: str) -> Refusal:
    """Nobody made that resource; `name` is its full name, `kind` its full type."""
    shown = "/".join([kind.split("/")[0], *_woven(kind.split("/")[1:], name.split("/"))])
    where = f"under resource group '{group or '<null>'}' was not found"
    hint = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return Refusal(404, "ResourceNotFound", f"The Resource '{shown}' {where}. {hint}")


def missing_parent(kind: str, name: str, parent: str) -> Refusal:
    """A child cannot be written before its parent."""
    text = f"Failed to perform 'write' on resource(s) of type '{kind}', because the parent resource '{parent}' "
    return Refusal(404, "ParentResourceNotFound", f"{text}could not be found.")


def unknown_type(kind: str, version: str) -> Refusal:
    """No provider offers such a type or action."""
    namespace, _, rest = kind.partition("/")
    text = f"The resource type '{rest}' could not be found in the namespace '{namespace}' for api version '{version}'."
    return Refusal(404, "InvalidResourceType", text)


def invalid_content(what: str) -> Refusal:
    """The body is not what the request needs."""
    return Refusal(
        400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{what}'."
    )


_PAGE = 50
"""Azure's pages hold 100 to 1000; these are shorter, so that a client that does not turn them is found out."""


def paged(request: Request, items: Sequence[Json]) -> Response:
    """One page of a list, `$top` of it at most; a filtered list begins with an empty page, as Azure's can."""
    most = request.query_params.get("$top", "")
    size = min(int(most), _PAGE) if most.isdigit() and int(most) else _PAGE
    token = request.query_params.get("$skiptoken", "")
    start = int(token) if token.isdigit() else 0
    if request.query_params.get("$filter") and not token:
        return JSONResponse({"value": [], "nextLink": _following(request, 0)})
    page: Json = {"value": list(items[start : start + size])}
    if start + size < len(items):
        page["nextLink"] = _following(request, start + size)
    return JSONResponse(page)


def _following(request: Request, start: int) -> str:
    return str(request.url.include_query_params(**{"$skiptoken": str(start)}))


def visible(resource: Mapping[str, Any]) -> Json:
    """The resource as a client may see it: nothing whose name begins with an underscore, at any depth."""
    shown: Json = _without_private(resource)
    return shown


def phrase(status: int) -> str:
    """`Conflict` for 409: how a deployment operation names a status."""
    return HTTPStatus(status).phrase.replace(" ", "")


def nested_text(body: object) -> str:
    """An error body as Azure hides it in the message of another: indented JSON in a string."""
    return json.dumps(body, indent=2).replace("\n", "\r\n")


def request_headers() -> dict[str, str]:
    """The identifiers every answer carries; the routing says that this is a rehearsal."""
    request = str(uuid.uuid4())
    return {
        "x-ms-request-id": request,
        "x-ms-correlation-request-id": request,
        "x-ms-routing-request-id": f"REHEARSAL:{request}",
    }


def _woven(types: list[str], names: list[str]) -> list[str]:
    return [part for pair in zip(types, names, strict=False) for part in pair]


def _without_private(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_private(v) for k, v in value.items() if not str(k).startswith("_")}
    if isinstance(value, list):
        return [_without_private(item) for item in value]
    return value
