"""The cluster API over HTTP: which request means which verb, and how answers, lists and watches look on the wire."""

import asyncio
import base64
import binascii
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from workspace.rehearsal import cluster_discovery as discovery
from workspace.rehearsal import cluster_select as select
from workspace.rehearsal import cluster_status as status
from workspace.rehearsal import cluster_tables as tables
from workspace.rehearsal.cluster_control import FindsFaults
from workspace.rehearsal.cluster_kinds import Kind
from workspace.rehearsal.cluster_status import Rejected
from workspace.rehearsal.cluster_store import Change
from workspace.rehearsal.cluster_verbs import Server, Writer, public

Body = dict[str, Any]

VERSION = "v1.35.2-rehearsal"
_APPLY = ("application/apply-patch+yaml", "application/apply-patch+cbor")
_AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_LONGEST_MANAGER = 128
_LARGEST_REQUEST = 3 * 1024 * 1024
_WATCH_SECONDS = 1800.0
_OPEN_PATHS = {"version", "healthz", "livez", "readyz"}


@dataclass(frozen=True)
class Endpoint:
    """One cluster as requests meet it: its server, the token it expects and the pace of its watch bookmarks."""

    server: Server
    token: str
    bookmark_seconds: float = 10.0


@dataclass(frozen=True)
class Target:
    """What a URL means: a kind, perhaps a namespace, an object, a subresource."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True)
class Asked:
    """A request without its connection."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def says(self, name: str) -> bool:
        """Whether a query parameter is true."""
        return self.query.get(name, "").lower() in ("true", "1")


@dataclass(frozen=True)
class Answer:
    """What goes back; a watch is answered by a stream instead."""

    body: Any
    code: int = 200
    media: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """The ASGI application; `open_cluster(group, name)` gives the endpoint or rejects the request.

    Faults have the point `api` and the subject `METHOD Kind namespace/name`.
    """

    def __init__(self, open_cluster: Callable[[str, str], Endpoint], faults: FindsFaults) -> None:
        self._open, self._faults = open_cluster, faults

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            asked = await _read(request)
            parts = asked.path
            if len(parts) < 3 or parts[0] != "clusters":
                return PlainTextResponse("404 page not found\n", status_code=404)
            endpoint = await run_in_threadpool(self._open, parts[1], parts[2])
            asked = Asked(asked.method, parts[3:], asked.query, asked.headers, asked.body)
            _authenticate(endpoint, asked)
            target = _resource_target(endpoint.server, asked)
            self._misbehave(target, asked)
            if target and asked.method == "GET" and asked.says("watch") and not target.name:
                return _watch(endpoint, target, asked)
            return _rendered(await run_in_threadpool(answer, endpoint.server, target, asked))
        except _NotServed:
            return PlainTextResponse("404 page not found\n", status_code=404)
        except Rejected as rejected:
            return JSONResponse(rejected.body(), status_code=rejected.code)

    def _misbehave(self, target: Target | None, asked: Asked) -> None:
        if target is None:
            return
        subject = f"{asked.method} {target.kind.kind} {target.namespace}/{target.name}"
        fault = self._faults.find("api", subject)
        if fault is not None:
            raise _REJECTIONS.get(str(fault.how), _unavailable)(target)


def _unavailable(_: Target) -> Rejected:
    return Rejected(503, "ServiceUnavailable", "the server is currently unable to handle the request")


def _conflict(target: Target) -> Rejected:
    said = f'conflict with "kubectl-edit" using {target.kind.api_version}'
    cause = {"reason": "FieldManagerConflict", "message": said, "field": ".spec.replicas"}
    details = {"causes": [cause]}
    return Rejected(409, "Conflict", f"Apply failed with 1 conflict: {said}: .spec.replicas", details)


def _forbidden(target: Target) -> Rejected:
    said = f'User "rehearsal" cannot patch resource "{target.kind.resource}" in the namespace "{target.namespace}"'
    return status.forbidden(target.kind.group, target.kind.plural, target.name, said)


def _immutable(target: Target) -> Rejected:
    cause = status.Cause("spec.selector", "Invalid value: field is immutable")
    return status.invalid(target.kind.group, target.kind.kind, target.name, [cause])


def _always(code: int, reason: str, message: str) -> Callable[[Target], Rejected]:
    return lambda _: Rejected(code, reason, message)


