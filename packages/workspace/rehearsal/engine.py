"""A Docker engine for rehearsals: the part of the Engine's HTTP API that builds, tags and pushes images.

It reads Dockerfiles and holds them to what the classic builder demands: known instructions, files that are in the
context, stages that exist. It executes nothing: every RUN is recorded and said not to have been executed, and base
images are not fetched. The image it makes is a real one of the copied files, the same every time for the same input.
Faults have the point `engine` and the repository as subject: `BuildFails`, or `NoDigest` for an engine that, as podman,
does not say in the push stream which digest it pushed.
"""

import base64
import copy
import fnmatch
import gzip
import hashlib
import io
import json
import posixpath
import re
import shlex
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from workspace.rehearsal.faults import Faults

if TYPE_CHECKING:
    import requests

VERSION = "20.10.24-rehearsal"
PLATFORM = "Mystira rehearsal engine"
API_VERSION = "1.41"
BUILDKIT = "option requires BuildKit, which this engine does not have"

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIGURATION = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EPOCH = "1970-01-01T00:00:00Z"
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")
_FROM = re.compile(r"(?P<base>\S+)(?:\s+as\s+(?P<name>\S+))?", re.IGNORECASE)
_EXPANDED = frozenset({"ADD", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"})
_PAIRED = frozenset({"ENV", "LABEL"})
_OTHERS = frozenset({"ARG", "CMD", "ENTRYPOINT", "HEALTHCHECK", "MAINTAINER", "ONBUILD", "RUN", "SHELL"})
_WORDS = _EXPANDED | _OTHERS
_PREDEFINED = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"})
_COPY_FLAGS = ("--from=", "--chown=", "--chmod=")

Line = dict[str, Any]
# Where each file of a stage lies in the archive that was sent.
Files = dict[str, tarfile.TarInfo]


class _Refusal(Exception):
    """An answer as the Engine gives errors before its stream has begun."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Failure(Exception):
    """An error in mid-stream: the engine has said 200 already."""


class EngineStandIn:
    """An engine whose images are kept in `directory`; `app` is what to serve on a loopback port."""

    def __init__(self, directory: Path, faults: Faults) -> None:
        self._images = _Images(directory)
        self._faults = faults
        routes = [
            ("/_ping", "GET", self._ping),
            ("/version", "GET", self._version),
            ("/info", "GET", self._info),
            ("/build", "POST", self._build),
            ("/images/json", "GET", self._list),
            ("/images/{name:path}/json", "GET", self._inspect),
            ("/images/{name:path}/tag", "POST", self._tag),
            ("/images/{name:path}/push", "POST", self._push),
            ("/images/{name:path}", "DELETE", self._delete),
        ]
        both = [Route(prefix + path, call, methods=[verb]) for path, verb, call in routes for prefix in _PREFIXES]
        handlers: dict[Any, Callable[..., Any]] = {_Refusal: _refused, 404: _not_found, 405: _not_found}
        self.app = Starlette(routes=both, exception_handlers=handlers)

    async def _ping(self, _: Request) -> Response:
        headers = {"api-version": API_VERSION, "docker-experimental": "false", "ostype": "linux"}
        return PlainTextResponse("OK", headers=headers)

    async def _version(self, _: Request) -> Response:
        told = {"Version": VERSION, "ApiVersion": API_VERSION, "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}
        component = {"Name": "Engine", "Version": VERSION, "Details": {"ApiVersion": API_VERSION}}
        return JSONResponse({"Platform": {"Name": PLATFORM}, "Components": [component], **told})

    async def _info(self, _: Request) -> Response:
        return JSONResponse(
            {
                "Name": "rehearsal",
                "ServerVersion": VERSION,
                "OperatingSystem": PLATFORM,
                "OSType": "linux",
                "Architecture": "x86_64",
                "Driver": "rehearsal",
                "Images": len(self._images.all()),
                "Containers": 0,
                "Warnings": ["rehearsal: RUN instructions are not executed, base images are not fetched"],
            }
        )

    async def _build(self, request: Request) -> Response:
        archive = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the stream has ended
        async for piece in request.stream():
            archive.write(piece)
        tags = [tag for tag in request.query_params.getlist("t") if tag]
        build = await run_in_threadpool(_Build.begin, archive, dict(request.query_params))
        fails = any(self._does(tag, "BuildFails") for tag in tags)
        return _streamed(build.lines(self._images, tags, fails=fails))

    async def _list(self, _: Request) -> Response:
        return JSONResponse([image.summary for image in self._images.all()])

    async def _inspect(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(self._images.find(name, f"no such image: {name}: No such image: {name}").facts)

    async def _tag(self, request: Request) -> Response:
        name, query = request.path_params["name"], request.query_params
        image = self._images.find(name, f"No such image: {name}")
        repository, tag = _split_tag(query.get("repo", ""))
        self._images.tag(image.id, f"{repository}:{query.get('tag') or tag}")
        return Response(status_code=201)

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(self._images.delete(self._images.find(name, f"No such image: {name}"), name))

    async def _push(self, request: Request) -> Response:
        repository = request.path_params["name"]
        login = _login(request.headers.get("x-registry-auth", ""), await request.body())
        tag = request.query_params.get("tag") or "latest"
        says_digest = not self._does(repository, "NoDigest")
        return _streamed(_push(self._images, repository, tag, login, says_digest=says_digest))

    def _does(self, name: str, how: str) -> bool:
        """True where a fault tells this engine to do wrong with a repository, whatever registry it is in."""
        repository = _split_tag(name)[0].partition("/")[2] or _split_tag(name)[0]
        fault = self._faults.find("engine", repository)
        return fault is not None and fault.how == how


_PREFIXES = ("/v{version:float}", "")


async def _refused(_: Request, error: Exception) -> Response:
    status, message = (error.status, error.message) if isinstance(error, _Refusal) else (500, str(error))
    return JSONResponse({"message": message}, status)


async def _not_found(_: Request, __: Exception) -> Response:
    return JSONResponse({"message": "page not found"}, 404)


def _streamed(lines: Iterator[Line]) -> Response:
    return StreamingResponse(iterate_in_threadpool(_encoded(lines)), media_type="application/json")


def _encoded(lines: Iterator[Line]) -> Iterator[str]:
    try:
        for line in lines:
            yield json.dumps(line) + "\r\n"
    except _Failure as failure:
        yield json.dumps({"errorDetail": {"message": str(failure)}, "error": str(failure)}) + "\r\n"


@dataclass(frozen=True)
class _Image:
    """One image: its configuration, whose hash is its id, and its one layer."""

    configuration: bytes
    layer: Path
    tags: tuple[str, ...]
    digests: tuple[str, ...]

    @property
    def id(self) -> str:
        return _sha256(self.configuration)

    @property
    def facts(self) -> Line:
        told = json.loads(self.configuration)
        return {
            **self.summary,
            "Created": told["created"],
            "DockerVersion": VERSION,
            "Author": told["author"],
            "Architecture": told["architecture"],
            "Os": told["os"],
            "Config": told["config"],
            "RootFS": {"Type": "layers", "Layers": told["rootfs"]["diff_ids"]},
        }

    @property
    def summary(self) -> Line:
        told = json.loads(self.configuration)
        size = self.layer.stat().st_size
        return {
            "Id": self.id,
            "RepoTags": list(self.tags),
            "RepoDigests": list(self.digests),
            "Created": 0,
            "Labels": told["config"].get("Labels"),
            "Size": size,
            "VirtualSize": size,
        }


class _Images:
    """Images as files, and which names they have."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        self._lock = threading.RLock()
        directory.mkdir(parents=True, exist_ok=True)

    def all(self) -> list[_Image]:
        with self._lock:
            return [self._load(folder) for folder in sorted(self._root.iterdir()) if folder.is_dir()]

    def find(self, name: str, missing: str) -> _Image:
        for image in self.all():
            given = name.removeprefix("sha256:")
            is_id = len(given) >= 12 and image.id.removeprefix("sha256:").startswith(given)
            if is_id or ":".join(_split_tag(name)) in image.tags:
                return image
        raise _Refusal(404, missing)

    def keep(self, configuration: bytes, layer: bytes) -> str:
        image_id = _sha256(configuration)
        folder = self._folder(image_id)
        with self._lock:
            folder.mkdir(exist_ok=True)
            (folder / "layer.tar.gz").write_bytes(layer)
            (folder / "config.json").write_bytes(configuration)
        return image_id

    def tag(self, image_id: str, name: str) -> None:
        with self._lock:
            names = {tag: owner for tag, owner in self._names().items() if tag != name}
            self._write_names({**names, name: image_id})

    def digest(self, image_id: str, name: str) -> None:
        """Remember under which digest a registry has the image."""
        self.tag(image_id, name)

    def delete(self, image: _Image, name: str) -> list[Line]:
        full = ":".join(_split_tag(name))
        with self._lock:
            gone = [full] if full in image.tags else [*image.tags, *image.digests]
            names = {tag: owner for tag, owner in self._names().items() if tag not in gone}
            if any(owner == image.id for tag, owner in names.items() if "@" not in tag):
                self._write_names(names)
                return [{"Untagged": each} for each in gone]
            self._write_names({tag: owner for tag, owner in names.items() if owner != image.id})
            folder = self._folder(image.id)
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        return [*({"Untagged": each} for each in gone), {"Deleted": image.id}]

    def _load(self, folder: Path) -> _Image:
        configuration = (folder / "config.json").read_bytes()
        mine = sorted(name for name, owner in self._names().items() if owner == _sha256(configuration))
        tags, digests = [n for n in mine if "@" not in n], [n for n in mine if "@" in n]
        return _Image(configuration, folder / "layer.tar.gz", tuple(tags), tuple(digests))

    def _folder(self, image_id: str) -> Path:
        return self._root / image_id.removeprefix("sha256:")

    def _names(self) -> dict[str, str]:
        file = self._root / "names.json"
        names: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return names

    def _write_names(self, names: dict[str, str]) -> None:
        partial = self._root / "names.partial"
        partial.write_text(json.dumps(names, indent=1))
        partial.replace(self._root / "names.json")


@dataclass(frozen=True)
class _Instruction:
    """One instruction as written: its line, its word, its rest."""

    line: int
    word: str
    rest: str

    def __str__(self) -> str:
        return f"{self.word} {self.rest}"


@dataclass
class _Stage:
    """One build stage while it is being read: its files and what its configuration says.

    `is_known` as long as nothing was to be executed and no base to be fetched: then what is not there is an error.
    """

    name: str
    is_known: bool
    has_shell: bool
    files: Files = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    config: Line = field(default_factory=dict)
    history: list[Line] = field(default_factory=list)


class _Build:
    """One build: the instructions in order, each in the words of the classic builder."""

    def __init__(self, archive: IO[bytes], instructions: list[_Instruction], query: dict[str, str]) -> None:
        self._archive = archive
        self._tar = tarfile.open(fileobj=archive)  # noqa: SIM115 - closed when the stream has ended
        self._context = _context(self._tar)
        self._instructions = instructions
        self._arguments: dict[str, str] = json.loads(query.get("buildargs") or "{}")
        self._labels: dict[str, str] = json.loads(query.get("labels") or "{}")
        self._target = query.get("target", "")
        self._global: dict[str, str] = {}
        self._used: set[str] = set()
        self._stages: list[_Stage] = []

    @classmethod
    def begin(cls, archive: IO[bytes], query: dict[str, str]) -> "_Build":
        """Read the Dockerfile; what is wrong with it is refused before anything is said."""
        archive.seek(0)
        name = query.get("dockerfile") or "Dockerfile"
        try:
            with tarfile.open(fileobj=archive) as tar:
                found = tar.extractfile(posixpath.normpath(name))
                text = found.read().decode() if found else ""
        except KeyError as error:
            raise _Refusal(500, f"Cannot locate specified Dockerfile: {name}") from error
        except tarfile.TarError as error:
            raise _Refusal(400, f"the build context is no archive: {error}") from error
        instructions = _parsed(text, name)
        target = query.get("target", "")
        if target and not any(_stage_name(each) == target.lower() for each in instructions):
            raise _Refusal(400, f"failed to reach build target {target} in Dockerfile")
        archive.seek(0)
        return cls(archive, instructions, query)

    def lines(self, images: _Images, tags: list[str], *, fails: bool = False) -> Iterator[Line]:
        """The stream: every step, what it did, at last the image."""
        with self._archive, self._tar:
            yield {"stream": f"rehearsal: {PLATFORM} reads {len(self._instructions)} instructions, executes none\n"}
            yield from self._steps()
            if fails:
                raise _Failure("rehearsal: this build was told to fail: the command returned a non-zero code: 1")
            image_id = self._keep(images)
            yield {"aux": {"ID": image_id}}
            unused = sorted(self._arguments.keys() - self._used - _PREDEFINED)
            if unused:
                yield {"stream": f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n"}
            yield {"stream": f"Successfully built {_short(image_id)}\n"}
            for tag in tags:
                full = ":".join(_split_tag(tag))
                images.tag(image_id, full)
                yield {"stream": f"Successfully tagged {full}\n"}

    def _steps(self) -> Iterator[Line]:
        count = len(self._instructions) + bool(self._labels)
        for number, instruction in enumerate(self._instructions, 1):
            if self._is_done(instruction):
                return
            yield {"stream": f"Step {number}/{count} : {instruction}"}
            yield {"stream": "\n"}
            yield from ({"stream": line + "\n"} for line in self._follow(instruction))
        if self._labels:
            yield {"stream": f"Step {count}/{count} : LABEL {' '.join(f'{k}={v}' for k, v in self._labels.items())}\n"}

    def _is_done(self, instruction: _Instruction) -> bool:
        """True when the wanted stage is complete."""
        return bool(self._target and self._stages and instruction.word == "FROM") and (
            self._stages[-1].name == self._target.lower()
        )

    def _follow(self, instruction: _Instruction) -> Iterator[str]:
        word, rest = instruction.word, instruction.rest
        if not self._stages and word == "ARG":
            self._declare(rest, self._global)
            return
        if word == "FROM":
            yield self._start(rest)
            return
        stage = self._stages[-1]
        # Names and values are taken apart first: a value may hold blanks.
        rest = _expand(rest, stage.variables) if word in _EXPANDED - _PAIRED else rest
        stage.history.append({"created": _EPOCH, "created_by": f"{word} {rest}", "empty_layer": True})
        if word in ("COPY", "ADD"):
            yield from self._copy(stage, word, rest)
        elif word == "RUN":
            yield _run(stage, rest)
        elif word == "ARG":
            self._declare(rest, stage.variables)
        else:
            _configure(stage, word, rest)
        yield f" ---> {_short(_sha256(json.dumps(stage.history).encode()))}"

    def _start(self, rest: str) -> str:
        match = _FROM.fullmatch(_expand(re.sub(r"^--platform=\S+\s+", "", rest), self._global))
        if match is None:
            raise _Failure("FROM requires either one or three arguments")
        base, name = match["base"], (match["name"] or "").lower()
        before = next((stage for stage in self._stages if stage.name and stage.name == base.lower()), None)
        is_empty = base == "scratch"
        stage = _Stage(name or str(len(self._stages)), is_known=is_empty, has_shell=not is_empty)
        stage.config = {"Env": [f"PATH={_PATH}"]}
        if before:
            config = copy.deepcopy(before.config)
            stage = replace(before, name=stage.name, files=dict(before.files), config=config, history=[])
            stage.variables = {}
        stage.history.append({"created": _EPOCH, "created_by": f"FROM {base}", "empty_layer": True})
        self._stages.append(stage)
        return " ---> " if before or is_empty else f" ---> rehearsal: base {base} not fetched"

    def _declare(self, rest: str, variables: dict[str, str]) -> None:
        for word in _split(rest):
            name, has_default, default = word.partition("=")
            self._used.add(name)
            standard = _expand(default, variables) if has_default else self._global.get(name, "")
            variables[name] = self._arguments.get(name, standard)

    def _copy(self, stage: _Stage, word: str, rest: str) -> Iterator[str]:
        flags, words = _operands(rest)
        if any(flag.startswith("--chmod") for flag in flags):
            raise _Failure(f"the --chmod {BUILDKIT}")
        source = next((flag.partition("=")[2] for flag in flags if flag.startswith("--from=")), None)
        *wanted, place = words
        if len(wanted) > 1 and not place.endswith("/"):
            problem = "the destination must be a directory and end with a /"
            raise _Failure(f"When using {word} with more than one source file, {problem}")
        origin = self._stage(source) if source is not None else None
        stage.is_known &= origin is None or origin.is_known
        copied: Files = {}
        for each in wanted:
            if word == "ADD" and "://" in each:
                yield f" ---> rehearsal: {each} not fetched"
                continue
            found = _chosen(origin or self._context, each, word)
            if not found:
                yield f" ---> rehearsal: {each} comes from what was not executed"
            copied |= _placed(found, _absolute(place, stage), is_folder=place.endswith(("/", ".")) or len(wanted) > 1)
        stage.files |= copied

    def _stage(self, name: str) -> _Stage:
        before = self._stages[:-1]
        for index, stage in enumerate(before):
            if name.lower() == stage.name or name == str(index):
                return stage
        raise _Failure(f"invalid from flag value {name}: rehearsal: no such stage, and other images are not fetched")

    def _keep(self, images: _Images) -> str:
        stage = self._stages[-1]
        if stage.is_known and len(stage.history) == 1 and not self._labels:
            raise _Failure("No image was generated. Is your Dockerfile empty?")
        layer = _layer(stage.files, self._tar)
        config = {**stage.config, "Labels": {**stage.config.get("Labels", {}), **self._labels}}
        made = {
            "architecture": "amd64",
            "author": PLATFORM,
            "config": config,
            "created": _EPOCH,
            "docker_version": VERSION,
            "history": [*stage.history, {"created": _EPOCH, "created_by": "rehearsal: the files copied by all steps"}],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [_sha256(layer)]},
        }
        return images.keep(json.dumps(made, sort_keys=True).encode(), gzip.compress(layer, mtime=0))


def _parsed(text: str, name: str) -> list[_Instruction]:
    """The instructions, or the refusal the real engine writes."""
    found = list(_joined(text))
    if not text:
        raise _Refusal(400, f"the Dockerfile ({name}) cannot be empty")
    if not found:
        raise _Refusal(400, "failed to parse Dockerfile: file with no instructions")
    for each in found:
        problem = _problem(each)
        if problem:
            raise _Refusal(400, f"dockerfile parse error line {each.line}: {problem}")
    first = next((each for each in found if each.word != "ARG"), None)
    if first is None or first.word != "FROM":
        raise _Refusal(400, "no build stage in current context")
    return found


def _joined(text: str) -> Iterator[_Instruction]:
    pending, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip()):
            continue
        began = began if pending else number
        pending += line.strip()
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        word, _, rest = pending.partition(" ")
        pending = ""
        yield _Instruction(began, word.upper(), rest.strip())
    if pending:
        word, _, rest = pending.partition(" ")
        yield _Instruction(began, word.upper(), rest.strip())


def _problem(instruction: _Instruction) -> str:
    word, rest = instruction.word, instruction.rest
    if word not in _WORDS:
        return f"unknown instruction: {word}"
    if not rest:
        return f"{word} requires at least one argument"
    if word not in ("COPY", "ADD"):
        return ""
    flags, words = _operands(rest)
    strange = [flag for flag in flags if not flag.startswith(_COPY_FLAGS)]
    if strange:
        return f"Unknown flag: {strange[0].lstrip('-').partition('=')[0]}"
    if len(words) < 2:
        return f"{word} requires at least two arguments, but only one was provided. Destination could not be determined"
    return ""


def _operands(rest: str) -> tuple[list[str], list[str]]:
    """The flags and the words of a COPY or ADD, in either of its two forms."""
    flags = [part for part in rest.split() if part.startswith("--")]
    plain = rest
    for flag in flags:
        plain = plain.replace(flag, "", 1).strip()
    if plain.startswith("["):
        return flags, [str(word) for word in json.loads(plain)]
    return flags, plain.split()


def _stage_name(instruction: _Instruction) -> str:
    match = _FROM.fullmatch(instruction.rest) if instruction.word == "FROM" else None
    return (match["name"] or "").lower() if match else ""


def _run(stage: _Stage, rest: str) -> str:
    if rest.startswith("--mount"):
        raise _Failure(f"the --mount {BUILDKIT}")
    if not stage.has_shell and "bin/sh" not in stage.files:
        raise _Failure('unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file or directory')
    stage.is_known = False
    return " ---> rehearsal: not executed"


def _configure(stage: _Stage, word: str, rest: str) -> None:
    config = stage.config
    match word:
        case "ENV":
            pairs = _pairs(rest, stage.variables)
            stage.variables |= pairs
            kept = [each for each in config["Env"] if each.partition("=")[0] not in pairs]
            config["Env"] = [*kept, *(f"{name}={value}" for name, value in pairs.items())]
        case "LABEL":
            config["Labels"] = {**config.get("Labels", {}), **_pairs(rest, stage.variables)}
        case "EXPOSE":
            ports: Line = {port if "/" in port else f"{port}/tcp": {} for port in rest.split()}
            config["ExposedPorts"] = {**config.get("ExposedPorts", {}), **ports}
        case "VOLUME":
            config["Volumes"] = {**config.get("Volumes", {}), **{name: {} for name in _command(rest, in_shell=False)}}
        case "WORKDIR":
            config["WorkingDir"] = _absolute(rest, stage)
        case "CMD" | "ENTRYPOINT":
            config["Cmd" if word == "CMD" else "Entrypoint"] = _command(rest, in_shell=True)
        case "HEALTHCHECK":
            config["Healthcheck"] = _health_check(rest)
        case "USER" | "STOPSIGNAL":
            config["User" if word == "USER" else "StopSignal"] = rest


def _health_check(rest: str) -> Line:
    """A health check as the engine keeps it, times in nanoseconds; NONE switches it off."""
    flags, _, command = rest.partition("CMD")
    if not command:
        return {"Test": ["NONE"]}
    said = dict(flag.removeprefix("--").split("=", 1) for flag in flags.split())
    times = {field: _nanoseconds(said[flag]) for flag, field in _HEALTH_TIMES.items() if flag in said}
    tries = {"Retries": int(said["retries"])} if "retries" in said else {}
    test = command.strip()
    told = ["CMD", *_command(test, in_shell=False)] if test.startswith("[") else ["CMD-SHELL", test]
    return {"Test": told, **times, **tries}


def _nanoseconds(duration: str) -> int:
    """A duration as Go writes it, such as 1m30s."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise _Failure(f'time: invalid duration "{duration}"')
    return int(sum(float(number) * _UNITS[unit] for number, unit in parts))


_HEALTH_TIMES = {"interval": "Interval", "timeout": "Timeout", "start-period": "StartPeriod"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6}


def _command(rest: str, *, in_shell: bool) -> list[str]:
    if rest.startswith("["):
        return [str(word) for word in json.loads(rest)]
    return ["/bin/sh", "-c", rest] if in_shell else rest.split()


def _pairs(rest: str, variables: dict[str, str]) -> dict[str, str]:
    words = _split(rest)
    if words and "=" not in words[0]:
        return {words[0]: _expand(rest.partition(" ")[2].strip(), variables)}
    parts = (word.partition("=") for word in words)
    return {_expand(name, variables): _expand(value, variables) for name, _, value in parts}


def _split(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise _Failure(f"unexpected end of statement while looking for matching quote: {rest}") from error


def _expand(text: str, variables: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[0] == "\\$":
            return "$"
        known = variables.get(match[1] or match[2], "")
        if match[3] == ":-":
            return known or match[4]
        return (match[4] if known else "") if match[3] == ":+" else known

    return _VARIABLE.sub(value, text)


def _context(tar: tarfile.TarFile) -> Files:
    """What a COPY can see: the archive without what its .dockerignore names."""
    members = {posixpath.normpath(member.name): member for member in tar}
    ignore = members.get(".dockerignore")
    content = tar.extractfile(ignore) if ignore else None
    rules = [line.strip().strip("/") for line in content.read().decode().splitlines()] if content else []
    hidden = [rule for rule in rules if rule and rule[0] not in "#!"]
    return {
        name: member
        for name, member in members.items()
        if name != "." and not any(_is_under(name, rule) for rule in hidden)
    }


def _chosen(source: "_Stage | Files", wanted: str, word: str) -> dict[str, Files]:
    """The files each named path stands for: what is in a folder, or the file itself under an empty name.

    Nothing where the path lies in a stage whose files are not all known.
    """
    files, is_lenient = (source.files, not source.is_known) if isinstance(source, _Stage) else (source, False)
    path = posixpath.normpath(wanted).lstrip("/")
    if path.startswith(".."):
        raise _Failure(f"{word} failed: forbidden path outside the build context: {wanted} ()")
    if path in ("", "."):
        return {"": dict(files)} if files or not is_lenient else {}
    tops = _tops(files, path)
    if not tops and not is_lenient:
        if any(sign in path for sign in "*?["):
            raise _Failure(f"{word} failed: no source files were specified")
        where = "" if isinstance(source, _Stage) else "file not found in build context or excluded by .dockerignore: "
        raise _Failure(f"{word} failed: {where}stat {path}: file does not exist")
    return {top: {n[len(top) :].lstrip("/"): f for n, f in files.items() if _is_under(n, top)} for top in tops}


def _tops(files: Files, pattern: str) -> list[str]:
    depth = pattern.count("/") + 1
    heads = {"/".join(name.split("/")[:depth]) for name in files if name.count("/") + 1 >= depth}
    return sorted(head for head in heads if _matches(head, pattern))


def _matches(name: str, pattern: str) -> bool:
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _is_under(name: str, top: str) -> bool:
    """True for the path itself, what a wildcard of .dockerignore stands for, and everything below."""
    return _matches("/".join(name.split("/")[: top.count("/") + 1]), top)


def _placed(found: dict[str, Files], place: str, *, is_folder: bool) -> Files:
    """Where the copied files come to lie, as names without the leading slash."""
    placed = {}
    for top, files in found.items():
        for name, file in files.items():
            is_file = name == ""
            inner = posixpath.basename(top) if is_file and (is_folder or len(found) > 1) else name
            if is_file and file.isdir():
                continue
            placed[posixpath.normpath(posixpath.join(place, inner)).lstrip("/")] = file
    return placed


def _absolute(path: str, stage: _Stage) -> str:
    return posixpath.normpath(posixpath.join("/", stage.config.get("WorkingDir", "/"), path))


def _layer(files: Files, source: tarfile.TarFile) -> bytes:
    """One archive of all files, sorted, with fixed times: the same bytes for the same files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, file in sorted(files.items()):
            if file.islnk():
                raise _Failure(f"rehearsal: {file.name} is a hard link, which this engine does not copy")
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = file.type, file.linkname
            entry.mode, entry.size, entry.mtime = file.mode, file.size, 0
            tar.addfile(entry, source.extractfile(file) if file.isfile() else None)
    return made.getvalue()


def _login(header: str, body: bytes) -> tuple[str, str] | None:
    """Who pushes; as the engine says it, a request without a header must have a JSON body instead."""
    try:
        told = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)) if header else body)
    except ValueError as error:
        raise _Refusal(400, f"Bad parameters and missing X-Registry-Auth: {error}") from error
    return (told["username"], told.get("password", "")) if told.get("username") else None


