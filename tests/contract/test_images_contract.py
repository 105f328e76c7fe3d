"""Building, pushing and carrying images: the same sentences for the stand-ins and for Debian's engine and registry."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from workspace.clients.engine import Engine
from workspace.clients.registry import Registry
from workspace.errors import Broken, Refused, Unsettled
from workspace.rehearsal import image
from workspace.rehearsal.engine import EngineStandIn
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn, real_registry
from workspace.rehearsal.serving import Served

REAL = pytest.param("real", marks=(pytest.mark.docker, pytest.mark.evidence("docker")))
ABSENT = "sha256:" + "1" * 64
START_SECONDS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module", params=["stand-in", REAL])
def registry(request: pytest.FixtureRequest, folder: Path) -> Iterator[Registry]:
    if request.param == "real":
        served = real_registry(folder / "real-registry")
        if served is None:
            pytest.skip("docker-registry is not installed")
        with served:
            yield Registry(served.url)
    else:
        with Served(RegistryStandIn(folder / "registry", Faults(folder)).app) as stand_in:
            yield Registry(stand_in.url)


@pytest.fixture(scope="module", params=["stand-in", REAL])
def engine(request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    if request.param == "real":
        yield from real_engine(folder / "real-engine")
    else:
        with Served(EngineStandIn(folder / "engine", Faults(folder)).app) as served:
            yield Engine(served.url)


def real_engine(directory: Path) -> Iterator[Engine]:
    """The engine that runs here, else one of our own without a network bridge, so that nothing stays behind."""
    if Engine().reachable():
        yield Engine()
        return
    if not shutil.which("dockerd") or os.geteuid() != 0:
        pytest.skip("no Docker engine answers, and dockerd is not installed or we are not root")
    if Path("/sys/class/net/docker0").exists():
        pytest.skip("docker0 belongs to another engine, which a second one would break")
    yield from own_engine(directory)


def own_engine(directory: Path) -> Iterator[Engine]:
    directory.mkdir()
    socket = f"unix://{directory}/docker.sock"
    places = ["-H", socket, "--data-root", directory / "root", "--exec-root", directory / "exec"]
    quiet = ["--bridge=none", "--iptables=false", "--ip-forward=false", "--storage-driver=vfs"]
    command = ["dockerd", *places, "--pidfile", directory / "pid", *quiet]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        engine, deadline = Engine(socket), time.monotonic() + START_SECONDS
        while not engine.reachable():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"dockerd did not start: {(directory / 'log').read_text()[-300:]}")
            time.sleep(0.1)
        yield engine
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
        # A container in the machine's own network leaves the namespace's file mounted.
        mounted = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
        for place in (each for each in mounted if each.startswith(f"{directory}/")):
            subprocess.run(["umount", place], check=False)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A context with one service."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.html").write_text(f"hello from {tmp_path.name}\n")
    write(tmp_path, "FROM scratch\nARG VERSION=0\nCOPY web /web/\nLABEL version=${VERSION}\n")
    return tmp_path


def write(folder: Path, dockerfile: str) -> None:
    (folder / "Dockerfile").write_text(dockerfile)


def build(engine: Engine, sources: Path, tag: str, **rest: object) -> str:
    return engine.build(context=sources, dockerfile=sources / "Dockerfile", tag=tag, **rest)  # type: ignore[arg-type]


def pushed(engine: Engine, registry: Registry, sources: Path, repository: str, tag: str = "one") -> str:
    reference = f"{registry.authority}/{repository}:{tag}"
    build(engine, sources, reference, arguments={"VERSION": "7"})
    return engine.push(reference)


def test_what_was_pushed_is_in_the_registry_under_the_digest_of_the_push(
    engine: Engine, registry: Registry, sources: Path
) -> None:
    digest = pushed(engine, registry, sources, "web")
    assert registry.digest("web", "one") == digest
    assert registry.exists("web", digest)
    assert registry.tags("web") == ("one",)


def test_pushing_again_gives_the_same_digest(engine: Engine, registry: Registry, sources: Path) -> None:
    digest = pushed(engine, registry, sources, "again")
    assert engine.push(f"{registry.authority}/again:one") == digest


def test_a_digest_is_carried_to_another_repository_and_tagged_there(
    engine: Engine, registry: Registry, sources: Path
) -> None:
    digest = pushed(engine, registry, sources, "from")
    said: list[str] = []
    assert registry.carry(digest, "from", "to", tag="staging", say=said.append) == digest
    assert registry.digest("to", "staging") == digest
    assert "2 mounted, 0 B streamed" in said[0]


def test_carrying_again_writes_nothing(engine: Engine, registry: Registry, sources: Path) -> None:
    digest = pushed(engine, registry, sources, "once")
    registry.carry(digest, "once", "twice", tag="staging")
    said: list[str] = []
    registry.carry(digest, "once", "twice", tag="staging", say=said.append)
    assert said == []


def test_a_digest_is_carried_to_another_registry_byte_by_byte(
    engine: Engine, registry: Registry, sources: Path, tmp_path: Path
) -> None:
    digest = pushed(engine, registry, sources, "there")
    said: list[str] = []
    with Served(RegistryStandIn(tmp_path / "other", Faults(tmp_path)).app) as other:
        target = Registry(other.url)
        target.carry(digest, "there", "here", source=registry, say=said.append)
        assert target.manifest("here", digest).body == registry.manifest("there", digest).body
    assert "0 mounted" in said[0]


def test_an_image_the_registry_does_not_hold_is_refused_with_its_digest(registry: Registry) -> None:
    with pytest.raises(Refused, match=ABSENT):
        registry.carry(ABSENT, "nowhere", "here")


def test_a_repository_nobody_pushed_to_has_no_tags_and_no_digests(registry: Registry) -> None:
    assert registry.tags("nobody") == ()
    assert registry.digest("nobody", "latest") is None


def test_an_index_is_carried_with_its_children(engine: Engine, registry: Registry, sources: Path) -> None:
    child = pushed(engine, registry, sources, "single")
    index = put_index(registry, "single", child)
    registry.carry(index, "single", "multi", tag="dev")
    assert registry.digest("multi", "dev") == index
    assert registry.exists("multi", child)


def put_index(registry: Registry, repository: str, child: str) -> str:
    image = registry.manifest(repository, child)
    media_type = "application/vnd.docker.distribution.manifest.list.v2+json"
    entry = {
        "mediaType": image.media_type,
        "size": len(image.body),
        "digest": child,
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    body = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}).encode()
    url = f"http://{registry.authority}/v2/{repository}/manifests/both"
    httpx.put(url, content=body, headers={"Content-Type": media_type}, trust_env=False).raise_for_status()
    return "sha256:" + hashlib.sha256(body).hexdigest()


def test_progress_names_the_steps(engine: Engine, sources: Path) -> None:
    said: list[str] = []
    build(engine, sources, "web:1", say=said.append)
    assert any(line.startswith("Step 3/4 : COPY web /web/") for line in said)
    assert any(line.startswith("Successfully tagged web:1") for line in said)


BROKEN_FILES = {
    "an unknown instruction": ("FROM scratch\nCOPY web /web\nFOO bar\n", "unknown instruction: FOO"),
    "an unknown flag": ("FROM scratch\nCOPY --link web /web\n", "Unknown flag: link"),
    "a shell that is not there": ("FROM scratch\nCOPY web /web\nRUN make\n", "/bin/sh"),
    "a mount": ("FROM scratch\nCOPY web /web\nRUN --mount=type=cache,target=/x make\n", "requires BuildKit"),
    "an unknown stage": ("FROM scratch\nCOPY --from=nope web /web\n", "invalid from flag value nope"),
    "a file an earlier stage lacks": (
        "FROM scratch AS one\nCOPY web /web\nFROM scratch\nCOPY --from=one /none /x\n",
        "stat none: file does not exist",
    ),
    "nothing to make an image of": ("FROM scratch\n", "No image was generated"),
    "two sources for one file": ("FROM scratch\nCOPY web Dockerfile /web\n", "must be a directory and end with a /"),
    "no stage": ("COPY web /web\n", "no build stage in current context"),
    "an empty file": ("", "cannot be empty"),
    "comments only": ("# nothing\n", "file with no instructions"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_build_that_fails_is_broken_in_the_engines_words(engine: Engine, sources: Path, case: str) -> None:
    text, words = BROKEN_FILES[case]
    write(sources, text)
    with pytest.raises(Broken, match=words):
        build(engine, sources, "web:broken")


def test_a_failing_step_is_named(engine: Engine, sources: Path) -> None:
    write(sources, "FROM scratch\nCOPY web /web\nRUN make\n")
    with pytest.raises(Broken, match="failed at Step 3/3 : RUN make"):
        build(engine, sources, "web:broken")


def test_an_image_nobody_built_is_not_pushed(engine: Engine, registry: Registry) -> None:
    with pytest.raises(Broken, match="does not exist locally"):
        engine.push(f"{registry.authority}/never:built")


def test_a_push_to_a_registry_that_is_away_is_unsettled(engine: Engine, sources: Path) -> None:
    build(engine, sources, "127.0.0.1:9/web:1")
    with pytest.raises(Unsettled, match="connection refused"):
        engine.push("127.0.0.1:9/web:1")


def test_a_registry_that_wants_a_login_is_not_pushed_to_without_one(
    engine: Engine, sources: Path, tmp_path: Path
) -> None:
    stand_in = RegistryStandIn(tmp_path / "locked", Faults(tmp_path), login=("ci", "right"))
    with Served(stand_in.app) as served:
        reference = f"127.0.0.1:{served.port}/web:1"
        build(engine, sources, reference)
        with pytest.raises(Broken, match="no basic auth credentials"):
            engine.push(reference)
        digest = engine.push(reference, login=("ci", "right"))
        assert Registry(served.url, credential=lambda: ("ci", "right")).exists("web", digest)


def test_stages_wildcards_and_folders_are_copied_as_docker_copies_them(
    engine: Engine, registry: Registry, sources: Path
) -> None:
    (sources / "a.txt").write_text("a")
    (sources / "b.txt").write_text("b")
    write(
        sources,
        "FROM scratch AS one\nWORKDIR /srv\nCOPY *.txt ./\nCOPY web web\n"
        "FROM scratch\nCOPY --from=one /srv /copy\nCOPY web/index.html /index\nCOPY web a.txt /mixed/\n",
    )
    digest = pushed_as(engine, registry, sources, "layout")
    assert files_of(registry, "layout", digest) == {
        "copy/a.txt",
        "copy/b.txt",
        "copy/web/index.html",
        "index",
        "mixed/a.txt",
        "mixed/index.html",
    }


def pushed_as(engine: Engine, registry: Registry, sources: Path, repository: str) -> str:
    reference = f"{registry.authority}/{repository}:one"
    build(engine, sources, reference)
    return engine.push(reference)


def files_of(registry: Registry, repository: str, digest: str) -> set[str]:
    """The names of the regular files in all layers."""
    layers = json.loads(registry.manifest(repository, digest).body)["layers"]
    names = set[str]()
    for layer in layers:
        content = b"".join(registry.blob(repository, layer["digest"]))
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            names |= {member.name for member in tar if member.isfile()}
    return names


REHEARSAL = Path(__file__).parents[2] / "infra" / "docker" / "rehearsal" / "Dockerfile"
SERVICES = ["chain", "publisher", "story-generator"]


@pytest.fixture(scope="module")
def context(folder: Path) -> image.Context:
    """What the images that stand for services are made of; without a busybox only a stand-in can build them."""
    return image.prepare(folder / "context", runs=False)


def stands_for(engine: Engine, context: image.Context, service: str, reference: str) -> str:
    arguments = context.arguments(service)
    return engine.build(context=context.folder, dockerfile=REHEARSAL, tag=reference, arguments=arguments)


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_of_a_rehearsal_is_built_without_any_base(
    engine: Engine, registry: Registry, context: image.Context, service: str
) -> None:
    repository = f"rehearsal/{service}"
    reference = f"{registry.authority}/{repository}:1"
    first = stands_for(engine, context, service, reference)
    digest = engine.push(reference)
    config = configuration(registry, repository, digest)
    assert config["Labels"]["org.opencontainers.image.version"] == context.version
    assert config["User"] == "10000:10000"
    assert set(config["ExposedPorts"]) == {f"{port}/tcp" for port in image.PORTS[service].split()}
    assert config["Healthcheck"]["Test"] == ["CMD", "/bin/busybox", "sh", "/opt/mystira/serve", "--check"]
    assert config["Healthcheck"]["Interval"] == 10_000_000_000
    answers = {f"srv/{each}" for each in ("health", "ready", "version")}
    assert files_of(registry, repository, digest) == {"bin/busybox", "opt/mystira/serve", *answers}
    assert stands_for(engine, context, service, reference) == first
    assert engine.push(reference) == digest


def configuration(registry: Registry, repository: str, digest: str) -> dict[str, Any]:
    place = json.loads(registry.manifest(repository, digest).body)["config"]["digest"]
    found: dict[str, Any] = json.loads(b"".join(registry.blob(repository, place)))["config"]
    return found


@pytest.fixture(params=SERVICES)
def running(
    request: pytest.FixtureRequest, real: Engine, registry: Registry, runnable: image.Context
) -> Iterator[tuple[str, Any, dict[int, int]]]:
    """A service's stand-in as it was pushed and pulled again, on a read-only root: its container, and port by port."""
    reference = f"{registry.authority}/running/{request.param}:1"
    stands_for(real, runnable, request.param, reference)
    digest = real.push(reference)
    with contextlib.closing(docker.DockerClient(base_url=real.address)) as client:
        client.images.remove(reference)
        wanted = [int(each) for each in image.PORTS[request.param].split()]
        is_bridged = any(each.name == "bridge" for each in client.networks.list(names=["bridge"]))
        places = {port: free_port() for port in wanted}
        # Without a bridge the container is in this machine's own network, on the same free ports.
        where: dict[str, Any] = {"ports": {f"{port}/tcp": ("127.0.0.1", place) for port, place in places.items()}}
        if not is_bridged:
            where = {"network_mode": "host", "environment": {"PORTS": " ".join(map(str, places.values()))}}
        container = client.containers.run(
            f"{reference.rpartition(':')[0]}@{digest}",
            detach=True,
            read_only=True,
            user="1000:1000",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            **where,
        )
        try:
            yield request.param, container, places
        finally:
            container.remove(force=True)


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[Engine]:
    yield from real_engine(folder / "running-engine")


