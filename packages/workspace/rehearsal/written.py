"""What was written through the stand-ins: every request that asks one of them to change something, a line each.

`written.jsonl` in the rehearsal's directory. A request counts when it is made, whatever was answered, and reads never
do: neither a POST that only asks (a what-if, keys, a token), nor a dry run. What the rehearsal does by itself, and what
one stand-in asks of another, is nobody's request. The real registry and the real Docker engine are not listened to.

    before = len(written.writes(directory))
    ...
    assert not written.writes(directory, before)
"""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

WRITTEN = "written.jsonl"
"""The file in which each request to change something is told."""

MANAGER, CLUSTER, REGISTRY, ENGINE, TERRAFORM = "resource manager", "cluster", "registry", "engine", "terraform plugin"
"""Whom a request was made to; the vaults and Kudu answer behind the resource manager."""

_READS = ("GET", "HEAD", "OPTIONS")
_ASKS = {
    MANAGER: re.compile(
        r"/(list\w*|whatif|validate|checknameavailability|exporttemplate|publishxml|getstatus)$|/oauth2/v2\.0/token$",
        re.IGNORECASE,
    ),
    CLUSTER: re.compile(r"/(\w+accessreviews|\w+rulesreviews|tokenreviews|selfsubjectreviews)$"),
    ENGINE: re.compile(r"/auth$"),
}


@dataclass(frozen=True)
class Write:
    """One request to change something: to which stand-in, how, and what it was about."""

    to: str
    method: str
    path: str


class Written:
    """Listens in front of the stand-ins of one rehearsal; any thread may use it."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / WRITTEN
        self._lock = threading.Lock()

    def in_front(self, to: str, app: ASGIApp) -> ASGIApp:
        """The application, with what is written through it told."""

        async def listening(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                query = parse_qs(scope.get("query_string", b"").decode())
                if is_write(to, scope["method"], scope["path"], query):
                    self.tell(to, scope["method"], scope["path"])
            await app(scope, receive, send)

        return listening

    def tell(self, to: str, method: str, path: str) -> None:
        """Note one request to change something."""
        line = json.dumps(asdict(Write(to, method, path)))
        with self._lock, self._file.open("a") as told:
            told.write(line + "\n")


def is_write(to: str, method: str, path: str, query: Mapping[str, Any]) -> bool:
    """True for a request that asks a stand-in to change something."""
    if method in _READS or (to == CLUSTER and "All" in query.get("dryRun", ())):
        return False
    asks = _ASKS.get(to)
    return not (method == "POST" and asks is not None and asks.search(path))


def writes(directory: Path, after: int = 0) -> tuple[Write, ...]:
    """Every request to change something so far, oldest first, without the first `after`."""
    file = directory / WRITTEN
    lines = file.read_text().splitlines() if file.exists() else []
    return tuple(Write(**json.loads(line)) for line in lines[after:])
