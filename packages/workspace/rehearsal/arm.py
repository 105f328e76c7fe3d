"""Azure Resource Manager on a loopback port: what the real SDK clients and the real credential speak to in a rehearsal.

One application answers for the token endpoint, the resource groups, every resource and every deployment of one
subscription; the DNS zones, the sites and the vaults bring routes of their own, which come first. Everything is kept in
the rehearsal's cloud. Where Azure would refuse, this refuses, with Azure's status, code and words.
"""

import json
import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workspace.rehearsal import (
    arm_admission,
    arm_answers,
    arm_content,
    arm_preflight,
    arm_roles,
    arm_rules,
    arm_types,
    behaviour,
    serving,
    template,
    vault_bin,
)
from workspace.rehearsal.arm_answers import Json, Refusal, paged
from workspace.rehearsal.arm_deployments import Deployments, EvaluatorMaker
from workspace.rehearsal.arm_deployments import Scope as DeploymentScope
from workspace.rehearsal.arm_identity import Identity, is_for_management
from workspace.rehearsal.arm_operations import Operation, Operations
from workspace.rehearsal.arm_resources import Kubeconfig, Resources, address
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Fault, Faults
from workspace.rehearsal.settings import Settings, operation_seconds

_METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD"]
_VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(-(alpha|beta|preview|privatepreview))?$", re.IGNORECASE)
_MOST_EXCHANGES = 5000
_LOG = logging.getLogger(__name__)
_QUOTA = {"x-ms-ratelimit-remaining-subscription-reads": "11999"}
_WRITE_QUOTA = {"x-ms-ratelimit-remaining-subscription-writes": "1199"}


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
    text of the credentials of a cluster. What takes its time takes `deployment_seconds`, or what `settings` say.
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
        deployment_seconds: float | None = None,
        settings: Settings | None = None,
        evaluator: EvaluatorMaker = template.Evaluator,
    ) -> None:
        self._cloud = cloud
        self._faults = faults
        self._tenant = tenant
        self._subscription = subscription
        caller = self._caller = behaviour.caller(subscription)
        self.identity = Identity(
            tenant=tenant, client_id=client_id, client_secret=client_secret, object_id=caller, faults=faults
        )
        figures = settings or Settings()
        seconds = operation_seconds(figures, deployment_seconds)
        self.exchanges: deque[Exchange] = deque(maxlen=_MOST_EXCHANGES)
        self._operations = Operations()
        assignments = arm_roles.Assignments(cloud, tenant=tenant, caller=caller, delay=lambda: figures.pace.identities)
        self._resources = Resources(cloud, self._operations, subscription, seconds, kubeconfig, assignments)
        self._deployments = Deployments(
            cloud, self._resources, self._operations, evaluator, self._send, faults, seconds
        )
        self.app: ASGIApp = _Gate(self._application(extra_routes), self)

    def _application(self, extra_routes: Sequence[BaseRoute]) -> Starlette:
        # whose permissions are asked at a resource is Authorization's business, not that of the resource's own routes
        permissions = Route(
            "/subscriptions/{path:path}/providers/Microsoft.Authorization/permissions", self._permissions
        )
        first = [permissions, *extra_routes]
        for route in first:
            _ignore_case(route)
        routes: list[BaseRoute] = [
            *first,
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
        self.identity.check_for_management(request)
        version = request.query_params.get("api-version", "")
        if not version:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise Refusal(400, "MissingApiVersionParameter", text)
        if not _VERSION.match(version):
            text = f"The api-version '{version}' is invalid. It must be a date such as '2025-04-01'."
            raise Refusal(400, "InvalidApiVersionParameter", text)
        arm_admission.admit(self._cloud, self._subscription, request.method, path, version)
        fault = self._faults.find("arm", subject(request.method, path))
        if fault:
            _refuse_at_once(fault)
        return fault

    async def _send(self, method: str, path: str, body: Json | None) -> tuple[int, Any, Mapping[str, str]]:
        """A request of the deployment engine to the stand-in itself, through the same door as everybody's."""
        headers = {"authorization": f"Bearer {self.identity.token(inside=True)}", "x-rehearsal-engine": "deployment"}
        content = b"" if body is None else json.dumps(body).encode()
        answer = await serving.ask(self.app, method, path, headers, content)
        try:
            return answer.status, json.loads(answer.content), answer.headers
        except ValueError:
            return answer.status, answer.content.decode() or None, answer.headers

    # what is served

    async def _manage(self, request: Request) -> Response:
        parts = [part for part in request.path_params["path"].split("/") if part]
        arm_admission.check_subscription(self._subscription, parts[0])
        body = await _json(request)
        # Resource Manager's parts know nothing of sockets and never wait, so they are plain functions
        return self._dispatch(request, parts[1:], body, getattr(request.state, "fault", None))

    async def _permissions(self, request: Request) -> Response:
        parts = [part for part in request.path_params["path"].split("/") if part]
        arm_admission.check_subscription(self._subscription, parts[0])
        scope = arm_admission.canonical(self._cloud, self._subscription, parts[1:])
        return paged(request, arm_preflight.permissions(self._cloud, self._faults, self._caller, scope))

    def _dispatch(self, request: Request, parts: list[str], body: Json | None, fault: Fault | None) -> Response:
        match [part.lower() for part in parts]:
            case []:
                return JSONResponse(self._about())
            case ["resourcegroups"]:
                return self._resources.groups(request)
            case ["resourcegroups", _]:
                return self._resources.group(request, parts[1], body, fault)
            case ["resourcegroups", _, "resources"]:
                return self._resources.in_group(request, parts[1])
            case ["resourcegroups", _, "deployments", _, "operations", *which]:
                scope = DeploymentScope(self._subscription, self._spelled(parts[1]))
                return self._deployments.operations(request, scope, parts[3], "".join(which))
            case ["resources"]:
                return self._resources.everything(request)
            case ["operationresults", _]:
                return self._operations.result(request, parts[1])
            case ["providers", _, "locations", _, "operationresults", _]:
                return self._operations.result(request, parts[5])
            case ["providers", _, "locations", _, "operationstatuses", _]:
                return self._operations.status(parts[5])
            case ["locations"]:
                return JSONResponse({"value": [self._location(name) for name in arm_types.REGIONS]})
            case ["providers"]:
                return paged(request, [self._provider(each) for each in arm_types.NAMESPACES])
            case ["providers", _]:
                return JSONResponse(self._provider(parts[1]))
            case ["providers", _, ("register" | "unregister") as verb] if request.method == "POST":
                told = self._provider(parts[1])
                arm_rules.register(self._cloud, self._subscription, told["namespace"], registered=verb == "register")
                return JSONResponse(self._provider(parts[1]))
            case ["providers", namespace, "checknameavailability"] if request.method == "POST":
                return JSONResponse(arm_rules.availability(self._cloud, namespace, body or {}))
            case ["providers", "microsoft.compute", "locations", _, "usages"] if request.method == "GET":
                return paged(request, arm_preflight.usages(self._cloud, self._faults, parts[3]))
            case ["providers", "microsoft.keyvault", *below] if "deletedvaults" in below:
                return self._deleted_vaults(request, parts[2:])
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
        place = address(arm_admission.canonical(self._cloud, self._subscription, parts))
        return self._resources.resource(request, place, body, fault)

    def _spelled(self, group: str) -> str:
        found = self._cloud.get(self._resources.group_id(group))
        return str(found["name"]) if found else group

    def _location(self, name: str) -> Json:
        shown = arm_types.REGION_NAMES.get(name, name)
        return {
            "id": f"/subscriptions/{self._subscription}/locations/{name}",
            "name": name,
            "displayName": shown,
            "regionalDisplayName": shown,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }

    def _provider(self, namespace: str) -> Json:
        """A provider with all the types it offers, their versions and where they may be."""
        spelled = next((each for each in arm_types.NAMESPACES if each.lower() == namespace.lower()), "")
        if not spelled:
            raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        registered = arm_rules.is_registered(self._cloud, self._subscription, spelled)
        types = [
            {
                "resourceType": name,
                "locations": list(arm_types.regions_of(each)),
                "apiVersions": list(each.api_versions),
            }
            for name, each in arm_types.of(spelled).items()
        ]
        return {
            "id": f"/subscriptions/{self._subscription}/providers/{spelled}",
            "namespace": spelled,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": "Registered" if registered else "Unregistered",
            "resourceTypes": types,
        }

    def _deleted_vaults(self, request: Request, parts: list[str]) -> Response:
        """Vaults that were deleted: listed, one of them, or purged for good."""
        match [part.lower() for part in parts]:
            case ["deletedvaults"]:
                return paged(request, [vault_bin.shown(each) for each in vault_bin.listed(self._cloud)])
            case ["locations", region, "deletedvaults", name, *verb]:
                found = vault_bin.found(self._cloud, name, region)
                if found is None:
                    raise vault_bin.missing()
                if not verb:
                    return JSONResponse(vault_bin.shown(found))
                if verb == ["purge"] and request.method == "POST":
                    vault_bin.check_purge(found)
                    vault_bin.purge(self._cloud, found)
                    operation = self._operations.begin(Operation(200, None, self._resources.seconds))
                    headers = self._operations.location(request, self._subscription, operation, "Microsoft.KeyVault")
                    return Response(status_code=202, headers=headers)
        raise _no_route(request)

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
            token = self._arm.identity.claims_or_none(request.headers.get("authorization"))
            request.state.token = token
            # a vault looks at whom a token is for itself, and says so in words of its own
            is_vaults = folded.lower().startswith("/vault/")
            request.state.authorised = token is not None and (is_vaults or is_for_management(token))
            request.state.fault = self._arm.admit(request) if is_ours else None
        except Refusal as refusal:
            await refusal.response()(scope, receive, logged)
            return
        await self._inner(scope, receive, logged)

    def _logged(self, scope: Scope, send: Send) -> Send:
        quota = _QUOTA if scope["method"] in ("GET", "HEAD") else _WRITE_QUOTA
        said = {**arm_answers.request_headers(), **(quota if "/subscriptions/" in scope["path"] else {})}
        added = [(name.encode(), value.encode()) for name, value in said.items()]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *added]}
                headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
                query = scope.get("query_string", b"").decode()
                exchange = Exchange(scope["method"], scope["path"], query, message["status"], headers)
                self._arm.exchanges.append(exchange)
                _LOG.debug("%s %s: %d", exchange.method, exchange.path, exchange.status, extra={"exchange": exchange})
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
    status, code = int(told.get("status", status)), told.get("code", code or "Conflict")
    message = told.get("message", message or "The rehearsal was told to refuse this.")
    if "dialect" in told:
        raise arm_answers.Spoken(told["dialect"], status, code, message, headers)
    raise Refusal(
        status,
        code,
        message,
        headers=headers,
        # AKS leaves the wrapper off
        bare="microsoft.containerservice/" in fault.subject.lower() and fault.how.lower() not in _REFUSALS,
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
        body = arm_content.read(raw)
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