def _push(
    images: _Images, repository: str, tag: str, login: tuple[str, str] | None, *, says_digest: bool
) -> Iterator[Line]:
    yield {"status": f"The push refers to repository [{repository}]"}
    try:
        image = images.find(f"{repository}:{tag}", "")
    except _Refusal as error:
        raise _Failure(f"An image does not exist locally with the tag: {repository}") from error
    layer = image.layer.read_bytes()
    short = _short(json.loads(image.configuration)["rootfs"]["diff_ids"][0])
    yield {"status": "Preparing", "progressDetail": {}, "id": short}
    import requests  # a rehearsal starts sooner without it, and many never push

    with requests.Session() as session:
        session.trust_env = False
        session.auth = login
        there = _There(session, repository)
        is_new = there.keep_blob(layer)
        yield {"status": "Pushed" if is_new else "Layer already exists", "progressDetail": {}, "id": short}
        there.keep_blob(image.configuration)
        body = _manifest(image.configuration, layer)
        digest = there.keep_manifest(body, tag)
    images.digest(image.id, f"{repository}@{digest}")
    yield {"status": f"{tag}: digest: {digest} size: {len(body)}"}
    if says_digest:
        yield {"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": len(body)}}


class _There:
    """The registry a push goes to, in the engine's way of speaking and of failing."""

    def __init__(self, session: "requests.Session", repository: str) -> None:
        host, slash, self._name = repository.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            raise _Failure(f"rehearsal: {repository} names no registry to push to, and no other is reachable")
        is_near = host.partition(":")[0] in ("127.0.0.1", "localhost")
        self._base = f"{'http' if is_near else 'https'}://{host}"
        self._session = session

    def keep_blob(self, content: bytes) -> bool:
        digest = _sha256(content)
        if self._ask("HEAD", f"/v2/{self._name}/blobs/{digest}", accepts=(200, 404)).status_code == 200:
            return False
        place = self._ask("POST", f"/v2/{self._name}/blobs/uploads/", accepts=(202,)).headers["Location"]
        sent = {"Content-Type": "application/octet-stream"}
        place = self._ask("PATCH", place, accepts=(202,), data=content, headers=sent).headers["Location"]
        self._ask("PUT", place, accepts=(201,), params={"digest": digest}, headers=sent)
        return True

    def keep_manifest(self, body: bytes, tag: str) -> str:
        path = f"/v2/{self._name}/manifests/{tag}"
        answer = self._ask("PUT", path, accepts=(201,), data=body, headers={"Content-Type": MANIFEST})
        return str(answer.headers["Docker-Content-Digest"])

    def _ask(self, verb: str, path: str, *, accepts: tuple[int, ...], **rest: Any) -> "requests.Response":
        from requests import RequestException

        url = path if "://" in path else self._base + path
        try:
            answer = self._session.request(verb, url, timeout=60, **rest)
        except RequestException as error:
            host = self._base.partition("://")[2]
            raise _Failure(f'Get "{self._base}/v2/": dial tcp {host}: connect: connection refused') from error
        if answer.status_code not in accepts:
            raise _Failure(_complaint(answer, signed_in=self._session.auth is not None))
        return answer


def _complaint(answer: "requests.Response", *, signed_in: bool) -> str:
    """How the engine puts a registry's refusal."""
    if answer.status_code == 401:
        return "unauthorized: authentication required" if signed_in else "no basic auth credentials"
    if answer.status_code == 403:
        return "denied: requested access to the resource is denied"
    if answer.status_code == 429:
        return "toomanyrequests: too many requests"
    return f"received unexpected HTTP status: {answer.status_code} {answer.reason}"


def _manifest(configuration: bytes, layer: bytes) -> bytes:
    parts = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": _CONFIGURATION, "size": len(configuration), "digest": _sha256(configuration)},
        "layers": [{"mediaType": _LAYER, "size": len(layer), "digest": _sha256(layer)}],
    }
    return json.dumps(parts, indent=3).encode()


def _split_tag(name: str) -> tuple[str, str]:
    """Repository and tag; a colon before a slash belongs to a port."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
