"""Azure Resource Manager on a loopback port: what the real SDK clients and the real credential speak to in a rehearsal.

One application answers for the token endpoint, the resource groups, every resource and every deployment of one
subscription; the DNS zones, the sites and the vaults bring routes of their own, which come first. Everything is kept in
the rehearsal's cloud. Where Azure would refuse, this refuses, with Azure's status, code and words.
"""

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workspace.rehearsal import arm_answers, template
from workspace.rehearsal.arm_answers import Json, Refusal
from workspace.rehearsal.arm_deployments import Deployments, EvaluatorMaker
from workspace.rehearsal.arm_deployments import Scope as DeploymentScope
from workspace.rehearsal.arm_identity import Identity
from workspace.rehearsal.arm_operations import Operations
from workspace.rehearsal.arm_resources import Kubeconfig, Resources, address
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Fault, Faults

_VERSIONS = ("2026-01-01-preview", "2025-04-01")
"""What a type is offered in here; any dated version is understood."""

_METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD"]
_VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(-(alpha|beta|preview|privatepreview))?$", re.IGNORECASE)
_NAMESPACE = re.compile(r"^[A-Za-z][\w]*(\.[A-Za-z]\w*)+$")
_MOST_EXCHANGES = 5000
_INSIDE = "http://rehearsal.inside"


