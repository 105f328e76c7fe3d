"""The web client against transports and loopback servers."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from workspace.clients.web import Web
from workspace.errors import Broken, Unsettled
from workspace.rehearsal import serving

HOST = "api.dev.mystira.app"


class Names:
    """Every host at one address; or nowhere."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    def answers(self, name: str, type: str = "A") -> Sequence[str]:
        return self._addresses


def web(answer: httpx.Response | Exception, resolver: Names | None = None) -> Web:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Web(transport=httpx.MockTransport(handle), resolver=resolver or Names("127.77.0.1"))


def test_a_host_is_asked_at_its_address_by_its_name() -> None:
    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"host": request.headers["host"], "path": request.url.path})

    with serving.Served(Starlette(routes=[Route("/health", health)]), host="127.77.0.200") as server:
        answer = Web(scheme="http", port=server.port, resolver=Names("127.77.0.200")).greet(HOST)

    assert answer.facts == {"host": HOST, "path": "/health"}
    assert (answer.status, answer.address) == (200, "127.77.0.200")


def test_a_name_that_does_not_resolve_is_unsettled() -> None:
    with pytest.raises(Unsettled, match="does not resolve"):
        web(httpx.Response(200), Names()).greet(HOST)


@pytest.mark.parametrize("status", [404, 429, 500, 502, 503, 504])
def test_a_host_that_is_not_there_yet_is_unsettled_with_its_words(status: int) -> None:
    with pytest.raises(Unsettled, match=f"{HOST}.*{status}.*starting"):
        web(httpx.Response(status, text="<h1>starting</h1>")).greet(HOST)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_host_that_turns_us_away_is_broken(status: int) -> None:
    with pytest.raises(Broken, match=str(status)):
        web(httpx.Response(status)).greet(HOST)


def test_asking_returns_any_status() -> None:
    assert web(httpx.Response(404)).ask(HOST, "/version").status == 404


def test_a_refused_connection_is_unsettled() -> None:
    with pytest.raises(Unsettled, match="does not answer yet"):
        Web(scheme="http", port=9, resolver=Names("127.0.0.1")).greet(HOST)


def test_a_certificate_for_another_name_is_broken(tmp_path: Path) -> None:
    tls = serving.certificate(tmp_path, names=["other.mystira.app"])
    with serving.Served(Starlette(), tls) as server:
        client = Web(port=server.port, resolver=Names("127.0.0.1"), verify=str(tls.certificate))
        with pytest.raises(Broken, match=HOST):
            client.greet(HOST)
        assert client.ask("other.mystira.app", "/").status == 404


def test_a_hidden_certificate_error_is_found() -> None:
    error = httpx.ConnectError("tls")
    error.__cause__ = ssl.SSLCertVerificationError("hostname mismatch")

    with pytest.raises(Broken, match="hostname mismatch"):
        web(error).greet(HOST)


def test_a_body_that_is_no_object_has_no_facts() -> None:
    assert web(httpx.Response(200, text="Healthy")).greet(HOST).facts == {}
    assert web(httpx.Response(200, json=["a"])).greet(HOST).facts == {}