_WEBHOOK = 'failed calling webhook "validate.policy.rehearsal": failed to call webhook: context deadline exceeded'
_REJECTIONS: Mapping[str, Callable[[Target], Rejected]] = {
    "500": _always(500, "InternalError", "Internal error occurred: etcdserver: request timed out"),
    "throttled": _always(429, "TooManyRequests", "the server has asked us to try again later"),
    "expired": _always(410, "Expired", "The resourceVersion for the provided watch is too old."),
    "webhook-down": _always(500, "InternalError", f"Internal error occurred: {_WEBHOOK}"),
    "webhook-denied": _always(
        400, "", 'admission webhook "validate.policy.rehearsal" denied the request: images need a signature'
    ),
    "immutable": _immutable,
    "conflict": _conflict,
    "forbidden": _forbidden,
}


async def _read(request: Request) -> Asked:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    parts = tuple(part for part in path.split("/") if part)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Asked(request.method, parts, dict(request.query_params), headers, await request.body())


def _authenticate(endpoint: Endpoint, asked: Asked) -> None:
    given = asked.headers.get("authorization", "").removeprefix("Bearer ").strip()
    is_open = len(asked.path) == 1 and asked.path[0] in _OPEN_PATHS
    if not is_open and not hmac.compare_digest(given.encode(), endpoint.token.encode()):
        raise Rejected(401, "Unauthorized", "Unauthorized")


def _rendered(found: Answer) -> Response:
    if isinstance(found.body, str):
        return PlainTextResponse(found.body, status_code=found.code)
    content = json.dumps(found.body, separators=(",", ":")).encode()
    return Response(content, status_code=found.code, media_type=found.media, headers=found.headers)


