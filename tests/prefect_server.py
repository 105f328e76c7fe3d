"""An embedded Prefect server for tests: one for the whole session, with a home of its own, ended with it."""

import atexit
import contextlib
import functools
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments import processes
from deployments.processes import Process

_START_SECONDS = 60
_CLIENT = httpx.Client(verify=False, timeout=30)
"""One for all: reading the system's certificates for each request would cost more than the request."""
_started: "list[Server]" = []


@dataclass(frozen=True)
class Server:
    """A server that answers, and what a program needs in its environment to speak to it."""

    process: Process
    api: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return quiet(self.folder) | {"PREFECT_API_URL": self.api}

    def get(self, path: str, **named: object) -> httpx.Response:
        return _CLIENT.get(f"{self.api}/{path}", **named)  # type: ignore[arg-type]

    def post(self, path: str, body: object) -> httpx.Response:
        return _CLIENT.post(f"{self.api}/{path}", json=body)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        os.kill(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        self.process.end()


def quiet(folder: Path) -> dict[str, str]:
    """A Prefect home nobody else has, and no calls to anybody outside."""
    return {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
    }


def start(folder: Path) -> Server:
    """A server of one's own, on a free port; it answers when this returns.

    Once the shared server is there, its tables are copied: making them takes longer than everything else.
    """
    if _started:
        with sqlite3.connect(_started[0].folder / "prefect.db") as made, sqlite3.connect(folder / "prefect.db") as copy:
            made.backup(copy)
    port = processes.free_port()
    command = [sys.executable, "-m", "deployments.server", str(port)]
    database = {"PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder}/prefect.db"}
    process = processes.start("server", command, folder, quiet(folder) | database)
    server = Server(process, f"http://127.0.0.1:{port}/api", folder)
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(server):
        if not process.alive or time.monotonic() > deadline:
            raise RuntimeError(f"the Prefect server did not start:\n{process.last_words(40)}")
        time.sleep(0.1)
    return server


@functools.cache
def standing() -> Server:
    """The server all tests share; started by the first that asks, ended with the session."""
    folder = tempfile.TemporaryDirectory(prefix="prefect-tests-")
    server = start(Path(folder.name))
    _started.append(server)
    atexit.register(folder.cleanup)
    atexit.register(server.end)
    return server


@contextlib.contextmanager
def spoken_to(server: Server) -> Iterator[Server]:
    """Flows that are run in this process meanwhile speak to that server."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

    settings = {
        PREFECT_API_URL: server.api,
        PREFECT_HOME: server.folder / "home",
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    with temporary_settings(settings):
        yield server


def child_environment(server: Server, **more: str) -> dict[str, str]:
    """What a program that we start speaks to that server with."""
    return {**os.environ, **server.environment, **more}


def _answers(server: Server) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return server.get("health").status_code == httpx.codes.OK
    return False
