"""A Docker engine: building an image from exactly the files its Dockerfile copies, and pushing it."""

import fnmatch
import hashlib
import io
import json
import os
import re
import shlex
import tarfile
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, StreamParseError
from docker.utils.build import PatternMatcher

from workspace.errors import Broken, Refused, Unsettled, WorkspaceError
from workspace.work import say_nothing

_DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_PING_SECONDS = 3
_TAIL_LINES = 15
_LINE_LENGTH = 300
# Times of a checkout say nothing; 1980 is the earliest every archive format can hold.
_FILE_TIME = 315532800
# Arguments every engine accepts without an ARG line.
_PREDEFINED = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"})

# What the classic builder says between any two steps; no progress of ours.
_BOOKKEEPING = re.compile(r" --->\s*([0-9a-f]{12}|Running in \w+|Using cache)?|Removing intermediate container \w+")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential|api_?key|private_?key", re.IGNORECASE)
_SECRETS = (
    (re.compile(r"(://[^/\s:@]+):[^@\s/]+@"), r"\1:***@"),
    (re.compile(r"(?i)(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(?i)([\w-]*(?:password|secret|token|api_?key)[\w-]*\s*[=:]\s*)[^\s\"',;]+"), r"\1***"),
)
_LATER = re.compile(
    r"connection refused|connection reset|no such host|timeout|timed out|toomanyrequests|unavailable|EOF"
    r"|HTTP status: (5\d\d|429)",
    re.IGNORECASE,
)


# The SDK reads streams below requests, so a torn connection shows as what lies beneath.
_LOST = (requests.RequestException, urllib3.exceptions.HTTPError, StreamParseError, OSError)


@dataclass(frozen=True)
class Description:
    """Which engine this is, for the line that says what was real."""

    version: str
    platform: str
    is_real: bool

    def __str__(self) -> str:
        return f"Docker engine {self.version} ({'real' if self.is_real else 'rehearsal'})"


@dataclass(frozen=True)
class Dockerfile:
    """What a Dockerfile asks of its context: the paths it copies (None: everything) and the arguments it declares."""

    text: str
    sources: tuple[str, ...] | None
    arguments: frozenset[str]