@pytest.fixture(scope="module")
def runnable(folder: Path) -> image.Context:
    return image.prepare(folder / "runnable", runs=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.docker
def test_the_image_of_a_rehearsal_answers_on_its_ports_and_stops_when_told(
    running: tuple[str, Any, dict[int, int]], runnable: image.Context
) -> None:
    service, container, places = running
    for place in places.values():
        assert asked(place, "/health").text == "healthy\n"
        assert asked(place, "/ready").text == "ready\n"
        assert asked(place, "/version").json() == {"service": service, "version": runnable.version}
        assert asked(place, "/nothing").status_code == 404
    state = settled(container, "healthy")
    assert state["Health"]["Status"] == "healthy"
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 0
    assert container.logs() == b""


KILL_ONE = """for place in /proc/[0-9]*; do
  if /bin/busybox grep -q ^/bin/busybox.httpd "$place/cmdline"; then kill "${place#/proc/}"; exit; fi
done"""


@pytest.mark.docker
def test_the_image_of_a_rehearsal_ends_when_one_of_its_servers_does(running: tuple[str, Any, dict[int, int]]) -> None:
    _, container, places = running
    asked(next(iter(places.values())), "/health")
    container.exec_run(["/bin/busybox", "sh", "-c", KILL_ONE])
    assert container.wait(timeout=START_SECONDS)["StatusCode"] == 1
    assert b"ended" in container.logs()


def asked(place: int, path: str) -> httpx.Response:
    """The answer, once something listens."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{place}{path}", trust_env=False)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def settled(container: Any, wanted: str) -> dict[str, Any]:
    """The container's state, once its health check said what is wanted or time is up."""
    deadline = time.monotonic() + 2 * START_SECONDS
    while True:
        container.reload()
        state: dict[str, Any] = container.attrs["State"]
        if state["Health"]["Status"] == wanted or time.monotonic() > deadline:
            return state
        time.sleep(0.3)


def test_a_fresh_build_needs_nothing_from_before(engine: Engine, sources: Path) -> None:
    first = build(engine, sources, "fresh:1")
    assert build(engine, sources, "fresh:1", fresh=True)
    assert first
