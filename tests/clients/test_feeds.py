"""Registries of others: which answer counts as one, and at which address it is asked."""

import httpx
import pytest
from workspace.clients.feeds import Feeds
from workspace.errors import Unsettled


def feeds(answer: httpx.Response | Exception) -> Feeds:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Feeds(transport=httpx.MockTransport(handle))


@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_registry_that_answers_or_wants_a_login_is_there(status: int) -> None:
    assert feeds(httpx.Response(status)).greet("mcr.example") == "https://mcr.example/v2/"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(httpx.Response(503), "answers 503"), (httpx.ConnectError("refused"), "does not answer: refused")],
)
def test_one_that_is_ill_or_silent_is_unsettled(answer: httpx.Response | Exception, words: str) -> None:
    with pytest.raises(Unsettled, match=words):
        feeds(answer).greet("mcr.example")


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000"])
def test_a_registry_of_this_machine_is_asked_without_tls(host: str) -> None:
    assert feeds(httpx.Response(200)).greet(host) == f"http://{host}/v2/"
