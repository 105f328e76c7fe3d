"""Our following of long operations against Azure's own test server: all of its long operations, none left out."""

import json
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import long_operations
import opted_in
import pytest
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest
from azure.mgmt.resource.resources import ResourceManagementClient
from long_operations import OPERATIONS, RELATIVE, Ends
from workspace import diagnosis, management, operations
from workspace.errors import Unsettled, WorkspaceError

pytestmark = [pytest.mark.conformance, pytest.mark.evidence("long-operations")]

PACKAGE, VERSION = "@microsoft.azure/autorest.testserver", "3.3.51"
COUNT = 81

# The server listens everywhere; this line, run before it, has it listen on loopback, and end with us.
ON_LOOPBACK = """data:text/javascript,
import net from "node:net";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) { return listen.call(this, port, "127.0.0.1", ...rest) };
process.stdin.on("end", () => process.exit()).resume();
""".replace("\n", " ")


class TestServer:
    """Azure's test server on a loopback port of its own, and the counters it keeps."""

    __test__ = False

    def __init__(self, package: Path) -> None:
        self.package = package
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory()
        command = ["node", "--import", ON_LOOPBACK, str(package / "dist/cli/cli.js"), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--coverageDirectory", self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
        )
        self._await()

    def _await(self) -> None:
        for _ in operations.Pace(60, 0.5):
            assert self._process.poll() is None, "the test server ended by itself"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                continue
            return
        raise AssertionError("the test server does not answer")

    def counters(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for category in ("azure", "optional"):
            with urllib.request.urlopen(f"{self.url}/report/{category}", timeout=10) as answer:
                found.update(json.load(answer))
        return found

    def described(self) -> set[tuple[str, str]]:
        """Method and path of every long operation that the server's own description lists."""
        paths = json.loads((self.package / "swagger/lro.json").read_text("utf-8-sig"))["paths"]
        return {
            (method.upper(), path)
            for path, methods in paths.items()
            for method, operation in methods.items()
            if operation.get("x-ms-long-running-operation")
        }

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._folder.cleanup()


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    started = TestServer(opted_in.from_npm(PACKAGE, VERSION))
    yield started
    started.close()


@pytest.fixture(scope="module")
def client(server: TestServer) -> Iterator[ResourceManagementClient]:
    """A client of the SDK, set up as each of ours is."""
    settings = management.arguments(
        credential=None,
        subscription="00000000-0000-0000-0000-000000000000",
        base_url=server.url,
        scopes=(),
        verify=True,
        transport=None,
        polling_seconds=0.05,
    )
    with ResourceManagementClient(**settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def passed(request: pytest.FixtureRequest) -> Iterator[set[str]]:
    """The operations that came to the right end; how many is told when all were run."""
    found: set[str] = set()
    started = time.monotonic()
    yield found
    took = time.monotonic() - started
    opted_in.tell(request, f"{len(found)} of {COUNT} long operations of {PACKAGE} ended as they must ({took:.1f} s)")


def test_the_table_holds_every_long_operation_of_the_description(server: TestServer) -> None:
    listed = [(each.method, each.path) for each in OPERATIONS]

    assert len(listed) == len(set(listed)) == COUNT
    assert set(listed) == server.described()


def test_the_server_listens_on_loopback_alone(server: TestServer) -> None:
    listening = "0A"
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(Path("/proc/net") / name)]
    found = {row[1] for row in rows if row[3] == listening and int(row[1].rpartition(":")[2], 16) == server.port}

    assert {address.partition(":")[0] for address in found} == {"0100007F"}


@pytest.mark.parametrize("wanted", OPERATIONS, ids=str)
def test_an_operation_comes_to_the_right_end(
    wanted: Ends, server: TestServer, client: ResourceManagementClient, passed: set[str]
) -> None:
    _check(wanted, server, client)
    passed.add(str(wanted))


@pytest.mark.parametrize("wanted", RELATIVE, ids=str)
def test_an_address_that_is_a_path_is_read_against_where_the_operation_began(
    wanted: Ends, server: TestServer, client: ResourceManagementClient
) -> None:
    _check(wanted, server, client)


def _check(wanted: Ends, server: TestServer, client: ResourceManagementClient) -> None:
    before = server.counters()[wanted.counted]

    if wanted.error is None:
        for _ in range(wanted.tries - 1):
            with pytest.raises(Unsettled, match="HTTP 500"):
                _run(client, wanted)
        assert _run(client, wanted).content == wanted.content
    else:
        with pytest.raises(WorkspaceError) as caught:
            _run(client, wanted)
        assert type(caught.value) is wanted.error
        assert wanted.says in str(caught.value)
        assert str(caught.value).startswith(f"{wanted.method} {wanted.path}")

    assert server.counters()[wanted.counted] > before


def _run(client: ResourceManagementClient, wanted: Ends) -> operations.Ended:
    """Begin the operation as the SDK does, follow it, and translate what is said against it as our clients do."""
    try:
        return operations.finish(
            client, str(wanted), _call(client, wanted), deadline_seconds=30, longest_pause=0.05, final=wanted.final
        )
    except AzureError as error:
        raise diagnosis.explain(str(wanted), error) from error


def _call(client: ResourceManagementClient, wanted: Ends) -> Callable[..., object]:
    headers = {"x-ms-client-request-id": long_operations.REQUEST_ID} if "customheader" in wanted.path else {}
    content = long_operations.PRODUCT if wanted.method in ("PUT", "PATCH") else None

    def begin(*, polling: bool, **options: Any) -> None:
        assert polling is False
        answer = client.send_request(
            HttpRequest(wanted.method, wanted.path, headers=headers, json=content), stream=True, **options
        )
        answer.read()
        answer.raise_for_status()

    return begin


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()[1:] if file.exists() else []