@dataclass(frozen=True)
class Exchange:
    """One request that was served, for tests to look at."""

    method: str
    path: str
    query: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Arm:
    """The stand-in. `app` is the ASGI application to serve over https; `exchanges` is what it answered so far.

    `extra_routes` are asked before the generic ones; their paths too are matched without regard to case, and a request
    that carries a good token reaches them with `request.state.authorised` true. `kubeconfig(group, name)` gives the
    text of the credentials of a cluster.
    """

    def __init__(
        self,
        cloud: Cloud,
        faults: Faults,
        *,
        tenant: str,
        client_id: str,
        client_secret: str,
        subscription: str,
        extra_routes: Sequence[BaseRoute] = (),
        kubeconfig: Kubeconfig | None = None,
        deployment_seconds: float = 0.05,
        evaluator: EvaluatorMaker = template.Evaluator,
    ) -> None:
        self._cloud = cloud
        self._faults = faults
        self._tenant = tenant
        self._subscription = subscription
        self.identity = Identity(tenant=tenant, client_id=client_id, client_secret=client_secret, faults=faults)
        self.exchanges: deque[Exchange] = deque(maxlen=_MOST_EXCHANGES)
        self._operations = Operations()
        self._resources = Resources(cloud, self._operations, subscription, deployment_seconds, kubeconfig)
        self._deployments = Deployments(
            cloud, self._resources, self._operations, evaluator, self._send, faults, deployment_seconds
        )
        self.app: ASGIApp = _Gate(self._application(extra_routes), self)

    def _application(self, extra_routes: Sequence[BaseRoute]) -> Starlette:
        for route in extra_routes:
            _ignore_case(route)
        routes: list[BaseRoute] = [
            *extra_routes,
            Route("/metadata/endpoints", self._metadata),
            *self.identity.routes(),
            Route("/subscriptions", self._subscriptions, methods=["GET"]),
            Route("/subscriptions/{path:path}", self._manage, methods=_METHODS),
            Route("/tenants", self._tenants, methods=["GET"]),
        ]
        handlers: Any = {Refusal: _answer_refusal, HTTPException: _answer_unknown}
        return Starlette(routes=routes, exception_handlers=handlers)

    def admit(self, request: Request) -> Fault | None:
        """Let a request to Resource Manager in, or raise what is answered instead; gives the fault it meets later."""
        path = request.url.path
        self.identity.check(request.headers.get("authorization"))
        version = request.query_params.get("api-version", "")
        if not version:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise Refusal(400, "MissingApiVersionParameter", text)
        if not _VERSION.match(version):
            text = f"The api-version '{version}' is invalid. It must be a date such as '2025-04-01'."
            raise Refusal(400, "InvalidApiVersionParameter", text)
        fault = self._faults.find("arm", subject(request.method, path))
        if fault:
            _refuse_at_once(fault)
        return fault

    async def _send(self, method: str, path: str, body: Json | None) -> tuple[int, Any, Mapping[str, str]]:
        """A request of the deployment engine to the stand-in itself, through the same door as everybody's."""
        transport = httpx.ASGITransport(app=self.app)
        headers = {"Authorization": f"Bearer {self.identity.token(inside=True)}", "x-rehearsal-engine": "deployment"}
        async with httpx.AsyncClient(transport=transport, base_url=_INSIDE, headers=headers) as client:
            answer = await client.request(method, path, json=body)
        try:
            return answer.status_code, answer.json(), answer.headers
        except ValueError:
            return answer.status_code, answer.text or None, answer.headers

    # what is served

    async def _manage(self, request: Request) -> Response:
        parts = [part for part in request.path_params["path"].split("/") if part]
        if parts[0].lower() != self._subscription.lower():
            text = f"The subscription '{parts[0]}' could not be found."
            raise Refusal(404, "SubscriptionNotFound", text)
        body = await _json(request)
        # Resource Manager's parts know nothing of sockets and never wait, so they are plain functions
        return self._dispatch(request, parts[1:], body, getattr(request.state, "fault", None))

    def _dispatch(self, request: Request, parts: list[str], body: Json | None, fault: Fault | None) -> Response:
        match [part.lower() for part in parts]:
            case []:
                return JSONResponse(self._about())
            case ["resourcegroups"]:
                return self._resources.groups()
            case ["resourcegroups", _]:
                return self._resources.group(request, parts[1], body, fault)
            case ["resourcegroups", _, "resources"]:
                return self._resources.in_group(parts[1])
            case ["resourcegroups", _, "deployments", _, "operations"]:
                return self._deployments.operations(DeploymentScope(self._subscription, parts[1]), parts[3])
            case ["resources"]:
                return self._resources.everything(request.query_params.get("$filter", ""))
            case ["operationresults", _]:
                return self._operations.result(request, self._subscription, parts[1])
            case ["providers", _, "locations", _, "operationstatuses", _]:
                return self._operations.status(parts[5])
            case ["providers", _] | ["providers", _, "register"]:
                return self._provider(request, parts)
            case below if "providers" in below:
                return self._below_provider(request, parts, body, fault)
        raise _no_route(request)

    def _below_provider(self, request: Request, parts: list[str], body: Json | None, fault: Fault | None) -> Response:
        lowered = [part.lower() for part in parts]
        if lowered[:2] == ["providers", "microsoft.resources"] and lowered[2:3] == ["deployments"]:
            return self._deployments.handle(request, DeploymentScope(self._subscription), parts[3:], body, fault)
        if lowered[0] == "resourcegroups" and lowered[2:5] == ["providers", "microsoft.resources", "deployments"]:
            scope = DeploymentScope(self._subscription, self._spelled(parts[1]))
            return self._deployments.handle(request, scope, parts[5:], body, fault)
        place = address(self._canonical(parts))
        if not _NAMESPACE.match(place.type.split("/")[0]):
            text = f"The resource namespace '{place.type.split('/')[0]}' is invalid."
            raise Refusal(404, "InvalidResourceNamespace", text)
        return self._resources.resource(request, place, body, fault)

    def _canonical(self, parts: list[str]) -> str:
        """The path with the subscription and the group spelled as they were made."""
        rest = parts
        if parts[0].lower() == "resourcegroups":
            rest = ["resourceGroups", self._spelled(parts[1]), *parts[2:]]
        return "/".join(["/subscriptions", self._subscription, *rest])

    def _spelled(self, group: str) -> str:
        found = self._cloud.get(self._resources.group_id(group))
        return str(found["name"]) if found else group

    def _provider(self, request: Request, parts: list[str]) -> Response:
        """Every provider is registered here, with the types that are in use; asking to register one says so."""
        namespace = parts[1]
        if not _NAMESPACE.match(namespace):
            raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        told = {"id": f"/subscriptions/{self._subscription}/providers/{namespace}", "namespace": namespace}
        start = f"{namespace.lower()}/"
        types = {parse(each["id"]).type for each in self._cloud.all()}
        listed = [
            {"resourceType": type.partition("/")[2], "locations": [], "apiVersions": list(_VERSIONS)}
            for type in sorted(types)
            if type.lower().startswith(start)
        ]
        return JSONResponse({**told, "registrationState": "Registered", "resourceTypes": listed})

    def _about(self) -> Json:
        told = {"id": f"/subscriptions/{self._subscription}", "subscriptionId": self._subscription}
        return {**told, "tenantId": self._tenant, "displayName": "rehearsal", "state": "Enabled"}

    async def _subscriptions(self, _: Request) -> Response:
        return JSONResponse({"value": [self._about()]})

    async def _tenants(self, _: Request) -> Response:
        return JSONResponse({"value": [{"id": f"/tenants/{self._tenant}", "tenantId": self._tenant}]})

    async def _metadata(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        signing = {"loginEndpoint": base, "audiences": [base, f"{base}/"], "tenant": self._tenant}
        suffixes = {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "sqlServerHostname": "database.windows.net",
        }
        return JSONResponse(
            {
                "name": "rehearsal",
                "resourceManager": base,
                "portal": base,
                "graph": base,
                "graphAudience": base,
                "microsoftGraphResourceId": base,
                "authentication": {**signing, "identityProvider": "AAD"},
                "suffixes": suffixes,
            }
        )


def subject(method: str, path: str) -> str:
    """What a fault is about: `PUT Microsoft.Web/sites mys-dev-mystira-api-san`; actions keep their type and name."""
    try:
        place = parse(path)
    except ValueError:
        return f"{method} {path}"
    names = "/".join(place.names[: place.type.count("/")])
    return f"{method} {place.type} {names}".rstrip()


class _Gate:
    """The front door: folds double slashes, lets requests in, names every answer and keeps the log."""

    def __init__(self, inner: ASGIApp, arm: Arm) -> None:
        self._inner = inner
        self._arm = arm

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        folded = re.sub("/{2,}", "/", scope["path"]).rstrip("/")
        is_ours = folded.lower().startswith(("/subscriptions", "/tenants", "/providers"))
        if is_ours:
            scope["path"] = folded
        request = Request(scope)
        logged = self._logged(scope, send)
        try:
            request.state.authorised = is_ours or self._is_authorised(request)
            request.state.fault = self._arm.admit(request) if is_ours else None
        except Refusal as refusal:
            await refusal.response()(scope, receive, logged)
            return
        await self._inner(scope, receive, logged)

    def _is_authorised(self, request: Request) -> bool:
        try:
            self._arm.identity.check(request.headers.get("authorization"))
        except Refusal:
            return False
        return True

    def _logged(self, scope: Scope, send: Send) -> Send:
        added = [(name.encode(), value.encode()) for name, value in arm_answers.request_headers().items()]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *added]}
                headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
                query = scope.get("query_string", b"").decode()
                exchange = Exchange(scope["method"], scope["path"], query, message["status"], headers)
                self._arm.exchanges.append(exchange)
            await send(message)

        return answer


