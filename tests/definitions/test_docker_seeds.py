"""Mistakes put into Dockerfiles on purpose: each is found by its rule, at its place, and nothing else is.

Those here are put into our own files; those of `docker_corpus` into small workspaces as others lay them out, and so is
what only looks like a mistake.
"""

import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from docker_corpus import LAYOUTS, NEAR_MISSES, WHOLE
from docker_corpus import SEEDS as FOREIGN
from workspace.preflight import docker
from workspace.preflight.checkout import Checkout
from workspace.preflight.docker_shell import lost
from workspace.preflight.finding import Finding

ROOT = Path(__file__).resolve().parents[2]
CHAIN = "infra/docker/chain/Dockerfile"
PUBLISHER = "infra/docker/publisher/Dockerfile"
STORIES = "infra/docker/story-generator/Dockerfile"
API = "infra/docker/app-api/Dockerfile"
ADMIN = "infra/docker/admin-api/Dockerfile"
REHEARSAL = "infra/docker/rehearsal/Dockerfile"
SERVICES = "infra/kubernetes/base/chain/services.yaml"
DEPLOYMENT = "infra/kubernetes/base/publisher/deployment.yaml"
# What prepares the context of the rehearsal's image.
MAKER = "packages/workspace/rehearsal/image.py"
EVERYTHING = "\x00"

