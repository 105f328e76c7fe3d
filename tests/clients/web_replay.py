"""Recorded traffic played back through the real Azure SDK: no socket, and a log of what was asked."""

import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.structures import CaseInsensitiveDict

# Recorders changed bodies, so lengths are wrong, and nobody wants to wait as long as Azure once asked for.
_LEFT_OUT = ("content-length", "retry-after")


class Replay(requests.adapters.BaseAdapter):
    """Answers each request with the next recorded exchange of that method and path; the last one is repeated."""

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        super().__init__()
        self._exchanges = exchanges
        self._used: set[int] = set()
        self._last: dict[tuple[str, str], int] = {}
        self.log: list[tuple[str, str, int]] = []
        self.sent: list[requests.PreparedRequest] = []

    @property
    def writes(self) -> int:
        return sum(1 for method, path, _ in self.log if method != "GET" and not path.endswith("/list"))

    @property
    def transport(self) -> RequestsTransport:
        session = requests.Session()
        session.mount("https://", self)
        return RequestsTransport(session=session, session_owner=False)

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        key = _key(request.method or "", urlsplit(request.url or "").path)
        fresh = (i for i, each in enumerate(self._exchanges) if i not in self._used and _recorded(each) == key)
        index = next(fresh, self._last.get(key))
        assert index is not None, f"not recorded: {key}"
        self._used.add(index)
        self._last[key] = index
        answer = self._exchanges[index]["response"]
        self.log.append((*key, answer["status"]))
        self.sent.append(request)
        return _response(request, answer)

    def close(self) -> None:
        pass


def story(samples: Path, name: str, *indexes: int) -> Replay:
    """A recorded story, or only some of its exchanges."""
    exchanges = json.loads((samples / "azure" / "dev" / f"{name}.json").read_text())["exchanges"]
    return Replay([exchanges[index] for index in indexes] if indexes else exchanges)


def exchange(method: str, path: str, status: int, body: Any = None, **headers: str) -> dict[str, Any]:
    """An exchange made by hand."""
    return {
        "request": {"method": method, "path": path},
        "response": {"status": status, "headers": {k.replace("_", "-"): v for k, v in headers.items()}, "body": body},
    }


def recorded_error(samples: Path, identifier: str) -> dict[str, Any]:
    """One recorded error response."""
    for line in (samples / "azure" / "dev" / "errors.jsonl").read_text().splitlines():
        found: dict[str, Any] = json.loads(line)
        if found["id"] == identifier:
            return found
    raise KeyError(identifier)


class Anybody:
    """A credential that costs nothing."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("token", 4102444800)


def _recorded(each: dict[str, Any]) -> tuple[str, str]:
    return _key(each["request"]["method"], each["request"]["path"])


def _key(method: str, path: str) -> tuple[str, str]:
    return method.upper(), re.sub("/+", "/", path).rstrip("/").lower()


def _response(request: requests.PreparedRequest, answer: dict[str, Any]) -> requests.Response:
    body = answer["body"]
    raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    response = requests.Response()
    response.status_code, response.url, response.request, response.reason = answer["status"], request.url, request, ""
    kept = {name: text for name, text in answer["headers"].items() if name.lower() not in _LEFT_OUT}
    response.headers = CaseInsensitiveDict(kept)
    response.raw = urllib3.HTTPResponse(
        body=io.BytesIO(raw), headers=kept, status=answer["status"], preload_content=False
    )
    return response
