"""Shapes that the workspaces of others have: what is right is left alone, and what is wrong is found at its line."""

from pathlib import Path

import pytest
from workspace.preflight import docker
from workspace.preflight.checkout import Checkout

RUNS = "USER nobody\n"


def found(root: Path, files: dict[str, str]) -> list[tuple[str, str]]:
    """The rules and places of what the family for Dockerfiles finds."""
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return [(each.rule.id, each.place) for each in docker.check(Checkout(root)).findings]


def asking(base: str, layers: str = "", how: str = "CMD curl -f http://localhost/health || exit 1") -> dict[str, str]:
    """A Dockerfile with a health check."""
    return {"Dockerfile": f"FROM {base}\n{layers}{RUNS}HEALTHCHECK --interval=30s \\\n  {how}\n"}


@pytest.mark.parametrize(
    "files",
    [
        asking("mcr.microsoft.com/dotnet/aspnet:10.0"),
        asking("mcr.microsoft.com/dotnet/runtime:10.0-noble-chiseled"),
        asking("python:3.14-slim", how='CMD ["curl", "-f", "http://localhost/health"]'),
        asking("node:24-trixie-slim", how="CMD wget -qO- http://localhost/health"),
        asking("node:24-alpine"),
        asking("mcr.microsoft.com/dotnet/aspnet:10.0-alpine"),
        asking("debian:13"),
    ],
    ids=str,
)
def test_a_health_check_that_asks_with_a_program_which_is_not_there_is_found(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert found(tmp_path, files) == [("docker/no-health-check", "Dockerfile:3")]


@pytest.mark.parametrize(
    "files",
    [
        asking("node:24-alpine", how="CMD wget -qO- http://localhost/health || exit 1"),
        asking("node:24-alpine", how="CMD wget -q localhost || curl -f localhost"),
        asking("node:24"),
        asking("nginx:1.29-alpine"),
        asking("mcr.microsoft.com/dotnet/aspnet:10.0", "COPY --from=busybox:1.37 /bin/wget /usr/bin/curl\n"),
        asking("alpine:3.23", "RUN apk add --no-cache curl\n"),
        asking(
            "python:3.14-slim", how="CMD python -c 'import urllib.request; urllib.request.urlopen(\"http://a/curl\")'"
        ),
        asking("registry.example.org/base:1"),
    ],
    ids=str,
)
def test_a_health_check_whose_program_is_there_is_left_alone(tmp_path: Path, files: dict[str, str]) -> None:
    assert found(tmp_path, files) == []


def test_a_file_tells_more_of_the_context_than_a_folder_with_a_common_name(tmp_path: Path) -> None:
    image = f"FROM python:3.14-slim\nCOPY requirements.txt .\nCOPY worker/ worker/\n{RUNS}HEALTHCHECK CMD python a.py\n"
    files = {"src/worker/Dockerfile": image, "src/worker/requirements.txt": "", "src/api/.keep": ""}
    assert found(tmp_path, files) == [("docker/source-missing", "src/worker/Dockerfile:3")]
    assert found(tmp_path, {"src/worker/worker/main.py": ""}) == []