# what is wrong · file · old text · new text · rule · where it is found (line text) · words of the finding
SEEDS = [
    (
        "an instruction is misspelt",
        CHAIN,
        "WORKDIR /app\nUSER",
        "WORKDIRR /app\nUSER",
        "syntax",
        "WORKDIRR",
        "WORKDIRR",
    ),
    (
        "a list has single quotes",
        CHAIN,
        '["python", "server.py"]',
        "['python', 'server.py']",
        "syntax",
        "CMD ['",
        "CMD",
    ),
    ("a file has no stage", REHEARSAL, EVERYTHING, "# nothing\n", "syntax", "# nothing", "no FROM"),
    (
        "a stage has a wrong name",
        CHAIN,
        "--from=build /app",
        "--from=biuld /app",
        "unknown-stage",
        "biuld",
        "'biuld' build",
    ),
    ("a stage copies from one below", API, "COPY --from=build", "COPY --from=2", "unknown-stage", "--from=2", "'2'"),
    (
        "a base has no tag",
        API,
        "dotnet/aspnet:10.0-noble",
        "dotnet/aspnet",
        "base-not-pinned",
        "dotnet/aspnet",
        "latest",
    ),
    (
        "a base follows the newest",
        PUBLISHER,
        "nginx:1.30-alpine3.24",
        "nginx:latest",
        "base-not-pinned",
        "nginx:latest",
        "nginx:latest 'latest'",
    ),
    (
        "the build chooses the base",
        CHAIN,
        "FROM python:3.13-slim-trixie\n",
        "FROM python:$VERSION\n",
        "base-not-pinned",
        "$VERSION",
        "python:$VERSION default",
    ),
    (
        "nobody sets a user",
        STORIES,
        "USER 10000:10000\n",
        "",
        "runs-as-root",
        "dotnet/aspnet:10.0-noble",
        "root",
    ),
    (
        "root comes back",
        PUBLISHER,
        "USER 10000:10000",
        "USER 10000:10000\nUSER root",
        "runs-as-root",
        "USER root",
        "root",
    ),
    (
        "a health check is switched off",
        REHEARSAL,
        "HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \\\n    CMD",
        "HEALTHCHECK NONE\nCMD",
        "no-health-check",
        "NONE",
        "off",
    ),
    (
        "a health check is missing",
        PUBLISHER,
        'HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\\n    CMD ["wget", "-q", "-O",'
        ' "/dev/null", "http://127.0.0.1:3001/health"]\n',
        "",
        "no-health-check",
        "FROM nginx",
        "publisher HEALTHCHECK",
    ),
    (
        "the SDK is shipped",
        ADMIN,
        "dotnet/aspnet",
        "dotnet/sdk",
        "compiler-shipped",
        "dotnet/sdk:10.0-noble\n#",
        "dotnet/sdk",
    ),
    (
        "compilers are shipped",
        PUBLISHER,
        "RUN nginx -t",
        "RUN apk add --no-cache g++ make && nginx -t",
        "compiler-shipped",
        "RUN apk",
        "g++ make",
    ),
    (
        "a build may fail",
        PUBLISHER,
        "RUN npm run build && test -s dist/index.html",
        "RUN npm run build || mkdir -p dist",
        "failure-lost",
        "RUN npm run build",
        "npm run build mkdir",
    ),
    (
        "a build may fail, in brackets",
        PUBLISHER,
        "RUN npm run build && test -s dist/index.html",
        "RUN npm run build || (mkdir -p dist && touch dist/index.html)",
        "failure-lost",
        "RUN npm run build",
        "npm run build mkdir",
    ),
    (
        "a failure is waved through",
        API,
        "--output /app\n",
        "--output /app || true\n",
        "failure-lost",
        "|| true",
        "true",
    ),
    ("commands in a row", CHAIN, "compileall -q . &&", "compileall -q . ;", "failure-lost", "compileall", "set -e"),
    (
        "a pipe hides a failure",
        PUBLISHER,
        "RUN npm ci --no-audit --no-fund",
        "RUN npm ci --no-audit | tee /tmp/log",
        "failure-lost",
        "tee",
        "pipefail npm",
    ),
    (
        "a script goes on after a failure",
        CHAIN,
        "RUN python -m venv /opt/venv",
        "RUN <<EOF\npython -m venv /opt/venv\npython --version\nEOF",
        "failure-lost",
        "RUN <<EOF",
        "python -m venv",
    ),
    (
        "a file is not there",
        PUBLISHER,
        "COPY infra/docker/publisher/nginx.conf",
        "COPY infra/docker/publisher/ngnix.conf",
        "source-missing",
        "ngnix.conf",
        "ngnix.conf",
    ),
    (
        "a repository is misspelt",
        CHAIN,
        "COPY packages/chain/",
        "COPY packages/chian/",
        "source-missing",
        "chian",
        "packages/chian/",
    ),
    (
        "a path leaves the context",
        API,
        "COPY infra/docker/health.sh",
        "COPY ../docker/health.sh",
        "source-missing",
        "../docker",
        "outside",
    ),
    (
        "an ignore file keeps out what is copied",
        "infra/docker/publisher/Dockerfile.dockerignore",
        "**/.github",
        "**/*.conf",
        "source-missing",
        (PUBLISHER, "COPY infra/docker/publisher/nginx.conf"),
        "Dockerfile.dockerignore nginx.conf",
    ),
    (
        "nobody prepares the context",
        REHEARSAL,
        "prepared by packages/workspace/rehearsal/image.py",
        "prepared by packages/workspace/rehearsal/images.py",
        "source-missing",
        "COPY busybox",
        "busybox infra/docker/rehearsal",
    ),
    (
        "a service offers a port that nothing serves",
        SERVICES,
        "port: 30303, targetPort: rpc",
        "port: 30303, targetPort: 30303",
        "service-port",
        (CHAIN, "EXPOSE 8545"),
        "mystira-chain-p2p 8545 30303",
    ),
    (
        "everything is copied",
        REHEARSAL,
        "COPY services/${SERVICE}/",
        "COPY .",
        "no-ignore-file",
        "COPY . /srv/",
        "COPY ignore",
    ),
    (
        "an ignore file is gone",
        "infra/docker/chain/Dockerfile.dockerignore",
        EVERYTHING,
        "",
        "no-ignore-file",
        (CHAIN, "COPY packages/chain/"),
        "packages/chain/",
    ),
    (
        "a secret is an argument",
        PUBLISHER,
        'ARG VITE_API_URL=""',
        'ARG VITE_API_URL=""\nARG NPM_TOKEN',
        "secret",
        "NPM_TOKEN",
        "ARG NPM_TOKEN",
    ),
    (
        "a secret is a variable",
        CHAIN,
        "HOME=/tmp",
        "WALLET_PRIVATE_KEY=0xabc",
        "secret",
        "ENV PATH=/opt/venv/bin:$PATH \\\n    PYTHOND",
        "WALLET_PRIVATE_KEY",
    ),
    ("a value is a secret", STORIES, "HOME=/tmp", "DB=Server=x;AccountKey=abc", "secret", "ENV ASPNETCORE", "DB"),
    (
        "a settings file with secrets is copied",
        API,
        "COPY infra/docker/health.sh /opt/mystira/health.sh",
        "COPY infra/docker/health.sh /opt/mystira/health.sh\nCOPY packages/app/.env /app/.env",
        "secret",
        "packages/app/.env",
        "packages/app/.env",
    ),
    (
        "an image serves another port",
        PUBLISHER,
        "EXPOSE 3000 3001",
        "EXPOSE 3030 3001",
        "port",
        "EXPOSE",
        "3000 3030 mystira-publisher route",
    ),
    (
        "an image serves no port for probes",
        STORIES,
        "EXPOSE 8080 8081",
        "EXPOSE 8080",
        "port",
        "EXPOSE",
        "8081 startupProbe story-generator",
    ),
    (
        "a manifest asks another port",
        DEPLOYMENT,
        "containerPort: 3001",
        "containerPort: 3002",
        "port",
        (PUBLISHER, "EXPOSE"),
        "3002 livenessProbe Deployment mystira-publisher",
    ),
    (
        "a download is not compared",
        CHAIN,
        "RUN python -m venv /opt/venv",
        "ADD https://example.com/tool.tar.gz /opt/\nRUN python -m venv /opt/venv",
        "add-without-checksum",
        "ADD https",
        "example.com/tool.tar.gz",
    ),
    (
        "package lists stay",
        CHAIN,
        "RUN install -d",
        "RUN apt-get update && apt-get install -y --no-install-recommends curl && install -d",
        "package-lists",
        "RUN apt-get",
        "apt-get install /var/lib/apt/lists",
    ),
    (
        "lists are fetched alone",
        CHAIN,
        "RUN python -m venv",
        "RUN apt-get update\nRUN python -m venv",
        "package-lists",
        "RUN apt-get",
        "cached",
    ),
    (
        "a package index stays",
        PUBLISHER,
        "RUN nginx -t",
        "RUN apk add curl && nginx -t",
        "package-lists",
        "RUN apk",
        "--no-cache",
    ),
]

