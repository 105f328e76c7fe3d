"""How a stand-in is served: an ASGI application on a free loopback port, with or without TLS, until it is closed."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Message

_START_SECONDS = 10
_KEEP_ALIVE_SECONDS = 60
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 and localhost, and its key, as two PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Answer:
    """What an application answered: status, headers by their name in lower case, content."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def certificate(directory: Path, names: Sequence[str] = ()) -> Certificate:
    """The certificate kept in `directory`, made at the first call; the key file has mode 0600."""
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    if made.certificate.exists() and made.key.exists():
        return made
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    alternatives += [x509.DNSName(each) for each in ("localhost", *names)]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    made.key.touch(mode=0o600)
    made.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    made.certificate.write_bytes(signed.public_bytes(pem))
    return made


async def ask(app: ASGIApp, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Ask an application of this process a question without a socket; `target` is a path, with a query perhaps."""
    path, _, query = target.partition("?")
    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "server": ("rehearsal.inside", 80),
        "client": ("rehearsal.inside", 0),
        "root_path": "",
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"rehearsal.inside"), *named, (b"content-length", str(len(body)).encode())],
    }
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    await app(scope, receive, send)
    start = next(each for each in told if each["type"] == "http.response.start")
    content = b"".join(each.get("body", b"") for each in told if each["type"] == "http.response.body")
    answered = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], answered, content)


class _Server(uvicorn.Server):
    """Ends when it is told to, where uvicorn looks every tenth of a second and then waits for another.

    Those that are still being answered have that time, as with uvicorn; where nobody is, it is not waited for.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """Tell it so, from any thread; a second call does nothing."""
        self.should_exit = self.force_exit = True
        if self._loop:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        """Tick until it is told to end."""
        self._loop = asyncio.get_running_loop()
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, and let go of every connection."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        ends = time.monotonic() + _TICK_SECONDS
        while self.server_state.connections and time.monotonic() < ends:
            await asyncio.sleep(_LOOK_SECONDS)


class Served:
    """An application being served; `url` is where. Close it, or use it as a context manager."""

    def __init__(self, app: Any, tls: Certificate | None = None, port: int = 0, host: str = "127.0.0.1") -> None:
        # With the protocol named, asyncio switches Nagle's algorithm off; else every answer waits 40 ms for an ACK.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        self._wait()

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        self._server.end()
        self._thread.join(timeout=5)
        self._socket.close()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the stand-in at {self.url} did not start within {_START_SECONDS} s")
            time.sleep(0.005)
