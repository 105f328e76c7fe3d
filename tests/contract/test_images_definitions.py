"""Our Dockerfiles: they fit the programs they start, run as nobody, and come from bases that are alive."""

import contextlib
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from workspace.clients.engine import Engine
from workspace.errors import Refused
from workspace.rehearsal.engine import EngineStandIn
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.serving import Served

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "infra" / "docker"
BASES = {
    "chain": {"python:3.13-slim-trixie"},
    "publisher": {"node:24-alpine3.24", "nginx:1.30-alpine3.24"},
    "story-generator": {"mcr.microsoft.com/dotnet/sdk:10.0-noble", "mcr.microsoft.com/dotnet/aspnet:10.0-noble"},
}
BASES |= {"app-api": BASES["story-generator"], "admin-api": BASES["story-generator"]}
PORTS = {
    "chain": {8545, 50051},
    "publisher": {3000, 3001},
    "story-generator": {8080, 8081},
    "app-api": {8080},
    "admin-api": {8080},
}
SOURCES = {
    "chain": ("chain", ["server.py"]),
    "publisher": ("publisher", ["package.json", "package-lock.json", "src/main.tsx"]),
    "story-generator": ("story-generator", ["src/Mystira.StoryGenerator.Api/Program.cs"]),
    "app-api": ("app", ["src/Mystira.App.Api/Program.cs"]),
    "admin-api": ("app", ["src/Mystira.App.Admin.Api/Program.cs"]),
}
IGNORED = [".git/config", ".env", "node_modules/x.js", "bin/x.dll", "__pycache__/x.pyc"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The workspace with stand-ins for its submodules, and with files that are nobody's business."""
    checkout = tmp_path / "checkout"
    shutil.copytree(DOCKER, checkout / "infra" / "docker")
    for package, files in SOURCES.values():
        for name in (*files, *IGNORED):
            file = checkout / "packages" / package / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
    return checkout


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("engine")
    with Served(EngineStandIn(folder, Faults(folder)).app) as served:
        yield served.url


def text(service: str) -> str:
    return (DOCKER / service / "Dockerfile").read_text()


@pytest.mark.parametrize("service", BASES)
def test_every_base_is_the_pinned_one(service: str) -> None:
    assert set(re.findall(r"^FROM (\S+)", text(service), re.MULTILINE)) == BASES[service]


@pytest.mark.parametrize("service", PORTS)
def test_an_image_runs_as_nobody_on_its_ports_with_a_health_check(address: str, checkout: Path, service: str) -> None:
    dockerfile = checkout / "infra" / "docker" / service / "Dockerfile"
    Engine(address).build(context=checkout, dockerfile=dockerfile, tag=f"{service}:1")
    config = httpx.get(f"{address}/images/{service}:1/json", trust_env=False).json()["Config"]
    assert config["User"] == "10000:10000"
    assert set(config["ExposedPorts"]) == {f"{port}/tcp" for port in PORTS[service]}
    assert config["Healthcheck"]


@pytest.mark.parametrize("service", SOURCES)
def test_the_context_is_the_service_and_nothing_else(checkout: Path, service: str) -> None:
    package, wanted = SOURCES[service]
    dockerfile = checkout / "infra" / "docker" / service / "Dockerfile"
    files = Engine().inputs(context=checkout, dockerfile=dockerfile).files
    sent = {name for name in files if (checkout / name).is_file()}
    mine = {f"packages/{package}/{name}" for name in wanted}
    assert mine <= sent
    assert not [name for name in sent if name.startswith("packages/") and name.endswith((".git/config", ".env"))]
    assert {name.split("/")[1] for name in sent if name.startswith("packages/")} == {package}


@pytest.mark.parametrize("service", SOURCES)
def test_a_service_that_was_not_fetched_is_refused(service: str, tmp_path: Path) -> None:
    shutil.copytree(DOCKER, tmp_path / "infra" / "docker")
    with pytest.raises(Refused, match="git submodule update --init packages/"):
        Engine().inputs(context=tmp_path, dockerfile=tmp_path / "infra" / "docker" / service / "Dockerfile")


@pytest.mark.parametrize("service", BASES)
def test_a_failing_build_is_never_waved_through(service: str) -> None:
    assert "|| true" not in text(service)
    assert ";" not in re.sub(r"8080;8081|daemon off;", "", "".join(re.findall(r"^RUN .*", text(service), re.MULTILINE)))


ECHO = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        peer, _ = server.accept()
        heard = b""
        while not heard.endswith(b"hello") and (more := peer.recv(65536)):
            heard += more
        peer.sendall(heard.upper())
        peer.close()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def front(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The front of the chain container with a service behind it that answers in capitals."""
    port, inner = free_port(), free_port()
    (tmp_path / "echo.py").write_text(ECHO)
    command = [sys.executable, DOCKER / "chain" / "serve.py", sys.executable, tmp_path / "echo.py", str(inner)]
    environment = {"PORT": str(port), "GRPC_PORT": str(inner)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        await_port(inner)
        await_port(port)
        yield process, port, inner
    finally:
        # The service behind it is in its session and would outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"nothing listens on {port}")


def test_chain_answers_probes_and_grpc_on_one_port(front: tuple[subprocess.Popen[bytes], int, int]) -> None:
    _, port, _ = front
    base = f"http://127.0.0.1:{port}"
    answers = [httpx.get(base + path, trust_env=False).status_code for path in ("/health", "/ready", "/other")]
    assert answers == [200, 200, 404]
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"PRI * HTTP/2.0\r\nhello")
        assert caller.recv(65536) == b"PRI * HTTP/2.0\r\nHELLO"


def test_chain_ends_with_its_service(front: tuple[subprocess.Popen[bytes], int, int]) -> None:
    process, _, _ = front
    process.terminate()
    assert process.wait(timeout=10) == 143


def test_chain_is_healthy_but_not_ready_while_the_service_starts(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, DOCKER / "chain" / "serve.py", "sleep", "60"]
    environment = {"PORT": str(port), "GRPC_PORT": str(free_port()), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, env=environment)
    try:
        await_port(port)
        answers = [httpx.get(f"http://127.0.0.1:{port}/{path}", trust_env=False) for path in ("health", "ready")]
        assert [answer.status_code for answer in answers] == [200, 503]
        check = [sys.executable, DOCKER / "chain" / "serve.py", "--check"]
        assert subprocess.run(check, env=environment, check=False).returncode == 0
    finally:
        process.terminate()
        process.wait()


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("path", "is_healthy"), [("/health", True), ("/other", False)])
def test_the_health_check_of_the_dotnet_images_reads_the_status(path: str, is_healthy: bool) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    command = ["bash", str(DOCKER / "health.sh"), str(server.server_port), path]
    result = subprocess.run(command, check=False, timeout=10)
    server.shutdown()
    thread.join()
    server.server_close()
    assert (result.returncode == 0) == is_healthy
