"""The public face of the services: ask a host how it is, at the address its name really resolves to."""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from workspace import trust
from workspace.errors import Broken, Unsettled

_NOT_YET = (404, 408, 425, 429)
_SHOWN = 160


class Lookup(Protocol):
    """Something that knows what a name resolves to."""

    def answers(self, name: str, type: str = "A") -> Sequence[str]:
        """The values, empty when there are none."""


@dataclass(frozen=True)
class Answer:
    """What a host said, and from which address."""

    host: str
    address: str
    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Web:
    """Hosts as the public sees them; may be shared between threads.

    The name is looked up with `resolver` and the request goes to that address, with the host's name in the Host header
    and the TLS handshake. Without a resolver the name goes to the operating system.
    """

    def __init__(
        self,
        *,
        scheme: str = "https",
        port: int = 443,
        resolver: Lookup | None = None,
        verify: str | bool = True,
        transport: httpx.BaseTransport | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._scheme = scheme
        self._port = port
        self._resolver = resolver
        # Connections are not kept: two hosts behind one address must not share a TLS session.
        self._http = httpx.Client(
            verify=trust.context(verify, trust_env=False),
            transport=transport,
            timeout=timeout_seconds,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    def greet(self, host: str, path: str = "/health") -> Answer:
        """What the host answers at this path, when it is well.

        Unsettled while it says it is not there yet (404, 429, 5xx), broken when it turns us away.
        """
        answer = self.ask(host, path)
        if answer.status in _NOT_YET or answer.status >= 500:
            raise Unsettled(f"{host}{path} ({answer.address}) answers {answer.status}: {_first_line(answer.body)}")
        if answer.status >= 400:
            raise Broken(
                f"{host}{path} ({answer.address}) turns us away with {answer.status}: {_first_line(answer.body)}"
            )
        return answer

    def ask(self, host: str, path: str) -> Answer:
        """What the host answers at this path, whatever the status.

        Unsettled while the name does not resolve or nobody listens; broken when its certificate is not for this host.
        """
        address = self._address(host)
        try:
            response = self._http.get(
                f"{self._scheme}://{_literal(address)}:{self._port}{path}",
                headers={"Host": host},
                extensions={"sni_hostname": host},
            )
        except httpx.TransportError as error:
            if isinstance(_root(error), ssl.SSLCertVerificationError):
                raise Broken(f"The certificate at {host} ({address}) is not good for it: {_root(error)}.") from error
            raise Unsettled(f"{host} ({address}) does not answer yet: {error or type(error).__name__}.") from error
        return Answer(host, address, response.status_code, response.text, dict(response.headers))

    def close(self) -> None:
        """Let go of all connections."""
        self._http.close()

    def _address(self, host: str) -> str:
        if self._resolver is None:
            return host
        found = self._resolver.answers(host, "A")
        if not found:
            raise Unsettled(f"{host} does not resolve to an address yet.")
        return found[0]


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _root(error: BaseException) -> BaseException:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def _first_line(body: str) -> str:
    text = " ".join(body.split())
    return text[:_SHOWN] or "nothing more"