def _ignore_case(route: BaseRoute) -> None:
    """Resource Manager's paths are the same in any case; so are those of the routes that others bring."""
    pattern = getattr(route, "path_regex", None)
    if pattern is not None:
        route.path_regex = re.compile(pattern.pattern, pattern.flags | re.IGNORECASE)  # type: ignore[attr-defined]
    if isinstance(route, Mount):
        for inner in route.routes:
            _ignore_case(inner)


def _refuse_at_once(fault: Fault) -> None:
    """Raise what this fault makes the front door answer; faults that bite later are left alone."""
    told = fault.details
    status, code, message = _REFUSALS.get(fault.how.lower(), (int(told.get("status", 0)), "", ""))
    if fault.how.lower() not in _REFUSALS and (fault.how in _LATER or not status):
        return
    headers = {"Retry-After": str(told.get("retry_after", 1))} if status in (429, 503) else {}
    raise Refusal(
        int(told.get("status", status)),
        told.get("code", code or "Conflict"),
        told.get("message", message or "The rehearsal was told to refuse this."),
        headers=headers,
    )


_LATER = ("failed", "never-ending", "canceled", "unsupported")
_REFUSALS = {
    "throttle": (
        429,
        "SubscriptionRequestsThrottled",
        "Number of requests for subscription exceeded the backend storage limit. Please try again after '1' seconds.",
    ),
    "500": (
        500,
        "InternalServerError",
        "Encountered an internal server error. The tracking activity id is 'rehearsal'.",
    ),
    "503": (503, "ServiceUnavailable", "The service is temporarily unavailable."),
    "409": (409, "AnotherOperationInProgress", "Another operation on this or a dependent resource is in progress."),
    "403": (
        403,
        "AuthorizationFailed",
        "The client 'rehearsal' with object id 'rehearsal' does not have authorization to perform action "
        "'Microsoft.Resources/deployments/write' over scope '/subscriptions/rehearsal' or the scope is invalid.",
    ),
    "404": (404, "ResourceNotFound", "The resource was not found."),
}


async def _json(request: Request) -> Json | None:
    raw = await request.body()
    if not raw:
        return None
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise arm_answers.invalid_content(str(error)) from error
    if not isinstance(body, dict):
        raise arm_answers.invalid_content("an object is expected")
    return body


def _no_route(request: Request) -> Refusal:
    text = f"No route was found for {request.method} {request.url.path}."
    return Refusal(404, "NotFound", text)


async def _answer_refusal(_: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return error.response()
    raise error


async def _answer_unknown(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code != 404:
        code = "MethodNotAllowed" if error.status_code == 405 else "BadRequest"
        return Refusal(error.status_code, code, str(error.detail)).response()
    return _no_route(request).response()