def _resource_target(server: Server, asked: Asked) -> Target | None:
    """The object or collection a URL names; None for the documents about the API itself."""
    parts = asked.path
    if parts[:1] == ("api",) and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ("apis",) and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if version not in server.kinds.groups().get(group, []):
        raise _NotServed()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (len(rest) == 3 and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    kind = server.kinds.find(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise status.no_such_resource()
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in kind.subresources:
        raise status.no_such_resource()
    return Target(kind, namespace, rest[1] if len(rest) > 1 else "", subresource)


class _NotServed(Rejected):
    """A group or version nobody serves: the real server answers with a bare page."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "the server could not find the requested resource")


def answer(server: Server, target: Target | None, asked: Asked) -> Answer:
    """The answer to anything but a watch."""
    if target is None:
        return _about(server, asked)
    if asked.method == "GET":
        return _read_objects(server, target, asked)
    if target.subresource == "scale":
        return _scale(server, target, asked)
    if asked.method == "DELETE":
        return _delete(server, target, asked)
    return _write(server, target, asked)


def _about(server: Server, asked: Asked) -> Answer:
    kinds, parts = server.kinds, asked.path
    if parts == ("version",):
        return Answer(discovery.version(VERSION))
    if parts in (("healthz",), ("livez",), ("readyz",)):
        return Answer("ok")
    if parts in (("api",), ("apis",)):
        accepted = asked.headers.get("accept", "")
        if any("g=apidiscovery.k8s.io" in each and "v=v2;" in each + ";" for each in accepted.split(",")):
            return Answer(discovery.aggregated(kinds, parts == ("api",)), media=_AGGREGATED_TYPE)
        return Answer(discovery.core_versions() if parts == ("api",) else discovery.groups(kinds))
    if parts[:2] == ("openapi", "v3"):
        return _openapi(server, parts[2:])
    groups = kinds.groups()
    if parts == ("api", "v1"):
        return Answer(discovery.resources(kinds.of("", "v1"), "v1"))
    if parts[:1] == ("apis",) and len(parts) == 2 and parts[1] in groups and parts[1]:
        return Answer(discovery.group(parts[1], groups[parts[1]]))
    if parts[:1] == ("apis",) and len(parts) == 3 and parts[2] in groups.get(parts[1], []):
        return Answer(discovery.resources(kinds.of(parts[1], parts[2]), f"{parts[1]}/{parts[2]}"))
    if parts[:1] == ("api",) or (parts[:1] == ("apis",) and parts[1] in groups):
        raise status.no_such_resource()
    return Answer("404 page not found\n", 404)


def _openapi(server: Server, parts: tuple[str, ...]) -> Answer:
    if not parts:
        return Answer(discovery.openapi_index(server.kinds))
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[-1])
    return Answer(discovery.openapi(server.kinds.of(group, version)))


def _shown(kind: Kind, body: Body) -> Body:
    """An object as this version of its kind."""
    return {**public(body), "apiVersion": kind.api_version, "kind": kind.kind} if kind.custom else public(body)


def _read_objects(server: Server, target: Target, asked: Asked) -> Answer:
    kind = target.kind
    if not target.name:
        return _list(server, target, asked)
    _check_version(server, asked)
    body = server.get(kind, target.namespace, target.name)
    if target.subresource == "scale":
        return Answer(_scale_of(kind, body))
    if target.subresource == "log":
        return Answer(_log(body))
    if tables.wanted(asked.headers.get("accept", "")):
        return Answer(tables.table(kind, [_shown(kind, body)], body["metadata"]["resourceVersion"]))
    return Answer(_shown(kind, body))


def _log(pod: Body) -> str:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    lines = [f"rehearsal: container {each['name']} of image {each['image']} runs nothing" for each in statuses]
    return "\n".join(lines) + "\n"


def _selector(target: Target, asked: Asked) -> select.Test:
    by_label = select.labelled(asked.query.get("labelSelector", ""))
    by_field = select.fielded(asked.query.get("fieldSelector", ""), target.kind.kind)
    name = target.name
    return lambda body: (not name or body["metadata"]["name"] == name) and by_label(body) and by_field(body)


def _list(server: Server, target: Target, asked: Asked) -> Answer:
    test = _selector(target, asked)
    _check_version(server, asked)
    found, after, revision = _page(server, target, asked.query.get("continue", ""))
    chosen = [body for body in found if _place(body) > after and test(body)]
    metadata: Body = {"resourceVersion": str(revision)}
    limit = _whole(asked.query.get("limit") or "0")
    if limit and len(chosen) > limit:
        if not (asked.query.get("labelSelector") or asked.query.get("fieldSelector")):
            metadata["remainingItemCount"] = len(chosen) - limit
        chosen = chosen[:limit]
        metadata["continue"] = _token(revision, _place(chosen[-1]))
    kind = target.kind
    items = [_shown(kind, body) for body in chosen]
    if tables.wanted(asked.headers.get("accept", "")):
        return Answer(tables.table(kind, items, metadata["resourceVersion"], metadata))
    listed = [{k: v for k, v in item.items() if k not in ("apiVersion", "kind") or kind.custom} for item in items]
    return Answer({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": listed})


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _check_version(server: Server, asked: Asked) -> None:
    """Refuse a resourceVersion that is none, or that is still to come."""
    wanted = asked.query.get("resourceVersion", "")
    if asked.query.get("resourceVersionMatch") and not wanted:
        said = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        cause = status.Cause("resourceVersionMatch", said, "FieldValueForbidden")
        raise status.invalid("meta.k8s.io", "ListOptions", "", [cause])
    if wanted and not wanted.isdigit():
        said = f'strconv.ParseUint: parsing "{wanted}": invalid syntax'
        raise status.bad_request(f'resourceVersion: Invalid value: "{wanted}": {said}')
    if int(wanted or 0) > server.store.revision:
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        said = f"Timeout: Too large resource version: {wanted}, current: {server.store.revision}"
        raise Rejected(504, "Timeout", said, {"causes": causes, "retryAfterSeconds": 1})


def _place(body: Body) -> list[str]:
    return [body["metadata"].get("namespace", ""), body["metadata"]["name"]]


_AS_IT_IS = -1


def _page(server: Server, target: Target, token: str) -> tuple[list[Body], list[str], int]:
    """The objects to choose a page from, the place after which it begins, and the version it shows.

    All pages of one list show the moment of the first one.
    """
    resource, namespace = target.kind.resource, target.namespace
    with server.store.lock:
        if not token:
            return server.store.every(resource, namespace), [], server.store.revision
        after, revision = _resume(token)
        if revision == _AS_IT_IS:
            return server.store.every(resource, namespace), after, server.store.revision
        found = server.store.as_of(revision, resource, namespace)
    if found is None:
        raise status.expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list.",
            {"continue": _token(_AS_IT_IS, after)},
        )
    return found, after, revision


def _token(revision: int, after: list[str]) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": after})
    return base64.urlsafe_b64encode(text.encode()).decode()


def _resume(token: str) -> tuple[list[str], int]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token))
        return [str(each) for each in found["start"]], int(found["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise status.bad_request(f"continue key is not valid: {error}") from error


def _writer(target: Target, asked: Asked) -> Writer:
    dry = asked.query.get("dryRun", "")
    if dry not in ("", "All"):
        cause = status.Cause("dryRun", f'Unsupported value: "{dry}": supported values: "All"', "FieldValueNotSupported")
        raise status.invalid("meta.k8s.io", "PatchOptions", "", [cause])
    if len(asked.query.get("fieldManager", "")) > _LONGEST_MANAGER:
        said = f"Too long: may not be more than {_LONGEST_MANAGER} bytes"
        cause = status.Cause("fieldManager", said, "FieldValueTooLong")
        raise status.invalid("meta.k8s.io", "PatchOptions", "", [cause])
    agent = asked.headers.get("user-agent", "unknown").split("/")[0]
    return Writer(
        manager=asked.query.get("fieldManager") or agent,
        dry=bool(dry),
        force=asked.says("force"),
        validation=asked.query.get("fieldValidation") or "Warn",
        subresource="" if target.subresource == "finalize" else target.subresource,
    )


def _parsed(asked: Asked, media: str) -> Any:
    try:
        return yaml.load(asked.body, _Loader) if "yaml" in media else json.loads(asked.body)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise status.bad_request(f"error decoding the body: {error}") from error


class _Loader(yaml.SafeLoader):
    """YAML as the API server reads it: a time stays text."""


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def _write(server: Server, target: Target, asked: Asked) -> Answer:
    kind, writer = target.kind, _writer(target, asked)
    if len(asked.body) > _LARGEST_REQUEST:
        said = f"Request entity too large: limit is {_LARGEST_REQUEST}"
        raise Rejected(413, "RequestEntityTooLarge", said)
    if (asked.method == "POST") == bool(target.name):
        raise Rejected(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    media = asked.headers.get("content-type", "application/json").split(";")[0].strip()
    if asked.method == "PATCH":
        return _patch(server, target, asked, media, writer)
    if media not in ("application/json", "application/yaml", "*/*"):
        raise status.unsupported(["application/json", "application/yaml"])
    body = _parsed(asked, media)
    if asked.method == "POST" and not target.name:
        namespace = target.namespace
        if kind.namespaced and not namespace:
            raise Rejected(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        made = server.create(kind, namespace, body, writer)
        return Answer(_shown(kind, made), 201, headers=_warnings(writer))
    if asked.method == "PUT" and target.name:
        kept = server.update(kind, target.namespace, target.name, body, writer)
        return Answer(_shown(kind, kept), headers=_warnings(writer))
    raise Rejected(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _patch(server: Server, target: Target, asked: Asked, media: str, writer: Writer) -> Answer:
    kind = target.kind
    if media not in _APPLY:
        if asked.query.get("force"):
            cause = status.Cause("force", "Forbidden: may not be specified for non-apply patch", "FieldValueForbidden")
            raise status.invalid("meta.k8s.io", "PatchOptions", "", [cause])
        patch = _parsed(asked, media)
        kept = server.patch(kind, target.namespace, target.name, patch, media, writer)
        return Answer(_shown(kind, kept), headers=_warnings(writer))
    if not asked.query.get("fieldManager"):
        cause = status.Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
        raise status.invalid("meta.k8s.io", "PatchOptions", "", [cause])
    body = _parsed(asked, "yaml")
    if not isinstance(body, dict) or not body.get("apiVersion") or not body.get("kind"):
        raise status.bad_request("error decoding YAML: Object 'Kind' or 'apiVersion' is missing")
    kept, made = server.apply(kind, target.namespace, target.name, body, writer)
    return Answer(_shown(kind, kept), 201 if made else 200)


def _warnings(writer: Writer) -> dict[str, str]:
    said = ", ".join('299 - "' + each.replace('"', '\\"') + '"' for each in writer.warnings)
    return {"Warning": said} if said else {}


def _delete(server: Server, target: Target, asked: Asked) -> Answer:
    options: Body = _parsed(asked, asked.headers.get("content-type", "")) if asked.body else {}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if name in asked.query:
            options[name] = asked.query[name]
    dry = asked.query.get("dryRun") == "All" or options.get("dryRun") == ["All"]
    if target.name:
        return Answer(server.delete(target.kind, target.namespace, target.name, options, dry))
    test = _selector(target, asked)
    chosen = [body for body in server.store.every(target.kind.resource, target.namespace) if test(body)]
    for body in chosen:
        server.delete(target.kind, body["metadata"].get("namespace", ""), body["metadata"]["name"], options, dry)
    return Answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


def _scale_of(kind: Kind, body: Body) -> Body:
    metadata = {n: v for n, v in body["metadata"].items() if n in ("name", "namespace", "uid", "creationTimestamp")}
    metadata["resourceVersion"] = body["metadata"]["resourceVersion"]
    found = {"replicas": body.get("status", {}).get("replicas", 0)}
    found["selector"] = select.selector_text(body["spec"].get("selector") or {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": body["spec"]["replicas"]} if body["spec"].get("replicas") else {},
        "status": found,
    }


def _scale(server: Server, target: Target, asked: Asked) -> Answer:
    media = asked.headers.get("content-type", "application/json").split(";")[0].strip()
    given = _parsed(asked, media)
    replicas = given.get("spec", {}).get("replicas") if isinstance(given, dict) else given[0].get("value")
    if not isinstance(replicas, int) or replicas < 0:
        said = f"Invalid value: {json.dumps(replicas)}: must be greater than or equal to 0"
        raise status.invalid("autoscaling", "Scale", target.name, [status.Cause("spec.replicas", said)])
    return Answer(_scale_of(target.kind, scale(server, target, replicas, _writer(target, asked))))


def scale(server: Server, target: Target, replicas: int, writer: Writer) -> Body:
    """Change how many replicas a workload wants, through its scale subresource."""
    live = server.get(target.kind, target.namespace, target.name)
    patch = {"spec": {"replicas": replicas}, "metadata": {"uid": live["metadata"]["uid"]}}
    return server.patch(target.kind, target.namespace, target.name, patch, "application/merge-patch+json", writer)


def _watch(endpoint: Endpoint, target: Target, asked: Asked) -> StreamingResponse:
    _selector(target, asked)
    since = asked.query.get("resourceVersion", "")
    if since and not since.isdigit():
        said = f'strconv.ParseUint: parsing "{since}": invalid syntax'
        raise status.bad_request(f'resourceVersion: Invalid value: "{since}": {said}')
    lines = _changes(endpoint, target, asked)
    return StreamingResponse(lines, media_type="application/json")


async def _changes(endpoint: Endpoint, target: Target, asked: Asked) -> AsyncIterator[bytes]:
    """The lines of one watch: what happened since, then what happens, until its time is over."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Change] = asyncio.Queue()
    store, kind = endpoint.server.store, target.kind

    def hear(change: Change) -> None:
        if change.resource == kind.resource:
            loop.call_soon_threadsafe(queue.put_nowait, change)

    with store.lock:
        stop = store.listen(hear)
        first = _first_lines(endpoint, target, asked)
        revision = store.revision
    try:
        for line in first:
            yield line
        if first and b'"type":"ERROR"' in first[-1]:
            return
        async for line in _live_lines(endpoint, target, asked, queue, revision):
            yield line
    finally:
        stop()


def _first_lines(endpoint: Endpoint, target: Target, asked: Asked) -> list[bytes]:
    store, test, kind = endpoint.server.store, _selector(target, asked), target.kind
    since = asked.query.get("resourceVersion", "")
    if since in ("", "0") or asked.says("sendInitialEvents"):
        found = [body for body in store.every(kind.resource, target.namespace) if test(body)]
        lines = [_line("ADDED", _shown(kind, body)) for body in found]
        if asked.says("sendInitialEvents"):
            lines.append(_bookmark(kind, store.revision, initial=True))
        return lines
    changes = store.since(int(since))
    if changes is None:
        expired = status.expired(f"too old resource version: {since} ({store.oldest})")
        return [_line("ERROR", expired.body())]
    seen = (_seen(target, test, change) for change in changes if change.resource == kind.resource)
    return [line for line in seen if line]


async def _live_lines(
    endpoint: Endpoint, target: Target, asked: Asked, queue: "asyncio.Queue[Change]", revision: int
) -> AsyncIterator[bytes]:
    test, seconds = _selector(target, asked), float(asked.query.get("timeoutSeconds") or _WATCH_SECONDS)
    deadline = time.monotonic() + seconds
    bookmarks = asked.says("allowWatchBookmarks")
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            change = await asyncio.wait_for(queue.get(), min(left, endpoint.bookmark_seconds))
        except TimeoutError:
            with endpoint.server.store.lock:
                seen = endpoint.server.store.revision
            await asyncio.sleep(0)  # what was written up to then is in the queue now
            if bookmarks and queue.empty():
                yield _bookmark(target.kind, seen)
            continue
        line = _seen(target, test, change) if change.revision > revision else None
        if line:
            yield line


def _seen(target: Target, test: select.Test, change: Change) -> bytes | None:
    """A change as this watch sees it: an object that starts or stops to be meant appears or goes."""
    body = change.object
    if target.namespace and body["metadata"].get("namespace") != target.namespace:
        return None
    before = change.before is not None and test(change.before)
    after = change.type != "DELETED" and test(body)
    if not before and not after:
        return None
    kind = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
    return _line(kind, _shown(target.kind, body))


def _bookmark(kind: Kind, revision: int, initial: bool = False) -> bytes:
    metadata: Body = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})


def _line(kind: str, body: Body) -> bytes:
    return json.dumps({"type": kind, "object": body}, separators=(",", ":")).encode() + b"\n"
