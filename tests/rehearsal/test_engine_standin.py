"""The engine stand-in: it says what it is, what it did not do, and makes the same image of the same files."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from workspace.rehearsal.engine import EngineStandIn
from workspace.rehearsal.faults import Faults
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
def http(served: tuple[Behind, str], tmp_path: Path) -> Iterator[httpx.Client]:
    behind, url = served
    behind.app = EngineStandIn(tmp_path / "engine", Faults(tmp_path)).app
    with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
        yield client


def context(dockerfile: str, **files: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, text in {"Dockerfile": dockerfile, "a": "1", **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def build(http: httpx.Client, dockerfile: str, tag: str = "web:1", **query: str) -> list[dict[str, object]]:
    answer = http.post("/v1.41/build", params={"t": tag, **query}, content=context(dockerfile))
    return [json.loads(line) for line in answer.raise_for_status().text.splitlines()]


def text(lines: list[dict[str, object]]) -> str:
    return "".join(str(line.get("stream", line.get("error", ""))) for line in lines)


def test_it_says_that_it_is_a_rehearsal(http: httpx.Client) -> None:
    version = http.get("/version").json()
    assert "rehearsal" in version["Version"]
    assert "rehearsal" in version["Platform"]["Name"]
    assert "rehearsal" in http.get("/info").json()["OperatingSystem"]
    assert http.get("/_ping").headers["api-version"] == version["ApiVersion"]


def test_it_says_what_it_does_not_do(http: httpx.Client) -> None:
    said = text(build(http, "FROM python:3.13-slim\nRUN make\nCOPY a /a\n"))
    assert "rehearsal: base python:3.13-slim not fetched" in said
    assert "rehearsal: not executed" in said


def test_the_same_files_make_the_same_image(http: httpx.Client) -> None:
    first, second = (build(http, "FROM scratch\nCOPY a /a\n") for _ in range(2))
    assert [line for line in first if "aux" in line] == [line for line in second if "aux" in line]


def test_what_the_instructions_say_is_in_the_image(http: httpx.Client) -> None:
    build(
        http,
        "ARG BASE=scratch\nFROM ${BASE}\nARG PORT=80\nCOPY a /a\nENV A=b \\\n  C=d\nWORKDIR /srv\nWORKDIR in\n"
        'USER 10000\nEXPOSE ${PORT}\nHEALTHCHECK CMD true\nENTRYPOINT ["/a"]\nCMD serve it\n'
        'VOLUME /data\nLABEL x="y z"\n',
        buildargs='{"PORT": "8080"}',
        labels='{"title": "web"}',
    )
    config = http.get("/images/web:1/json").json()["Config"]
    assert config["Env"][1:] == ["A=b", "C=d"]
    assert config["WorkingDir"] == "/srv/in"
    assert config["User"] == "10000"
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert (config["Entrypoint"], config["Cmd"]) == (["/a"], ["/bin/sh", "-c", "serve it"])
    assert config["Volumes"] == {"/data": {}}
    assert config["Labels"] == {"x": "y z", "title": "web"}


def test_a_value_with_blanks_is_one_value_and_many_ports(http: httpx.Client) -> None:
    dockerfile = "FROM scratch\nARG PORTS\nCOPY a /a\nENV PORTS=${PORTS}\nLABEL ports=${PORTS}\nEXPOSE ${PORTS}\n"
    build(http, dockerfile, buildargs='{"PORTS": "3000 3001"}')
    config = http.get("/images/web:1/json").json()["Config"]
    assert config["Env"][1:] == ["PORTS=3000 3001"]
    assert config["Labels"] == {"ports": "3000 3001"}
    assert config["ExposedPorts"] == {"3000/tcp": {}, "3001/tcp": {}}


SECOND = 10**9


@pytest.mark.parametrize(
    ("rest", "kept"),
    [
        ("CMD true", {"Test": ["CMD-SHELL", "true"]}),
        ('CMD ["/a", "--check"]', {"Test": ["CMD", "/a", "--check"]}),
        ("NONE", {"Test": ["NONE"]}),
        (
            "--interval=1m30s --timeout=500ms --start-period=5s --retries=3 CMD true",
            {
                "Test": ["CMD-SHELL", "true"],
                "Interval": 90 * SECOND,
                "Timeout": SECOND // 2,
                "StartPeriod": 5 * SECOND,
                "Retries": 3,
            },
        ),
    ],
)
def test_a_health_check_is_kept_as_the_engine_keeps_it(http: httpx.Client, rest: str, kept: dict[str, object]) -> None:
    build(http, f"FROM scratch\nCOPY a /a\nHEALTHCHECK {rest}\n")
    assert http.get("/images/web:1/json").json()["Config"]["Healthcheck"] == kept


def test_a_health_check_with_a_time_that_is_none_ends_the_build(http: httpx.Client) -> None:
    said = text(build(http, "FROM scratch\nCOPY a /a\nHEALTHCHECK --interval=soon CMD true\n"))
    assert 'time: invalid duration "soon"' in said


def test_a_file_of_a_stage_that_was_not_executed_is_taken_on_trust(http: httpx.Client) -> None:
    said = text(build(http, "FROM node:24 AS build\nRUN make\nFROM scratch\nCOPY --from=build /dist /srv\nCOPY a /a\n"))
    assert "/dist comes from what was not executed" in said
    assert "Successfully tagged web:1" in said


def test_a_wanted_stage_ends_the_build(http: httpx.Client) -> None:
    said = text(build(http, "FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY absent /b\n", target="one"))
    assert "absent" not in said


def test_an_argument_nobody_declares_is_warned_of(http: httpx.Client) -> None:
    said = text(build(http, "FROM scratch\nCOPY a /a\n", buildargs='{"X": "1"}'))
    assert "[Warning] One or more build-args [X] were not consumed" in said


def test_images_are_listed_tagged_and_deleted(http: httpx.Client) -> None:
    build(http, "FROM scratch\nCOPY a /a\n")
    assert http.post("/v1.41/images/web:1/tag", params={"repo": "host:1/web", "tag": "2"}).status_code == 201
    assert [image["RepoTags"] for image in http.get("/images/json").json()] == [["host:1/web:2", "web:1"]]
    assert http.delete("/images/web:1").json() == [{"Untagged": "web:1"}]
    deleted = http.delete("/images/host:1/web:2").json()
    assert deleted[0] == {"Untagged": "host:1/web:2"}
    assert "Deleted" in deleted[1]
    assert http.get("/images/json").json() == []


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_an_image_that_is_not_there_is_refused_as_docker_does(http: httpx.Client, verb: str) -> None:
    path = "/images/none:1/json" if verb == "get" else "/images/none:1"
    answer = getattr(http, verb)(path)
    assert answer.status_code == 404
    assert "No such image: none:1" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/v1.41/containers/json", "/volumes", "/v1.41/images/create"])
def test_what_it_does_not_know_is_refused(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()) == (404, {"message": "page not found"})
