"""A keeper of Terraform states and their locks, as the `s3` backend speaks to one; a lock outlives who took it.

Of the backends it is the one that, as `azurerm` does, keeps locks beside the state and tells who holds one; `http`
tells only its id.

`python locks.py STATE DEFINITIONS URL` is a run that applies the stack `network` there, until somebody kills it; with
one word more it kills itself once that is applied and before it is recorded.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workspace import scheduler
from workspace.clients.terraform import Terraform, launcher
from workspace.environment import Environment
from workspace.execution import Execution
from workspace.kinds import stack
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.scheduler import Patience

BUCKET, ENDING = "states", ".tflock"
LEASE_SECONDS = 2.0
PROVIDERS = "TESTED_PROVIDERS"
"""The environment variable with what Terraform is told of providers that are running already, as JSON."""
_NO_OBJECTS = b"<ListBucketResult><Name>states</Name><KeyCount>0</KeyCount></ListBucketResult>"
_NO_KEY = b"<Error><Code>NoSuchKey</Code><Message>not there</Message></Error>"
_THERE = b"<Error><Code>PreconditionFailed</Code><Message>there already</Message></Error>"


class Keeper:
    """Objects by key, on a free loopback port until closed; enough of S3 for Terraform's states and their locks."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.unlocked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def lock(self, key: str) -> dict[str, Any]:
        """Who holds the lock of a state; empty when nobody does."""
        found: dict[str, Any] = json.loads(self.objects.get(key + ENDING, b"{}"))
        return found

    def hold(self, key: str, lock: Mapping[str, str]) -> None:
        """Let somebody hold the lock of a state."""
        self.objects[key + ENDING] = json.dumps(lock).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def _answer(self, code: int, body: bytes = b"") -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @property
            def _key(self) -> str:
                return urlsplit(self.path).path.removeprefix(f"/{BUCKET}/")

            def do_GET(self) -> None:
                if urlsplit(self.path).path.rstrip("/") == f"/{BUCKET}":
                    self._answer(200, _NO_OBJECTS)
                    return
                kept = keeper.objects.get(self._key)
                self._answer(200 if kept is not None else 404, kept if kept is not None else _NO_KEY)

            def do_HEAD(self) -> None:
                self._answer(200 if self._key in keeper.objects else 404)

            def do_PUT(self) -> None:
                body = self._body()
                if self.headers.get("If-None-Match") == "*" and self._key in keeper.objects:
                    self._answer(412, _THERE)
                    return
                keeper.objects[self._key] = body
                self._answer(200)

            def do_DELETE(self) -> None:
                if self._key in keeper.objects and self._key.endswith(ENDING):
                    keeper.unlocked.append(keeper.lock(self._key.removesuffix(ENDING))["ID"])
                keeper.objects.pop(self._key, None)
                self._answer(204)

        return Handler


class Outside:
    """Terraform with its states at a keeper."""

    def __init__(self, url: str) -> None:
        backend = {
            "bucket": BUCKET,
            "key": "{key}",
            "region": "us-east-1",
            "endpoints": {"s3": url},
            "access_key": "nobody",
            "secret_key": "nothing",
            "use_lockfile": True,
            "use_path_style": True,
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            "skip_requesting_account_id": True,
            "skip_s3_checksum": True,
        }
        providers = json.loads(os.environ.get(PROVIDERS, "{}"))
        environment = {"AWS_EC2_METADATA_DISABLED": "true", **providers}
        self.inspection: Any = None
        self.terraform = Terraform(backend={"s3": backend}, environment=environment)


def execution(state: Path, definitions: Path, url: str, run: str, ledger: Ledger, inspection: Any = None) -> Execution:
    """A run of one stack."""
    node = Node("network", Kind.STACK, Stage.SHARED_INFRASTRUCTURE, settings={"root": "network", "group": "g"})
    plan = draw(Environment("dev"), [node], world={})
    kinds: Mapping[Kind, Any] = {Kind.STACK: stack}
    outside = Outside(url)
    outside.inspection = inspection
    return Execution(plan, run=run, outside=outside, ledger=ledger, kinds=kinds, sources=definitions, state=state)


def written(folder: Path, definition: str) -> Path:
    """A checkout with the stack `network`; what its `GO` waits for is the file `go` in the folder."""
    place = folder / "checkout/infra/terraform/stacks/network"
    place.mkdir(parents=True)
    (place / "main.tf").write_text(definition.replace("GO", str(folder / "go")))
    return folder / "checkout"


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; fail with these words when it does not."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def killed(folder: Path, definitions: Path, url: str, when: Callable[[], bool], *, alone: bool = False) -> int:
    """A run that dies at that moment with its Terraform, as when its machine goes; the group that its Terraform had.

    `alone` where only the run dies, and Terraform lives on.
    """
    victim = subprocess.Popen([sys.executable, __file__, str(folder), str(definitions), url])
    try:
        until(when, "it did not come so far")
        # The run must not see its Terraform die, or it would record that.
        victim.send_signal(signal.SIGSTOP)
        groups = _children(victim.pid)
        for group in groups if not alone else ():
            os.killpg(group, signal.SIGKILL)
            until(functools.partial(_is_empty, group), "it outlived its machine")
    finally:
        victim.kill()
        victim.wait()
    if not alone:
        (folder / "go").touch()
    return groups[0]


def _is_empty(group: int) -> bool:
    return not launcher.members(group)


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for file in found for each in file.read_text().split()]


def _die(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    where = Ledger(Path(sys.argv[1]) / "ledger", lease_seconds=LEASE_SECONDS)
    with where.hold("dev", "the victim"):
        if sys.argv[4:]:
            stack.verify = _die
        victim = execution(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], "victim", where)
        victim.begin()
        scheduler.settle(victim, Patience([]))
