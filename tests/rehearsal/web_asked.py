"""Routes asked in this process, without a socket."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route


class Asked:
    """What routes answer."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._transport = httpx.ASGITransport(Starlette(routes=list(routes)))

    def request(self, method: str, path: str, **details: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://here") as client:
                return await client.request(method, path, **details)

        return asyncio.run(send())

    def get(self, path: str, **details: Any) -> httpx.Response:
        return self.request("GET", path, **details)

    def put(self, path: str, **details: Any) -> httpx.Response:
        return self.request("PUT", path, **details)

    def post(self, path: str, **details: Any) -> httpx.Response:
        return self.request("POST", path, **details)

    def delete(self, path: str, **details: Any) -> httpx.Response:
        return self.request("DELETE", path, **details)