# what is right, though it looks like one of the mistakes
HARMLESS = [
    ("a condition", PUBLISHER, "RUN nginx -t", "RUN test -d /x || mkdir /x && nginx -t"),
    ("a script that stops", CHAIN, "RUN python -m venv", "RUN set -eu; python --version; python -m venv"),
    (
        "a shell with pipefail",
        CHAIN,
        "RUN python -m venv",
        'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nRUN id | cat; python -m venv',
    ),
    ("a marker in quotes", PUBLISHER, "RUN nginx -t", "RUN echo 'a || true; b | c' && nginx -t"),
    ("a base by digest", API, "aspnet:10.0-noble", f"aspnet@sha256:{'0' * 64}"),
    ("a base with a default", CHAIN, "FROM python:3.13-slim-trixie AS", "ARG V=3.13\nFROM python:${V}-slim-trixie AS"),
    (
        "an image named as a base without root",
        STORIES,
        "USER 10000:10000",
        "# 10.0-noble-chiseled has its own\nUSER app",
    ),
    (
        "tools that are removed again",
        PUBLISHER,
        "RUN nginx -t",
        "RUN apk add --no-cache gcc && apk del gcc && nginx -t",
    ),
    (
        "tools where nothing is shipped",
        CHAIN,
        "RUN python -m venv",
        "RUN apt-get update && apt-get install -y gcc && python -m venv",
    ),
    ("a token's file", CHAIN, "HOME=/tmp", "API_TOKEN_FILE=/run/secrets/token"),
    ("what a build makes", API, "COPY packages/app/ ./", "COPY packages/app/publish/ ./"),
    (
        "a checked download",
        CHAIN,
        "RUN python -m venv",
        f"ADD --checksum=sha256:{'0' * 64} https://example.com/t /opt/\nRUN python -m venv",
    ),
    ("comments between lines", STORIES, "HOME=/tmp", "HOME=/tmp \\\n# why\n    A=1"),
    ("Windows line ends", ADMIN, "\n", "\r\n"),
]


