"""The engine client: what goes into an image, and what a person hears."""

import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.engine import Engine, read_dockerfile
from workspace.errors import Broken, Refused, Unsettled
from workspace.rehearsal.engine import EngineStandIn
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn
from workspace.rehearsal.serving import Served


class Behind:
    """One address for the whole module; each test puts a fresh stand-in behind it."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Behind, str]]:
    behind = Behind()
    with Served(behind) as server:
        yield behind, server.url


@pytest.fixture
def engine(served: tuple[Behind, str], tmp_path: Path) -> Engine:
    behind, url = served
    behind.app = EngineStandIn(tmp_path / "engine", Faults(tmp_path)).app
    return Engine(url)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout: one service, and what has no business in its image."""
    root = tmp_path / "checkout"
    files = {
        "packages/web/index.html": "hello",
        "packages/web/node_modules/big/index.js": "x",
        "packages/web/.env": "SECRET=1",
        "packages/other/main.py": "pass",
        "docker/web/Dockerfile": "FROM scratch\nARG V=1\nCOPY packages/web /web/\nLABEL v=$V\n",
        "docker/web/Dockerfile.dockerignore": "**/node_modules\n**/.env\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def inputs(root: Path, **arguments: str) -> str:
    return all_of(root, **arguments).fingerprint


def all_of(root: Path, **arguments: str):  # type: ignore[no-untyped-def]
    return Engine("tcp://127.0.0.1:9").inputs(
        context=root, dockerfile=root / "docker/web/Dockerfile", arguments=arguments
    )


def test_only_copied_files_that_are_not_ignored_are_sent(root: Path) -> None:
    assert all_of(root).files == ("packages/web", "packages/web/index.html")


def test_the_address_of_the_content_is_the_same_in_another_checkout(root: Path, tmp_path: Path) -> None:
    before = inputs(root)
    moved = root.rename(tmp_path / "elsewhere")
    (moved / "packages/web/index.html").touch()
    assert inputs(moved) == before


CHANGES = {
    "a byte": lambda root: (root / "packages/web/index.html").write_text("other"),
    "a name": lambda root: (root / "packages/web/index.html").rename(root / "packages/web/index.htm"),
    "a mode": lambda root: (root / "packages/web/index.html").chmod(0o755),
    "an instruction": lambda root: (root / "docker/web/Dockerfile").write_text("FROM scratch\nCOPY packages/web /\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_address_of_the_content_changes_with(root: Path, change: str) -> None:
    before = inputs(root)
    CHANGES[change](root)
    assert inputs(root) != before


def test_the_address_of_the_content_changes_with_an_argument(root: Path) -> None:
    assert inputs(root, V="2") != inputs(root)


def test_what_is_not_copied_changes_nothing(root: Path) -> None:
    before = inputs(root)
    (root / "packages/other/main.py").write_text("other")
    (root / "packages/web/.env").write_text("SECRET=2")
    assert inputs(root) == before


def test_an_argument_nobody_declares_is_refused(root: Path) -> None:
    with pytest.raises(Refused, match="declares no ARG VERSION"):
        inputs(root, VERSION="1")


def test_a_submodule_that_was_not_fetched_is_refused_with_the_command(root: Path) -> None:
    for file in (root / "packages/web").rglob("*"):
        if file.is_file():
            file.unlink()
    with pytest.raises(Refused, match="git submodule update --init packages/web"):
        inputs(root)


def test_a_dockerfile_that_is_not_there_is_refused(root: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        Engine().inputs(context=root, dockerfile=root / "none")


def test_a_link_makes_the_whole_context_needed(root: Path) -> None:
    (root / "packages/web/other").symlink_to("../other/main.py")
    assert "packages/other/main.py" in all_of(root).files


SOURCES = {
    "COPY a b /x/": ("a", "b"),
    'COPY ["a", "b c", "/x/"]': ("a", "b c"),
    "COPY --chown=1:1 ./a/ /x": ("a",),
    "COPY --from=build /a /x": (),
    "ADD https://example.test/a.tar /x": (),
    "COPY . /x": None,
    "COPY $UNKNOWN /x": None,
    "ARG D=a\nCOPY ${D}/b /x": ("a/b",),
    "ARG D=a\nCOPY ${D:-c}/b /x": None,
    "ENV D a\nCOPY $D /x": ("a",),
    "COPY a \\\n  # a comment\n  b \\\n  /x/": ("a", "b"),
    "COPY .config /x": (".config",),
    "RUN --mount=type=bind,target=/x true": None,
}


@pytest.mark.parametrize("text", SOURCES)
def test_what_a_dockerfile_copies_is_told(text: str) -> None:
    assert read_dockerfile(f"FROM scratch\n{text}\n", {}).sources == SOURCES[text]


def test_a_given_argument_replaces_the_default() -> None:
    text = "FROM scratch\nARG D=a\nCOPY $D /x\n"
    assert read_dockerfile(text, {"D": "b"}).sources == ("b",)


def test_an_engine_that_is_away_is_unsettled_and_not_reachable() -> None:
    away = Engine("tcp://127.0.0.1:9")
    assert not away.reachable()
    with pytest.raises(Unsettled, match="does not answer"):
        away.describe()


def test_an_engine_that_breaks_off_in_the_middle_is_unsettled(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            version = b'{"ApiVersion": "1.41"}'
            for body in (version, None):
                with listener.accept()[0] as connection:
                    connection.settimeout(2)
                    connection.recv(65536)
                    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                    if body:
                        connection.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                    else:
                        connection.sendall(head + b'Transfer-Encoding: chunked\r\n\r\n14\r\n{"stream": "Step 1')

        threading.Thread(target=serve, daemon=True).start()
        engine = Engine(f"tcp://127.0.0.1:{listener.getsockname()[1]}", silence_seconds=5)
        with pytest.raises(Unsettled, match="build web:1"):
            engine.build(context=root, dockerfile=root / "docker/web/Dockerfile", tag="web:1")


def test_a_name_docker_does_not_take_is_refused(engine: Engine, root: Path) -> None:
    with pytest.raises(Refused, match="invalid tag"):
        engine.build(context=root, dockerfile=root / "docker/web/Dockerfile", tag="WEB:1")


def test_the_rehearsal_says_that_it_is_one(engine: Engine) -> None:
    assert engine.reachable()
    assert not engine.describe().is_real
    assert str(engine.describe()).endswith("(rehearsal)")


def test_a_value_that_is_named_like_a_secret_is_never_said(engine: Engine, root: Path) -> None:
    text = "FROM scratch\nARG NPM_TOKEN\nCOPY packages/web /web\nLABEL t=hunter22 u=https://me:pw@example.test\n"
    (root / "docker/web/Dockerfile").write_text(text)
    said: list[str] = []
    engine.build(
        context=root,
        dockerfile=root / "docker/web/Dockerfile",
        tag="web:1",
        arguments={"NPM_TOKEN": "hunter22"},
        say=said.append,
    )
    assert "LABEL t=*** u=https://me:***@example.test" in "\n".join(said)
    assert "hunter22" not in "\n".join(said)


def test_a_failed_build_ends_with_the_last_words_of_its_step(engine: Engine, root: Path, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps([{"point": "engine", "subject": "web", "how": "BuildFails"}]))
    with pytest.raises(Broken, match=r"failed at Step 4/4 : LABEL v=.*non-zero code: 1; its last words"):
        engine.build(context=root, dockerfile=root / "docker/web/Dockerfile", tag="web:1")


def test_an_engine_that_does_not_tell_the_digest_leaves_it_to_the_registry(
    engine: Engine, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "faults.json").write_text(json.dumps([{"point": "engine", "subject": "web", "how": "NoDigest"}]))
    with Served(RegistryStandIn(tmp_path / "registry", Faults(tmp_path)).app) as served:
        reference = f"127.0.0.1:{served.port}/web:1"
        engine.build(context=root, dockerfile=root / "docker/web/Dockerfile", tag=reference)
        assert engine.push(reference) == ""


def test_a_wrong_password_is_broken(engine: Engine, root: Path, tmp_path: Path) -> None:
    stand_in = RegistryStandIn(tmp_path / "registry", Faults(tmp_path), login=("ci", "right"))
    with Served(stand_in.app) as served:
        reference = f"127.0.0.1:{served.port}/web:1"
        engine.build(context=root, dockerfile=root / "docker/web/Dockerfile", tag=reference)
        with pytest.raises(Broken, match="unauthorized"):
            engine.push(reference, login=("ci", "wrong"))


def test_the_dockerfile_does_not_end_up_in_an_image_of_everything(engine: Engine, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "Dockerfile"
    outside.write_text("FROM scratch\nCOPY . /all/\n")
    engine.build(context=root, dockerfile=outside, tag="all:1")
    (layer,) = (tmp_path / "engine").rglob("layer.tar.gz")
    with tarfile.open(layer) as tar:
        names = {member.name for member in tar if member.isfile()}
    assert "all/packages/other/main.py" in names
    assert not any(name.startswith(("all/.Dockerfile", "all/.dockerignore")) for name in names)
