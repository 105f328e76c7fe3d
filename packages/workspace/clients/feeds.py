"""Registries of others, from which base images come: whether one answers at all."""

from urllib.parse import urlsplit

import httpx

from workspace import trust
from workspace.blob_address import is_loopback
from workspace.errors import Unsettled

_SECONDS = 15.0


class Feeds:
    """Asks registries without signing in, through the proxy of the machine where it has one; any thread may."""

    def __init__(self, *, seconds: float = _SECONDS, transport: httpx.BaseTransport | None = None) -> None:
        self._seconds, self._transport = seconds, transport

    def greet(self, host: str) -> str:
        """The address at which a registry answers; Unsettled where nobody does, or who does is not well.

        One that wants us to sign in has answered. As for Docker, a registry on this machine speaks plain HTTP.
        """
        url = f"{'http' if is_loopback(urlsplit(f'//{host}').hostname or '') else 'https'}://{host}/v2/"
        try:
            with httpx.Client(verify=trust.context(), timeout=self._seconds, transport=self._transport) as client:
                status = client.get(url).status_code
        except httpx.HTTPError as error:
            raise Unsettled(f"{url} does not answer: {error}") from error
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unsettled(f"{url} answers {status}")
        return url