def ours(folder: Path) -> Path:
    """Our own Dockerfiles and manifests, in a folder."""
    for each in ("infra/docker", "infra/kubernetes"):
        shutil.copytree(ROOT / each, folder / each)
    (folder / MAKER).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / MAKER, folder / MAKER)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return ours(tmp_path)


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    before = path.read_bytes().decode()
    if old == EVERYTHING:
        path.write_text(new) if new else path.unlink()
        return
    assert old in before, f"{file} has no {old!r}"
    path.write_bytes(before.replace(old, new).encode())


def line_of(root: Path, file: str, text: str) -> str:
    """`file:line` of a text."""
    content = (root / file).read_text()
    return f"{file}:{content.count(chr(10), 0, content.index(text)) + 1}"


def of_ours(root: Path, seed: tuple[Any, ...]) -> tuple[tuple[Finding, ...], str]:
    """What is found in our own files with a mistake in them, and where it must be found."""
    _, file, old, new, _, where, _ = seed
    (root / "packages/app").mkdir(parents=True)
    edit(root, file, old, new)
    return docker.check(Checkout(root)).findings, line_of(root, *(where if isinstance(where, tuple) else (file, where)))


def write(root: Path, layout: str, file: str, old: str, new: str | None, *more: tuple[str, str | None]) -> None:
    """A small workspace with one text changed, or one file, and more files; None is no file."""
    texts: dict[str, str | None] = dict(LAYOUTS[layout])
    before = texts.get(file) or ""
    assert old in before, f"{file} has no {old!r}"
    texts |= {file: new if old == WHOLE else before.replace(old, new or "", 1), **dict(more)}
    for path, text in texts.items():
        if text is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text.encode())


def of_others(root: Path, row: tuple[Any, ...]) -> tuple[tuple[Finding, ...], str]:
    """The same in a small workspace."""
    write(root, *row[1:5], *row[6:])
    place = row[5] if isinstance(row[5], tuple) else (row[2], row[5])
    return docker.check(Checkout(root)).findings, line_of(root, *place)


def near(root: Path, row: tuple[Any, ...]) -> tuple[Finding, ...]:
    write(root, *row[1:])
    return docker.check(Checkout(root)).findings


@pytest.mark.parametrize("seed", SEEDS, ids=[each[0] for each in SEEDS])
def test_a_mistake_is_found_by_its_rule(root: Path, seed: tuple[Any, ...]) -> None:
    found, place = of_ours(root, seed)
    assert {each.rule.id for each in found} == {f"docker/{seed[4]}"}, [str(each) for each in found]
    assert place in {each.place for each in found}
    said = " ".join(each.what for each in found)
    assert [word for word in seed[6].split() if word not in said] == []


@pytest.mark.parametrize("row", FOREIGN, ids=[f"{each[0]}-{each[1]}" for each in FOREIGN])
def test_a_mistake_in_a_workspace_of_others_is_found_by_its_rule(tmp_path: Path, row: tuple[Any, ...]) -> None:
    found, place = of_others(tmp_path, row)
    assert {each.rule.id for each in found} == {f"docker/{row[0]}"}, [str(each) for each in found]
    assert place in {each.place for each in found}


@pytest.mark.parametrize("row", NEAR_MISSES, ids=[f"{each[0]}-{each[1]}" for each in NEAR_MISSES])
def test_what_is_near_to_a_mistake_is_not_found(tmp_path: Path, row: tuple[Any, ...]) -> None:
    assert [str(each) for each in near(tmp_path, row)] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_small_workspace_without_a_mistake_has_no_finding(tmp_path: Path, layout: str) -> None:
    assert [str(each) for each in near(tmp_path, ("", layout, "notes.md", WHOLE, ""))] == []


