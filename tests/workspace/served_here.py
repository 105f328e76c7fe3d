"""A stand-in's web application answered in this process, without a socket, so that a thousand runs take seconds."""

import asyncio
import threading
from typing import Any

import httpx


class InProcess(httpx.BaseTransport):
    """Requests of any thread, one at a time, to an ASGI application; counts those that may write."""

    def __init__(self, app: Any) -> None:
        self._app, self._lock, self._loop = app, threading.Lock(), asyncio.new_event_loop()
        self.writes = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.writes += request.method not in ("GET", "HEAD")
            return self._loop.run_until_complete(self._answer(request))

    def close(self) -> None:
        self._loop.close()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw], "scheme": request.url.scheme,
            "path": request.url.path, "raw_path": request.url.raw_path, "query_string": request.url.query,
            "server": (request.url.host, request.url.port), "client": ("127.0.0.1", 1), "root_path": "",
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        content = b"" if request.method == "HEAD" else b"".join(each.get("body", b"") for each in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=content)
