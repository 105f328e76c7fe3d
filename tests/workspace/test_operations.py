"""Long operations in every style that Azure uses, told by a small server over loopback."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from workspace import diagnosis, management, operations
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError

THING = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Made/things/up"
RESULT = "/result"
SUCCEEDED = {"properties": {"provisioningState": "Succeeded"}}
CREATING = {"properties": {"provisioningState": "Creating"}}
NEVER = 0.15

Headers = dict[str, str]


def answer(status: int, body: Any = None, **headers: str) -> tuple[int, Any, Headers]:
    return status, body, {name.replace("_", "-"): text for name, text in headers.items()}


def status(word: str, **more: Any) -> tuple[int, Any, Headers]:
    return answer(200, {"status": word, **more})


@dataclass
class Server:
    """Says what it was told to, path by path; the last answer of a path is repeated."""

    answers: dict[str, list[tuple[int, Any, Headers]]] = field(default_factory=dict)
    asked: list[tuple[str, str, Headers]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""

    def next(self, method: str, path: str, headers: Headers) -> tuple[int, Any, Headers]:
        self.asked.append((method, path, headers))
        self.times.append(time.monotonic())
        left = self.answers.get(path) or [answer(404, {"error": {"code": "NotFound", "message": path}})]
        return left.pop(0) if len(left) > 1 else left[0]

    @property
    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # whole answers, not line by line: the other side would wait for the rest
    wbufsize = -1

    def _answer(self) -> None:
        told: Server = self.server.told  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        self.rfile.read(int(self.headers.get("content-length") or 0))
        code, body, headers = told.next(self.command, path, {k.lower(): v for k, v in self.headers.items()})
        if code == 0:
            self.close_connection = True
            return
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(code)
        for name, text in headers.items():
            self.send_header(name, text.replace("{url}", told.url))
        self.send_header("Content-Length", str(len(raw)))
        if raw:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[Any]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    yield http
    http.shutdown()
    http.server_close()


def settings(web: Any) -> dict[str, Any]:
    """What each of our clients is set up with."""
    return management.arguments(
        credential=None,
        subscription="s",
        base_url=f"http://127.0.0.1:{web.server_port}",
        scopes=(),
        verify=True,
        transport=None,
        polling_seconds=0.01,
    )


@pytest.fixture(scope="module")
def client(web: Any) -> Iterator[ResourceManagementClient]:
    with ResourceManagementClient(**settings(web)) as opened:
        yield opened


@pytest.fixture
def deployments(web: Any) -> Iterator[DeploymentsMgmtClient]:
    with DeploymentsMgmtClient(**settings(web)) as opened:
        yield opened


@pytest.fixture
def run(web: Any, client: ResourceManagementClient) -> Callable[..., Any]:
    """Tell the server what to say, run an operation against it, and give what came of it and the server."""

    def go(method: str, first: tuple[int, Any, Headers], deadline: float = 20, **answers: Any) -> Any:
        more = {"/" + name: list(told) for name, told in answers.items() if name not in ("thing", "options")}
        server = web.told = Server({THING: [first, *answers.get("thing", ())], **more})
        server.url = f"http://127.0.0.1:{web.server_port}"
        ended = operations.finish(
            client,
            "making it",
            _call(client, method),
            deadline_seconds=deadline,
            **{"longest_pause": 0.01, **answers.get("options", {})},
        )
        return ended.content, server

    return go


def _call(client: ResourceManagementClient, method: str) -> Callable[..., object]:
    def begin(*, polling: bool, **hook: Any) -> None:
        content = {} if method in ("PUT", "PATCH", "POST") else None
        found = client.send_request(HttpRequest(method, THING, json=content), stream=True, **hook)
        found.read()
        found.raise_for_status()

    return begin


AT_STATUS = {"Azure_AsyncOperation": "{url}/status"}
AT_RESULT = {"Location": "{url}/result"}

WELL = {
    "a PUT that is over at once": ("PUT", answer(200, SUCCEEDED), {}, SUCCEEDED),
    "a PUT of a thing that has no state": (
        "PUT",
        answer(200, {"id": "1", "properties": None}),
        {},
        {"id": "1", "properties": None},
    ),
    "201 followed by reading the resource": (
        "PUT",
        answer(201, CREATING),
        {"thing": [answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "200 that is still Creating": (
        "PUT",
        answer(200, CREATING),
        {"thing": [answer(200, CREATING), answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "202 to a PUT that names no address": (
        "PUT",
        answer(202),
        {"thing": [answer(200, CREATING), answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "Azure-AsyncOperation, then the resource": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [status("Running"), status("Succeeded")], "thing": [answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "Operation-Location, then the resource": (
        "PUT",
        answer(202, None, Operation_Location="{url}/status"),
        {"status": [status("Running"), status("Succeeded")], "thing": [answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "Location until it no longer says 202": (
        "DELETE",
        answer(202, None, **AT_RESULT),
        {"result": [answer(202), answer(202), answer(200)]},
        None,
    ),
    "a Location that moves": (
        "POST",
        answer(202, None, **AT_RESULT),
        {"result": [answer(202, None, Location="{url}/moved")], "moved": [answer(200, {"x": 1})]},
        {"x": 1},
    ),
    "a Location that is the resource itself": (
        "PUT",
        answer(201, CREATING, Location="{url}/result"),
        {"result": [answer(200, CREATING), answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "both, and the result of a POST is at the Location": (
        "POST",
        answer(202, None, **AT_STATUS, **AT_RESULT),
        {"status": [status("InProgress"), status("Succeeded")], "result": [answer(202), answer(200, {"x": 1})]},
        {"x": 1},
    ),
    "both, and the description says that the status is the result": (
        "POST",
        answer(202, None, **AT_STATUS, **AT_RESULT),
        {"status": [status("Succeeded", properties={"x": 1})], "options": {"final": "azure-async-operation"}},
        {"status": "Succeeded", "properties": {"x": 1}},
    ),
    "an address that is a path": ("DELETE", answer(202, None, Location=RESULT), {"result": [answer(204)]}, None),
    "an old word for success": (
        "DELETE",
        answer(202, None, **AT_STATUS),
        {"status": [status("Completed")]},
        {"status": "Completed"},
    ),
    "a PATCH that is answered 200": (
        "PATCH",
        answer(200, SUCCEEDED, Azure_AsyncOperation="{url}/nowhere"),
        {},
        SUCCEEDED,
    ),
    "a DELETE of nothing": ("DELETE", answer(204), {}, None),
    "four bad moments in a row": (
        "DELETE",
        answer(202, None, **AT_STATUS),
        {"status": [answer(503), answer(500), answer(404), answer(0), status("Succeeded")]},
        {"status": "Succeeded"},
    ),
    "more bad moments than five, in a short time": (
        "DELETE",
        answer(202, None, **AT_STATUS),
        {"status": [*[answer(502)] * 8, status("Succeeded")], "options": {"longest_pause": 0.05}},
        {"status": "Succeeded"},
    ),
    "five bad moments that took long": (
        "DELETE",
        answer(202, None, **AT_STATUS),
        {"status": [*[answer(502)] * 5, status("Succeeded")], "options": {"longest_pause": 0}},
        {"status": "Succeeded"},
    ),
    "throttled for a long time": (
        "DELETE",
        answer(202, None, **AT_STATUS),
        {"status": [*[answer(429)] * 12, status("Succeeded")]},
        {"status": "Succeeded"},
    ),
    "a bad moment where the result is": (
        "PUT",
        answer(202, None, **AT_STATUS),
        {"status": [status("Succeeded")], "thing": [answer(503), answer(200, SUCCEEDED)]},
        SUCCEEDED,
    ),
    "a Retry-After that is no time": (
        "DELETE",
        answer(202, None, **AT_STATUS, Retry_After="soon"),
        {"status": [status("Succeeded")]},
        {"status": "Succeeded"},
    ),
}

DENIED = {"error": {"code": "AuthorizationFailed", "message": "no"}}
INNER = {"code": "Outer", "message": "failed", "details": [{"code": "SkuNotAvailable", "message": "none left"}]}

BADLY: dict[str, tuple[str, Any, dict[str, Any], type[WorkspaceError], str]] = {
    "a status that ends Failed is told by its innermost cause": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [status("Failed", error=INNER)]},
        Broken,
        "ended as Failed: SkuNotAvailable: none left",
    ),
    "a wrong request is no longer refused once it was accepted": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [answer(400, {"error": {"code": "InvalidThing", "message": "no"}})]},
        Broken,
        "InvalidThing",
    ),
    "a wrong request that cannot have touched anything stays refused": (
        "POST",
        answer(202, None, **AT_RESULT),
        {
            "result": [answer(200, {"status": "Failed", "error": {"code": "InvalidTemplate", "message": "no"}})],
            "options": {"changes_nothing": True},
        },
        Refused,
        "InvalidTemplate",
    ),
    "what ended Failed for something that passes may be tried again": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [status("Failed", error={"code": "RetryableError", "message": "busy"})]},
        Unsettled,
        "RetryableError",
    ),
    "a status that ends Canceled": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [status("Canceled")]},
        Broken,
        "was cancelled: run again",
    ),
    "a resource that ends Failed": (
        "PUT",
        answer(201, CREATING),
        {"thing": [answer(200, {"properties": {"provisioningState": "Failed"}})]},
        Broken,
        "ended as Failed, and Azure gives no reason",
    ),
    "a resource that is Failed although its operation succeeded": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [status("Succeeded")], "thing": [answer(200, {"properties": {"provisioningState": "Failed"}})]},
        Broken,
        "ended as Failed",
    ),
    "a Location whose 200 holds a failure": (
        "DELETE",
        answer(202, None, **AT_RESULT),
        {"result": [answer(200, {"properties": {"provisioningState": "Failed"}})]},
        Broken,
        "ended as Failed",
    ),
    "202 to a DELETE that names no address": ("DELETE", answer(202), {}, Broken, "no address to ask for its end"),
    "202 to a POST that names no address": ("POST", answer(202), {}, Broken, "no address to ask for its end"),
    "an address that is none": (
        "DELETE",
        answer(202, None, Location="ftp://x/y?sig=secret"),
        {},
        Broken,
        "that is none: 'ftp://x/y'",
    ),
    "an address that nobody can read": (
        "DELETE",
        answer(202, None, Location="http://[oops/"),
        {},
        Broken,
        "that is none",
    ),
    "an address that stays unknown": (
        "DELETE",
        answer(202, None, Location="/gone?sig=secret"),
        {},
        Broken,
        "named /gone to ask and does not know it",
    ),
    "a status that is no JSON": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [answer(200, b'{"status": "Run')]},
        Broken,
        "makes no sense (HTTP 200",
    ),
    "a status that is a list": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [answer(200, [1])]},
        Broken,
        "makes no sense",
    ),
    "a status that is empty": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [answer(200)]},
        Broken,
        "does not contain a body",
    ),
    "a status without a word": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [answer(200, {})]},
        Broken,
        "No status found",
    ),
    "a resource that is a list": ("PUT", answer(201, []), {}, Broken, "makes no sense"),
    "a first answer that is no JSON": ("PUT", answer(200, b"<html>"), {}, Broken, "it says <html>"),
    "a result that is no JSON": (
        "POST",
        answer(202, None, **AT_STATUS, **AT_RESULT),
        {"status": [status("Succeeded")], "result": [answer(200, b"<html>")]},
        Broken,
        "it says <html>",
    ),
    "a server that stays down": (
        "PUT",
        answer(201, CREATING, **AT_STATUS),
        {"status": [answer(503)]},
        Unsettled,
        "may still run: its state could not be read for",
    ),
}


@pytest.mark.parametrize(("method", "first", "answers", "content"), WELL.values(), ids=WELL)
def test_an_operation_that_ends_well_gives_what_it_ended_with(
    run: Any, method: str, first: Any, answers: dict[str, Any], content: Any
) -> None:
    found, server = run(method, first, **answers)

    assert found == content
    assert len({headers["x-ms-client-request-id"] for _, _, headers in server.asked}) == 1
    for name, told in answers.items():
        path = THING if name == "thing" else f"/{name}"
        assert name == "options" or server.paths.count(f"GET {path}") == len(told)
    assert [each for each in server.paths[1:] if not each.startswith("GET ")] == []


@pytest.mark.parametrize(("method", "first", "answers", "error", "says"), BADLY.values(), ids=BADLY)
def test_an_operation_that_ends_badly_is_our_error_with_its_sentence(
    run: Any, method: str, first: Any, answers: dict[str, Any], error: type[WorkspaceError], says: str
) -> None:
    with pytest.raises(WorkspaceError) as caught:
        run(method, first, **answers)

    assert type(caught.value) is error
    assert str(caught.value).startswith("making it")
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("code", [401, 403])
def test_a_right_that_is_missing_on_the_way_is_asked_for_once(run: Any, web: Any, code: int) -> None:
    with pytest.raises(Broken, match=f"AuthorizationFailed|HTTP {code}"):
        run("PUT", answer(201, CREATING, **AT_STATUS), status=[answer(code, DENIED if code == 403 else None)])

    assert web.told.paths[1:] == ["GET /status"]


@pytest.mark.parametrize(
    ("method", "first", "answers"),
    [
        ("PUT", answer(201, CREATING, **AT_STATUS), {"status": [status("Running")]}),
        ("DELETE", answer(202, None, **AT_RESULT), {"result": [answer(202)]}),
        ("PUT", answer(200, CREATING), {}),
        ("DELETE", answer(202, None, **AT_STATUS), {"status": [answer(429, None, Retry_After="600")]}),
    ],
)
def test_an_operation_that_never_ends_is_unsettled_at_its_deadline(
    run: Any, web: Any, method: str, first: Any, answers: dict[str, Any]
) -> None:
    with pytest.raises(Unsettled, match=r"making it has not ended after 0\.15 s .*: run again"):
        run(method, first, deadline=NEVER, **answers)

    asked = len(web.told.asked)
    time.sleep(0.1)
    assert len(web.told.asked) == asked, "somebody goes on asking"


def test_a_wait_that_is_asked_for_is_kept(run: Any) -> None:
    _, server = run(
        "DELETE",
        answer(202, None, **AT_STATUS, retry_after_ms="200"),
        status=[answer(503, None, x_ms_retry_after_ms="300"), status("Succeeded")],
    )

    assert server.times[1] - server.times[0] >= 0.19
    assert server.times[2] - server.times[1] >= 0.29


def test_what_azure_says_against_the_first_request_is_the_callers_to_translate(run: Any) -> None:
    with pytest.raises(AzureError) as caught:
        run("PUT", answer(409, {"error": {"code": "DeploymentActive", "message": "wait"}}))

    assert diagnosis.of(caught.value).code == "DeploymentActive"


@pytest.mark.parametrize("told", ["Sat, 28 Nov 2026 17:00:00 GMT", "soon"])
def test_a_retry_after_the_sdk_stumbles_over_is_no_reason_to_lose_the_operation(
    web: Any, deployments: DeploymentsMgmtClient, told: str
) -> None:
    what_if = "/subscriptions/s/resourcegroups/g/providers/Microsoft.Resources/deployments/d/whatIf"
    web.told = Server({what_if: [answer(202, None, Location="/result", Retry_After=told)]})

    answered = operations.begin("what-if of d", partial(deployments.deployments.begin_what_if, "g", "d", {}))

    assert answered.headers["location"] == RESULT


def test_an_answer_the_sdk_cannot_read_and_that_was_no_success_is_broken() -> None:
    def begin(**_: Any) -> None:
        raise KeyError("properties")

    with pytest.raises(Broken, match="making it: the SDK cannot read the answer"):
        operations.begin("making it", begin)


def test_the_way_is_told_once_per_state(run: Any) -> None:
    said: list[str] = []

    run(
        "DELETE",
        answer(202, None, **AT_STATUS),
        status=[status("Running"), status("Running"), status("Deleting"), status("Succeeded")],
        options={"say": said.append},
    )

    assert said == ["making it: accepted", "making it: InProgress", "making it: Running", "making it: Deleting"]


CLOCK = 1_700_000_000
ASKED = {
    "a number": ({"Retry-After": "17"}, 17),
    "at once": ({"retry-after": "0"}, 0),
    "milliseconds": ({"x-ms-retry-after-ms": "1500"}, 1.5),
    "a date, by the server's own clock": (
        {"Retry-After": formatdate(CLOCK + 42, usegmt=True), "Date": formatdate(CLOCK, usegmt=True)},
        42,
    ),
    "a date that is over": ({"Retry-After": formatdate(CLOCK, usegmt=True)}, 0),
    "nothing": ({}, None),
    "no number and no date": ({"Retry-After": "/bar"}, None),
    "less than nothing": ({"Retry-After": "-5"}, None),
    "endless": ({"Retry-After": "inf"}, None),
}


@pytest.mark.parametrize(("headers", "seconds"), ASKED.values(), ids=ASKED)
def test_how_long_an_answer_asks_to_wait(headers: Headers, seconds: float | None) -> None:
    assert operations.retry_after(headers) == seconds


def test_the_last_look_is_at_the_deadline() -> None:
    began = time.monotonic()
    looks = [time.monotonic() - began for _ in operations.Pace(0.25, 10, 0.1)]

    assert looks[0] < 0.1
    assert looks[-1] >= 0.25
    assert len(looks) == 3


def test_even_without_time_there_is_one_look() -> None:
    assert len(list(operations.Pace(-1, 1))) == 1