@dataclass(frozen=True)
class Inputs:
    """Everything an image is built from, and its content address.

    `files` are the paths under `root` the Dockerfile copies and its .dockerignore lets through. `dockerfile` is its
    path under `root`, or a made-up one where it lies elsewhere.
    """

    root: Path
    dockerfile: str
    text: str
    files: tuple[str, ...]
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with any byte, mode or argument that goes into the image."""
        seen = hashlib.sha256(json.dumps([self.text, sorted(self.arguments.items())]).encode())
        for name in self.files:
            seen.update(json.dumps([name, *_facts(self.root / name)]).encode())
        return seen.hexdigest()


class Engine:
    """One Docker engine, real or rehearsed. Safe to use from several threads.

    `address` is `unix://…` or `tcp://…`; None means what DOCKER_HOST says, or the usual socket. `silence_seconds` is
    how long a build or push may say nothing before it counts as stuck.
    """

    def __init__(self, address: str | None = None, *, silence_seconds: float = 900) -> None:
        self.address = (address or os.environ.get("DOCKER_HOST") or _DEFAULT_ADDRESS).replace("http://", "tcp://", 1)
        self._silence = silence_seconds
        self._local = threading.local()

    def describe(self) -> Description:
        """Version and platform of the engine; Unsettled when none answers."""
        with self._translated("ask the version"):
            told = self._client.version()
        version, platform = str(told.get("Version", "")), str((told.get("Platform") or {}).get("Name", ""))
        return Description(version, platform, "rehearsal" not in f"{version} {platform}".lower())

    def reachable(self) -> bool:
        """True when an engine answers within a few seconds."""
        client = None
        try:
            client = docker.APIClient(base_url=self.address, version="1.41", timeout=_PING_SECONDS)
            return bool(client.ping())
        except (DockerException, requests.RequestException, OSError, ValueError):
            return False
        finally:
            if client:
                client.close()

    def inputs(self, *, context: Path, dockerfile: Path, arguments: Mapping[str, str] | None = None) -> Inputs:
        """What an image would be built from; needs no engine.

        Refused: a Dockerfile or a copied path that is not there, and an argument no ARG line declares.
        """
        given = dict(arguments or {})
        if not context.is_dir():
            raise Refused(f"the build context {context} is no folder: check out the sources it names")
        try:
            text = dockerfile.read_text()
        except OSError as error:
            raise Refused(f"the Dockerfile {dockerfile} cannot be read ({error.strerror}): correct its path") from error
        read = read_dockerfile(text, given)
        lost = sorted(given.keys() - read.arguments - _PREDEFINED)
        if lost:
            raise Refused(f"{dockerfile} declares no ARG {', '.join(lost)}: the value would go nowhere")
        files = _files(context, _ignored(context, dockerfile), read.sources, dockerfile)
        return Inputs(context, _place(dockerfile, context, text), text, files, given)

    def build(
        self,
        *,
        context: Path,
        dockerfile: Path,
        tag: str,
        arguments: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        fresh: bool = False,
        say: Callable[[str], None] = say_nothing,
    ) -> str:
        """Build and tag an image; returns its id. Broken with the last step's own words when a step fails.

        A fresh build asks for the newest base images and takes nothing from the engine's cache.
        """
        inputs = self.inputs(context=context, dockerfile=dockerfile, arguments=arguments)
        with tempfile.TemporaryFile() as archive, self._translated(f"build {tag}"):
            _pack(inputs, archive)
            stream = self._client.build(
                fileobj=archive,
                custom_context=True,
                dockerfile=inputs.dockerfile,
                tag=tag,
                buildargs=dict(inputs.arguments),
                labels=dict(labels or {}),
                pull=fresh,
                nocache=fresh,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=self._silence,
            )
            return _Build(tag, inputs.arguments, say).follow(stream)

    def push(
        self, reference: str, say: Callable[[str], None] = say_nothing, *, login: tuple[str, str] | None = None
    ) -> str:
        """Push a tagged image; returns the digest the registry gave it.

        The answer is empty where the engine does not tell (podman does not): ask the registry what the tag names then.
        """
        repository, _, tag = reference.rpartition(":")
        user = {"username": login[0], "password": login[1]} if login else None
        with self._translated(f"push {reference}"):
            stream = self._client.push(repository, tag=tag, stream=True, decode=True, auth_config=user)
            return _pushed(reference, stream, say)

    @property
    def _client(self) -> docker.APIClient:
        # A session of requests is not promised to be safe across threads: each has its own.
        if not hasattr(self._local, "client"):
            self._local.client = docker.APIClient(base_url=self.address, version="auto", timeout=self._silence)
        client: docker.APIClient = self._local.client
        return client

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        """What the SDK raises, in our words; its own messages hold the query, and so the build arguments."""
        where = f"the Docker engine at {self.address}"
        try:
            yield
        except APIError as error:
            said = _masked(str(error.explanation or error.response.reason), {})
            raise Broken(f"{where} refuses to {action} ({error.response.status_code}): {said}") from error
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
            raise Unsettled(f"{where} fell silent while it should {action}: look at its log, then try again") from error
        except _LOST as error:
            raise Unsettled(f"{where} broke off while it should {action}: look at its log, then try again") from error
        except DockerException as error:
            if "server API version" not in str(error):
                raise Refused(f"the Docker SDK refuses to {action}: {_masked(str(error), {})}") from error
            raise Unsettled(f"{where} does not answer ({action}): start it or correct the address") from error


class _Build:
    """One build as it happens: lines for a person, the last step's words for a failure, the id at the end."""

    def __init__(self, tag: str, arguments: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._tag, self._arguments, self._say = tag, arguments, say
        self._step, self._tail, self._image = "its first step", deque[str](maxlen=_TAIL_LINES), ""

    def follow(self, stream: Iterable[dict[str, Any]]) -> str:
        for line in _lines(stream, self._note):
            self._hear(line)
        if not self._image:
            raise Broken(f"building {self._tag} ended without an image after {self._step}: look at the engine's log")
        return self._image

    def _note(self, entry: dict[str, Any]) -> None:
        if "ID" in (entry.get("aux") or {}):
            self._image = entry["aux"]["ID"]
        if "error" in entry:
            said = self._safe(str(entry["error"]))
            last = " | ".join(self._tail) or "nothing"
            raise Broken(f"building {self._tag} failed at {self._step}: {said}; its last words: {last}")

    def _hear(self, line: str) -> None:
        safe = self._safe(line)
        if safe.startswith("Step "):
            self._step = safe
            self._tail.clear()
        else:
            self._tail.append(safe)
        if not _BOOKKEEPING.fullmatch(safe):
            self._say(safe)

    def _safe(self, line: str) -> str:
        return _masked(line, self._arguments)[:_LINE_LENGTH]


def read_dockerfile(text: str, arguments: Mapping[str, str]) -> Dockerfile:
    """What the instructions copy from the context; where that cannot be told, `sources` is None: all of it."""
    known: dict[str, str] = {}
    declared: set[str] = set()
    sources: list[str] | None = []
    for word, rest in _instructions(text):
        if word == "ARG":
            declared.update(name for name, _ in _assignments(rest))
            _learn(known, [(name, arguments.get(name, value)) for name, value in _assignments(rest)])
        elif word == "ENV":
            _learn(known, _assignments(rest))
        elif word in ("COPY", "ADD") and sources is not None:
            found = _copied(rest, known)
            sources = None if found is None else sources + found
        elif word == "RUN" and "--mount" in rest.split(" ")[0]:
            sources = None
    wanted = None if sources is None or "" in sources else tuple(dict.fromkeys(sources))
    return Dockerfile(text, wanted, frozenset(declared))


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction's word and the rest of it, lines joined and comments gone."""
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (pending and not line.strip()):
            continue
        pending += line.strip()
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        word, _, rest = pending.partition(" ")
        pending = ""
        if word:
            yield word.upper(), rest.strip()


def _assignments(rest: str) -> list[tuple[str, str | None]]:
    """Names with their values; None where none is written."""
    words = _words(rest)
    if len(words) == 2 and "=" not in words[0]:  # the old way: ENV NAME value
        return [(words[0], words[1])]
    return [(name, value if mark else None) for name, mark, value in (word.partition("=") for word in words)]


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def _learn(known: dict[str, str], assignments: Iterable[tuple[str, str | None]]) -> None:
    """Take values in; what cannot be told is forgotten, so that nobody relies on it."""
    for name, value in assignments:
        filled = known.get(name, "") if value is None else _expanded(value, known)
        if filled is None:
            known.pop(name, None)
        else:
            known[name] = filled


def _copied(rest: str, known: Mapping[str, str]) -> list[str] | None:
    """The context paths one COPY or ADD names; None where they cannot be told."""
    parts = rest.split()
    flags = [part for part in parts if part.startswith("--")]
    if any(flag.startswith("--from") for flag in flags):
        return []
    words = parts[len(flags) :]
    if words and words[0].startswith("["):
        words = json.loads(rest[rest.index("[") :])
    expanded = [_expanded(word, known) for word in words[:-1] if "://" not in word]
    return None if None in expanded else [_context_path(each or ".") for each in expanded]


def _context_path(path: str) -> str:
    """A copied path as the context spells it; empty for the whole context."""
    plain = os.path.normpath(path).lstrip("/")
    return "" if plain == "." else plain


def _expanded(value: str, known: Mapping[str, str]) -> str | None:
    """The value with its variables filled in, or None where one is not known or written in a way we do not read."""
    names = [first or second for first, second in _VARIABLE.findall(value)]
    if any(name not in known for name in names):
        return None
    filled = _VARIABLE.sub(lambda match: known[match[1] or match[2]], value)
    return None if "$" in filled else filled


def _ignored(context: Path, dockerfile: Path) -> PatternMatcher:
    """The rules of `<Dockerfile>.dockerignore` where there is one, else those of the context's .dockerignore."""
    own, shared = dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"
    file = own if own.is_file() else shared
    lines = file.read_text().splitlines() if file.is_file() else []
    rules = PatternMatcher([line.strip() for line in lines if line.strip() and not line.startswith("#")])
    # The SDK always sends .dockerignore itself; an image has no use for it.
    rules.patterns = rules.patterns[:-1]
    return rules


def _files(root: Path, ignored: PatternMatcher, sources: Sequence[str] | None, dockerfile: Path) -> tuple[str, ...]:
    wanted = None if sources is None else [source.split("/") for source in sources]
    found = tuple(_walk(root, "", ignored, wanted))
    if wanted is None:
        return found
    for source in wanted:
        # A submodule that was not fetched is an empty folder.
        if not any(_reaches(source, name.split("/")) and not _is_folder(root / name) for name in found):
            path = "/".join(source)
            hint = f"`git submodule update --init {'/'.join(source[:2])}` fetches a service; else correct the path"
            raise Refused(f"{dockerfile} copies {path}, and the context {root} has no file there to send: {hint}")
    # What a link points at may lie outside the copied paths; the engine then needs everything.
    linked = any((root / name).is_symlink() for name in found)
    return tuple(_walk(root, "", ignored, None)) if linked else found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _walk(root: Path, below: str, ignored: PatternMatcher, wanted: list[list[str]] | None) -> Iterator[str]:
    """Paths under `root` that are wanted and not ignored, sorted; a folder comes before what is in it."""
    for entry in sorted(os.scandir(root / below), key=lambda each: each.name):
        name = f"{below}/{entry.name}" if below else entry.name
        parts = name.split("/")
        # An engine that finds .dockerignore applies it again, also where the Dockerfile has one of its own.
        if name == ".dockerignore":
            continue
        if wanted is not None and not any(_meets(source, parts) for source in wanted):
            continue
        if not ignored.matches(name) and (wanted is None or any(_reaches(source, parts) for source in wanted)):
            yield name
        if entry.is_dir(follow_symlinks=False) and (not ignored.matches(name) or _has_exception(ignored, name)):
            yield from _walk(root, name, ignored, wanted)


def _reaches(source: list[str], parts: list[str]) -> bool:
    """True when a copied path (Go's wildcards, never across folders) is this path or a folder above it."""
    return len(source) <= len(parts) and _meets(source, parts)


def _meets(source: list[str], parts: list[str]) -> bool:
    return all(fnmatch.fnmatchcase(part, pattern) for part, pattern in zip(parts, source, strict=False))


def _has_exception(ignored: PatternMatcher, name: str) -> bool:
    return any(rule.exclusion and rule.cleaned_pattern.startswith(name + "/") for rule in ignored.patterns)


def _place(dockerfile: Path, context: Path, text: str) -> str:
    try:
        return dockerfile.resolve().relative_to(context.resolve()).as_posix()
    except ValueError:
        return f".Dockerfile.{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _facts(path: Path) -> tuple[str, str]:
    """What of a path ends up in an image: its kind and mode, and its content or target."""
    if path.is_symlink():
        return "link", str(path.readlink())
    if path.is_dir():
        return "folder", ""
    with path.open("rb") as content:
        return oct(_mode(path)), hashlib.file_digest(content, "sha256").hexdigest()


def _mode(path: Path) -> int:
    """One of two modes, so that the umask of a checkout never reaches an image."""
    return 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644


def _pack(inputs: Inputs, archive: IO[bytes]) -> None:
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in inputs.files:
            _add(tar, inputs.root, name)
        if inputs.dockerfile not in inputs.files:
            # The engine needs the Dockerfile; a `COPY .` must not get it, nor the file that says so.
            _add_text(tar, inputs.dockerfile, inputs.text)
            _add_text(tar, ".dockerignore", f"{inputs.dockerfile}\n.dockerignore\n")
    archive.seek(0)


def _add(tar: tarfile.TarFile, root: Path, name: str) -> None:
    path = root / name
    entry = tar.gettarinfo(path, arcname=name)
    if entry is None:
        return
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = _FILE_TIME, 0, 0, "", ""
    if entry.issym():
        tar.addfile(entry)
        return
    entry.mode = _mode(path)
    if not path.is_file():
        tar.addfile(entry)
        return
    # A second name of one file would be sent as a hard link, which an image need not hold.
    entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    with path.open("rb") as content:
        tar.addfile(entry, content)


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(text.encode()), _FILE_TIME, 0o644
    tar.addfile(entry, io.BytesIO(text.encode()))


def _lines(stream: Iterable[dict[str, Any]], note: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """Whole lines of the stream's text; every entry is noted as well."""
    rest = ""
    for entry in stream:
        note(entry)
        *whole, rest = (rest + str(entry.get("stream", ""))).split("\n")
        yield from (line.rstrip() for line in whole if line.strip())
    if rest.strip():
        yield rest.rstrip()


def _pushed(reference: str, stream: Iterable[dict[str, Any]], say: Callable[[str], None]) -> str:
    digest = ""
    for entry in stream:
        if "error" in entry:
            said = _masked(str(entry["error"]), {})
            kind: type[WorkspaceError] = Unsettled if _LATER.search(said) else Broken
            raise kind(f"pushing {reference} failed: {said}")
        digest = (entry.get("aux") or {}).get("Digest", digest)
        if entry.get("status") in ("Pushed", "Layer already exists", "Mounted"):
            say(f"{entry.get('id', '')}: {entry['status']}")
    if digest:
        say(f"pushed {reference} as {digest}")
    return digest


def _masked(line: str, arguments: Mapping[str, str]) -> str:
    """The line without what looks like a secret, and without the values of arguments that are named like one."""
    for name, value in arguments.items():
        if _SECRET_NAME.search(name) and len(value) > 3:
            line = line.replace(value, "***")
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line
