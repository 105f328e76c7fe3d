"""How our part of the rehearsal's Azure speaks: routes without regard to letter case, error bodies, faults."""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workspace.rehearsal import arm_answers, behaviour
from workspace.rehearsal.cloud import Cloud, Resource, parse

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"

_FOR_EVER = 10**9

Endpoint = Callable[[Request], Awaitable[Response]]


class Refusal(Exception):
    """An answer that ends the request early."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def route(path: str, methods: Sequence[str], endpoint: Endpoint) -> Route:
    """A route whose literal segments are matched without regard to letter case, as Azure does."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return refusal.response
        except arm_answers.Refusal as refusal:
            return refusal.response()

    made = Route(path, answer, methods=list(methods))
    made.path_regex = re.compile(made.path_regex.pattern, re.IGNORECASE)
    return made


def tagged(endpoint: Endpoint) -> Endpoint:
    """The same endpoint, whose good answers carry the ETag that App Service puts on what it shows of sites."""

    async def answer(request: Request) -> Response:
        told = await endpoint(request)
        if told.status_code in (200, 202):
            digest = hashlib.sha256(bytes(told.body) or request.url.path.encode()).hexdigest()
            told.headers["ETag"] = f'"1D{digest[:13].upper()}"'
        return told

    return answer


async def body(request: Request) -> dict[str, Any]:
    """The request's JSON object; anything else is refused as Azure refuses it."""
    raw = await request.body()
    try:
        found = json.loads(raw) if raw else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(
            wrapped(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
        )
    return found


def group_of(request: Request) -> str:
    """The id of the resource group a request is about."""
    return f"/subscriptions/{request.path_params['subscription']}/resourceGroups/{request.path_params['group']}"


def require_group(cloud: Cloud, request: Request) -> str:
    """The id of the request's resource group, which must be there."""
    group = group_of(request)
    if cloud.get(group) is None:
        name = request.path_params["group"]
        raise Refusal(wrapped(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found."))
    return group


def require(cloud: Cloud, resource_id: str) -> Resource:
    """The resource, or Azure's answer for one that is not there."""
    found = cloud.get(resource_id)
    if found is None:
        raise Refusal(missing(resource_id))
    return found


def missing(resource_id: str) -> JSONResponse:
    """Azure's answer for a resource that is not there."""
    said = (
        f"The Resource '{resource_id.rpartition('/providers/')[2]}' under resource group "
        f"'{parse(resource_id).group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return wrapped(404, "ResourceNotFound", said)


def keep(cloud: Cloud, resource: Resource) -> Resource:
    """Store a resource, completed with what only Azure knows."""
    return cloud.put(behaviour.complete(resource))


def shown(resource: Resource, status: int = 200, **headers: str) -> JSONResponse:
    """A resource as clients see it: without what the store keeps to itself."""
    return JSONResponse(visible(resource), status, {name.replace("_", "-"): text for name, text in headers.items()})


def listed(resources: Sequence[Resource]) -> JSONResponse:
    """A list of resources as clients see it."""
    return JSONResponse({"value": [visible(each) for each in resources]})


def visible(value: Any) -> Any:
    """A value without the keys that begin with an underscore."""
    if isinstance(value, dict):
        return {key: visible(item) for key, item in value.items() if not key.startswith("_")}
    if isinstance(value, list):
        return [visible(item) for item in value]
    return value


def wrapped(status: int, code: str, message: str) -> JSONResponse:
    """An error in Resource Manager's own words: `{"error": {"code", "message"}}`."""
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def bare(status: int, code: str, message: str) -> JSONResponse:
    """An error as Azure DNS writes it: `{"code", "message"}`."""
    return JSONResponse({"code": code, "message": message}, status)


def capital(status: int, code: str, message: str, extended: str = "01020") -> JSONResponse:
    """An error as App Service writes it: with capitals, and three times."""
    entity = {"ExtendedCode": extended, "MessageTemplate": message, "Parameters": [], "Code": code, "Message": message}
    details = [{"Message": message}, {"Code": code}, {"ErrorEntity": entity}]
    answer = {"Code": code, "Message": message, "Target": None, "Details": details, "Innererror": None}
    return JSONResponse(answer, status)


def is_authorised(request: Request) -> bool:
    """True when the request carries a token; where Resource Manager keeps the door, one it issued itself."""
    decided = getattr(request.state, "authorised", None)
    if decided is not None:
        return bool(decided)
    return request.headers.get("authorization", "").lower().startswith("bearer ")


def operation(request: Request, seconds: float) -> str:
    """The name of a long-running operation; the name itself says when it is over and how.

    The fault the request met at Resource Manager's door makes it fail or never end.
    """
    fault = getattr(request.state, "fault", None)
    how = fault.how if fault is not None and fault.how in ("failed", "never-ending") else "done"
    if how == "never-ending":
        seconds = _FOR_EVER
    return f"{uuid.uuid4()}_{int((time.time() + seconds) * 1000)}_{how}"


def fails(name: str) -> bool:
    """True for an operation that never succeeds."""
    return not name.endswith("_done")


def progress(request: Request, name: str, done: Response) -> Response:
    """What an operation's own address answers: 202 until it is over, then the result or the failure."""
    _, _, ending = name.partition("_")
    moment, _, how = ending.partition("_")
    if not moment.isdigit():
        return capital(404, "NotFound", f"The operation {name} is not found.", "01025")
    if time.time() * 1000 < int(moment):
        return Response(status_code=202, headers={"Location": str(request.url)})
    return done if how == "done" else capital(409, "Conflict", "The rehearsal was told to fail this operation.")


def base(request: Request) -> str:
    """Where the caller reaches this server: the beginning of every address handed out."""
    return f"{request.url.scheme}://{request.url.netloc}"