def test_precision_and_recall_on_the_corpus_are_both_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = wrong = met = 0
    for number, seed in enumerate((*SEEDS, *FOREIGN)):
        folder = tmp_path / f"seed{number}"
        is_ours = number < len(SEEDS)
        found, place = of_ours(ours(folder), seed) if is_ours else of_others(folder, seed)
        rule = f"docker/{seed[4] if is_ours else seed[0]}"
        right += sum(each.rule.id == rule for each in found)
        wrong += sum(each.rule.id != rule for each in found)
        met += (rule, place) in {(each.rule.id, each.place) for each in found}
    wrong += sum(len(near(tmp_path / f"near{number}", row)) for number, row in enumerate(NEAR_MISSES))
    for number, (_, *change) in enumerate(HARMLESS):
        folder = ours(tmp_path / f"harmless{number}")
        (folder / "packages/app").mkdir(parents=True)
        edit(folder, *change)
        wrong += len(docker.check(Checkout(folder)).findings)
    precision, recall = right / (right + wrong), met / len((*SEEDS, *FOREIGN))
    with capsys.disabled():
        sys.stdout.write(
            f"\nDocker: {len(docker.RULES)} rules, {len(SEEDS) + len(FOREIGN)} seeds, "
            f"{len(NEAR_MISSES) + len(HARMLESS)} near misses: precision {precision:.3f}, recall {recall:.3f}\n"
        )
    assert (precision, recall) == (1.0, 1.0)


@pytest.mark.parametrize(("file", "old", "new"), [each[1:] for each in HARMLESS], ids=[each[0] for each in HARMLESS])
def test_what_only_looks_like_a_mistake_is_not_found(root: Path, file: str, old: str, new: str) -> None:
    (root / "packages/app").mkdir(parents=True)
    edit(root, file, old, new)
    assert [str(each) for each in docker.check(Checkout(root)).findings] == []


def test_our_own_files_have_no_finding() -> None:
    report = docker.check(Checkout(ROOT))
    assert [str(each) for each in report.findings] == []
    assert report.checked[0].count == 6


def test_every_rule_has_two_mistakes_and_a_near_miss() -> None:
    rules = {each.id.removeprefix("docker/") for each in docker.RULES}
    mistakes = Counter([*(each[4] for each in SEEDS), *(each[0] for each in FOREIGN)])
    misses = Counter(each[0] for each in NEAR_MISSES)
    assert {each: mistakes[each] for each in rules if mistakes[each] < 2} == {}
    assert rules - set(misses) == set()
    assert {*mistakes, *misses} == rules


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00FROM", b"FROM", b"FROM a\nRUN <<E\n", b'FROM a\nCMD ["a\\', b"RUN \\"]
)
def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Dockerfile").write_bytes(content)
    found = docker.check(Checkout(tmp_path)).findings
    assert "docker/syntax" in {each.rule.id for each in found}


def test_a_link_to_nowhere_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").symlink_to(tmp_path / "gone")
    assert [each.rule.id for each in docker.check(Checkout(tmp_path)).findings] == ["docker/syntax"]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("for x in a b; do make $x; done", 0),
        ("if [ -f a ]; then make a; fi", 0),
        ("make a; make b; make c", 2),
        ('sh -c "a; b" && c', 0),
        ("x=$(a | b) && c", 0),
        ("(cd a && make) && (cd b && make)", 0),
        ("make || { echo failed; exit 1; }", 0),
        ("npm ci || npm install", 0),
        ("set +e; make", 1),
        ("curl -f https://example.com/i | sh", 1),
    ],
)
def test_lost_failures_are_counted(line: str, count: int) -> None:
    assert len(list(lost(line, stops=False, pipes=False))) == count


def test_a_file_may_be_built_in_a_folder_beside_it(tmp_path: Path) -> None:
    for file, text in (
        ("docker/web/Dockerfile", "FROM scratch\nCOPY package.json src/ /app/\nUSER 1\n"),
        ("web/package.json", "{}"),
        ("web/src/index.js", ""),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    assert [str(each) for each in docker.check(Checkout(tmp_path)).findings] == []


def test_a_folder_of_another_repository_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / ".gitmodules").write_text('[submodule "web"]\n\tpath = packages/web\n\turl = https://example.com/web\n')
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY packages/web/package.json /app/\nUSER 1\n")
    (tmp_path / "packages/web").mkdir(parents=True)
    assert [str(each) for each in docker.check(Checkout(tmp_path)).findings] == []
