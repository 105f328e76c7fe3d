"""A container registry for rehearsals: the HTTP API of a registry over files in one directory.

It refuses what a registry refuses: a manifest whose blobs it lacks, bytes that do not hash to their digest, an upload
that goes on from the wrong place. Where Debian's `docker-registry` is installed, `real_registry` starts that instead.
"""

import asyncio
import base64
import ctypes
import hashlib
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from workspace.rehearsal.faults import Fault, Faults

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
IMAGES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")

_PR_SET_PDEATHSIG = 1
_NAME = r"(?P<name>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"\w[\w.-]{0,127}")
_RANGE = re.compile(r"(?:bytes )?(\d+)-(\d+)")
_PAGE = 100
_START_SECONDS = 10

_MESSAGES = {
    "BLOB_UNKNOWN": (404, "blob unknown to registry"),
    "BLOB_UPLOAD_INVALID": (404, "blob upload invalid"),
    "BLOB_UPLOAD_UNKNOWN": (404, "blob upload unknown to registry"),
    "DENIED": (403, "requested access to the resource is denied"),
    "DIGEST_INVALID": (400, "provided digest did not match uploaded content"),
    "MANIFEST_BLOB_UNKNOWN": (400, "blob unknown to registry"),
    "MANIFEST_INVALID": (400, "manifest invalid"),
    "MANIFEST_UNKNOWN": (404, "manifest unknown"),
    "NAME_UNKNOWN": (404, "repository name not known to registry"),
    "RANGE_INVALID": (416, "invalid content range"),
    "TOOMANYREQUESTS": (429, "too many requests"),
    "UNAUTHORIZED": (401, "authentication required"),
    "UNAVAILABLE": (503, "service unavailable"),
    "UNSUPPORTED": (405, "The operation is unsupported."),
}
_FAULTS = {"Denied": "DENIED", "Unauthorized": "UNAUTHORIZED", "TooManyRequests": "TOOMANYREQUESTS"}
# Every answer says that this is a rehearsal, where a person who looks at headers sees it.
_HEADERS = {"docker-distribution-api-version": "registry/2.0", "server": "rehearsal-registry"}

Handler = Callable[..., Awaitable[Response]]


class _Refusal(Exception):
    """An answer in the shape registries give errors."""

    def __init__(self, *errors: tuple[str, Any], headers: dict[str, str] | None = None) -> None:
        self.errors, self.headers = errors, headers or {}

    @property
    def response(self) -> Response:
        status = _MESSAGES[self.errors[0][0]][0]
        body = [{"code": code, "message": _MESSAGES[code][1], "detail": detail} for code, detail in self.errors]
        return JSONResponse({"errors": body}, status, self.headers)


class RegistryStandIn:
    """A registry in `directory`; `app` is what to serve. With `login` it asks for that user and password."""

    def __init__(self, directory: Path, faults: Faults, login: tuple[str, str] | None = None) -> None:
        self._files = _Files(directory)
        self._faults, self._login = faults, login
        self._handlers: tuple[tuple[re.Pattern[str], dict[str, Handler]], ...] = (
            (re.compile("/v2/"), {"GET": self._ping}),
            (re.compile("/v2/_catalog"), {"GET": self._catalog}),
            (re.compile(f"/v2/{_NAME}/tags/list"), {"GET": self._tags}),
            (
                re.compile(f"/v2/{_NAME}/manifests/(?P<reference>[\\w.:-]+)"),
                {"GET": self._manifest, "PUT": self._put_manifest, "DELETE": self._delete_manifest},
            ),
            (re.compile(f"/v2/{_NAME}/blobs/uploads/"), {"POST": self._begin}),
            (
                re.compile(f"/v2/{_NAME}/blobs/uploads/(?P<upload>[0-9a-f-]{{36}})"),
                {"GET": self._progress, "PATCH": self._append, "PUT": self._finish, "DELETE": self._cancel},
            ),
            (re.compile(f"/v2/{_NAME}/blobs/(?P<digest>[^/]+)"), {"GET": self._blob, "DELETE": self._delete_blob}),
        )
        methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=methods)])

    def has(self, reference: str) -> bool:
        """True when `host/repository@sha256:…` or `host/repository:tag` can be pulled; any host is taken for ours."""
        name, wanted = split_reference(reference)
        if not re.fullmatch(_NAME, name) or not (_TAG.fullmatch(wanted) or _DIGEST.fullmatch(wanted)):
            return False
        return self._files.manifest(name, wanted) is not None

    async def _serve(self, request: Request) -> Response:
        try:
            response = await self._answer(request)
        except _Refusal as refusal:
            response = refusal.response
        response.headers.update(_HEADERS)
        return response

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in ("/", "/v2"):
            return RedirectResponse("/v2/", 301) if path == "/v2" else Response()
        found = [(match, methods) for pattern, methods in self._handlers if (match := pattern.fullmatch(path))]
        if not found:
            return PlainTextResponse("404 page not found\n", 404)
        match, methods = found[0]
        self._admit(request)
        self._fail(request, match.groupdict().get("name", ""))
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise _Refusal(("UNSUPPORTED", None))
        return await handler(request, **match.groupdict())

    def _admit(self, request: Request) -> None:
        if self._login is None:
            return
        wanted = "Basic " + base64.b64encode(":".join(self._login).encode()).decode()
        if request.headers.get("authorization") != wanted:
            raise _Refusal(("UNAUTHORIZED", None), headers={"www-authenticate": 'Basic realm="rehearsal registry"'})

    def _fail(self, request: Request, name: str) -> None:
        fault = self._faults.find("registry", name) if name else None
        request.state.lies = bool(fault and fault.how == "Corrupt")
        if fault and not request.state.lies:
            raise _Refusal((_FAULTS.get(fault.how, "UNAVAILABLE"), {"rehearsal": "fault"}), headers=_patience(fault))

    async def _ping(self, _: Request) -> Response:
        return JSONResponse({})

    async def _catalog(self, request: Request) -> Response:
        return _page(request, "repositories", self._files.repositories(), {})

    async def _tags(self, request: Request, name: str) -> Response:
        if not self._files.knows(name):
            raise _Refusal(("NAME_UNKNOWN", {"name": name}))
        return _page(request, "tags", self._files.tags(name), {"name": name})

    async def _manifest(self, request: Request, name: str, reference: str) -> Response:
        found = self._files.manifest(name, reference)
        detail = {"Name": name, "Tag": reference}
        if found is None:
            raise _Refusal(("MANIFEST_UNKNOWN", detail))
        body, media_type, digest = found
        if request.state.lies and request.method == "GET":
            body = body.replace(b"sha256:", b"sha256:0", 1)
        # The engine sends a header of its own for each type.
        said = ",".join(request.headers.getlist("accept"))
        accepted = [each.split(";")[0].strip() for each in said.split(",")]
        if media_type not in accepted:
            raise _Refusal(("MANIFEST_UNKNOWN", {**detail, "rehearsal": f"found, but Accept lacks {media_type}"}))
        return Response(body, headers=_named(digest), media_type=media_type)

    async def _put_manifest(self, request: Request, name: str, reference: str) -> Response:
        body = await request.body()
        media_type = request.headers.get("content-type", "").split(";")[0]
        digest = _digest(body)
        if ":" in reference and reference != digest:
            raise _Refusal(("DIGEST_INVALID", None))
        if ":" not in reference and not _TAG.fullmatch(reference):
            return PlainTextResponse("404 page not found\n", 404)
        missing = [each for each in _parts(body, media_type) if not self._files.holds(name, each, media_type)]
        if missing:
            raise _Refusal(*(("MANIFEST_BLOB_UNKNOWN", each) for each in missing))
        self._files.keep_manifest(name, body, media_type, None if ":" in reference else reference)
        place = str(request.url.replace(path=f"/v2/{name}/manifests/{digest}", query=""))
        return Response(status_code=201, headers={**_named(digest), "location": place})

    async def _delete_manifest(self, _: Request, name: str, reference: str) -> Response:
        if not _DIGEST.fullmatch(reference):
            raise _Refusal(("DIGEST_INVALID", None))
        if not self._files.drop_manifest(name, reference):
            raise _Refusal(("MANIFEST_UNKNOWN", None))
        return Response(status_code=202)

    async def _blob(self, request: Request, name: str, digest: str) -> Response:
        if not _DIGEST.fullmatch(digest):
            raise _Refusal(("DIGEST_INVALID", {}))
        if not self._files.has_blob(name, digest):
            raise _Refusal(("BLOB_UNKNOWN", digest))
        if request.state.lies and request.method == "GET":
            return Response(b"rehearsal: not the bytes asked for", media_type="application/octet-stream")
        return FileResponse(self._files.blob(digest), media_type="application/octet-stream", headers=_named(digest))

    async def _delete_blob(self, _: Request, name: str, digest: str) -> Response:
        if not self._files.drop_blob(name, digest):
            raise _Refusal(("BLOB_UNKNOWN", None))
        return Response(status_code=202)

    async def _begin(self, request: Request, name: str) -> Response:
        mount, source = request.query_params.get("mount", ""), request.query_params.get("from", "")
        if _DIGEST.fullmatch(mount) and source and self._files.has_blob(source, mount):
            self._files.link_blob(name, mount)
            place = str(request.url.replace(path=f"/v2/{name}/blobs/{mount}", query=""))
            return Response(status_code=201, headers={**_named(mount), "location": place})
        upload = self._files.begin(name)
        return self._uploading(request, name, upload, 202)

    async def _progress(self, request: Request, name: str, upload: str) -> Response:
        self._partial(name, upload)
        return self._uploading(request, name, upload, 204)

    async def _append(self, request: Request, name: str, upload: str) -> Response:
        partial = self._partial(name, upload)
        size = partial.stat().st_size
        start = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if request.query_params.get("_state") != _state(upload, size) or (start and int(start[1]) != size):
            raise _Refusal(("RANGE_INVALID", None), headers={"range": f"0-{max(size - 1, 0)}"})
        with partial.open("ab") as file:
            async for piece in request.stream():
                file.write(piece)
        return self._uploading(request, name, upload, 202)

    async def _finish(self, request: Request, name: str, upload: str) -> Response:
        digest = request.query_params.get("digest", "")
        if not _DIGEST.fullmatch(digest):
            raise _Refusal(("DIGEST_INVALID", "digest missing"))
        await self._append(request, name, upload)
        partial = self._partial(name, upload)
        if await asyncio.to_thread(_file_digest, partial) != digest:
            partial.unlink()
            raise _Refusal(("DIGEST_INVALID", {"Digest": digest, "Reason": {}}))
        self._files.keep_blob(name, partial, digest)
        place = str(request.url.replace(path=f"/v2/{name}/blobs/{digest}", query=""))
        return Response(status_code=201, headers={**_named(digest), "location": place})

    async def _cancel(self, _: Request, name: str, upload: str) -> Response:
        self._partial(name, upload).unlink()
        return Response(status_code=204)

    def _partial(self, name: str, upload: str) -> Path:
        partial = self._files.upload(name, upload)
        if not partial.is_file():
            raise _Refusal(("BLOB_UPLOAD_UNKNOWN", None))
        return partial

    def _uploading(self, request: Request, name: str, upload: str, status: int) -> Response:
        size = self._files.upload(name, upload).stat().st_size
        place = request.url.replace(path=f"/v2/{name}/blobs/uploads/{upload}", query=f"_state={_state(upload, size)}")
        # One byte and none look alike here; that is how registries write it.
        headers = {"location": str(place), "range": f"0-{max(size - 1, 0)}", "docker-upload-uuid": upload}
        return Response(status_code=status, headers=headers)


class _Files:
    """Blobs once, and per repository which blobs and manifests it holds and what its tags name."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        self._lock = threading.RLock()
        (directory / "blobs").mkdir(parents=True, exist_ok=True)

    def repositories(self) -> list[str]:
        top = self._root / "repositories"
        return sorted(found.parent.relative_to(top).as_posix() for found in top.rglob("_manifests"))

    def knows(self, name: str) -> bool:
        return (self._repository(name) / "_manifests").is_dir()

    def tags(self, name: str) -> list[str]:
        return sorted(file.name for file in self._tag_files(name))

    def manifest(self, name: str, reference: str) -> tuple[bytes, str, str] | None:
        """Body, media type and digest."""
        with self._lock:
            named = self._repository(name) / "_tags" / reference
            digest = reference if ":" in reference else named.read_text() if named.is_file() else ""
            kept = self._repository(name) / "_manifests" / digest.removeprefix("sha256:")
            if not digest or not kept.is_file():
                return None
            return self.blob(digest).read_bytes(), kept.read_text(), digest

    def keep_manifest(self, name: str, body: bytes, media_type: str, tag: str | None) -> None:
        digest = _digest(body)
        with self._lock:
            _write(self.blob(digest), body)
            _write(self._repository(name) / "_manifests" / digest.removeprefix("sha256:"), media_type.encode())
            if tag:
                _write(self._repository(name) / "_tags" / tag, digest.encode())

    def drop_manifest(self, name: str, digest: str) -> bool:
        with self._lock:
            kept = self._repository(name) / "_manifests" / digest.removeprefix("sha256:")
            if not kept.is_file():
                return False
            kept.unlink()
            for tag in self._tag_files(name):
                if tag.read_text() == digest:
                    tag.unlink()
            return True

    def holds(self, name: str, digest: str, media_type: str) -> bool:
        """True when the repository has what a manifest of this type points at."""
        return bool(self.manifest(name, digest)) if media_type in INDEXES else self.has_blob(name, digest)

    def has_blob(self, name: str, digest: str) -> bool:
        return self._link(name, digest).exists() and self.blob(digest).exists()

    def link_blob(self, name: str, digest: str) -> None:
        _write(self._link(name, digest), b"")

    def drop_blob(self, name: str, digest: str) -> bool:
        if not self.has_blob(name, digest):
            return False
        self._link(name, digest).unlink()
        return True

    def keep_blob(self, name: str, partial: Path, digest: str) -> None:
        with self._lock:
            partial.replace(self.blob(digest))
            self.link_blob(name, digest)

    def begin(self, name: str) -> str:
        upload = str(uuid.uuid4())
        _write(self.upload(name, upload), b"")
        return upload

    def upload(self, name: str, upload: str) -> Path:
        return self._repository(name) / "_uploads" / upload

    def blob(self, digest: str) -> Path:
        return self._root / "blobs" / digest.removeprefix("sha256:")

    def _tag_files(self, name: str) -> list[Path]:
        # A name that begins with a dot is a file being written; no tag does.
        return [file for file in (self._repository(name) / "_tags").glob("*") if not file.name.startswith(".")]

    def _link(self, name: str, digest: str) -> Path:
        return self._repository(name) / "_layers" / digest.removeprefix("sha256:")

    def _repository(self, name: str) -> Path:
        return self._root / "repositories" / name


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag or digest of an image reference; its host, where it has one, is left out."""
    first, slash, rest = reference.partition("/")
    has_host = slash and ("." in first or ":" in first or first == "localhost")
    name = rest if has_host else reference
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository.partition(":")[0], digest
    repository, _, tag = name.partition(":")
    return repository, tag or "latest"


def _parts(body: bytes, media_type: str) -> list[str]:
    """The digests a manifest points at, each once."""
    if media_type not in (*INDEXES, *IMAGES):
        raise _Refusal(("MANIFEST_INVALID", {"rehearsal": f"unknown media type {media_type}"}))
    try:
        content = json.loads(body)
        # Docker's own types must say their name inside; OCI's may leave it out.
        told = content.get("mediaType", media_type if "vnd.oci" in media_type else "")
        named: Iterable[Any] = (
            content["manifests"] if media_type in INDEXES else [content["config"], *content["layers"]]
        )
        digests = [str(each["digest"]) for each in named if not each.get("urls")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Refusal(("MANIFEST_INVALID", {"rehearsal": str(error)})) from error
    if told != media_type or content.get("schemaVersion") != 2:
        raise _Refusal(("MANIFEST_INVALID", {"rehearsal": f"says it is {told or 'nothing'}, sent as {media_type}"}))
    return list(dict.fromkeys(digests))


def _page(request: Request, key: str, items: list[str], rest: dict[str, str]) -> Response:
    last, asked = request.query_params.get("last", ""), request.query_params.get("n", "")
    size = int(asked) if asked.isdigit() and int(asked) else _PAGE
    following = [item for item in items if item > last]
    page = following[:size]
    more = len(following) > size
    headers = {"link": f'<{request.url.path}?last={page[-1]}&n={size}>; rel="next"'} if more else {}
    return JSONResponse({**rest, key: page}, headers=headers)


def _patience(fault: Fault) -> dict[str, str]:
    return {"retry-after": str(fault.details.get("after", 1))} if fault.how == "TooManyRequests" else {}


def _named(digest: str) -> dict[str, str]:
    return {"docker-content-digest": digest, "etag": f'"{digest}"'}


def _state(upload: str, size: int) -> str:
    """What an upload's address carries, so that nobody goes on from an older one."""
    return base64.urlsafe_b64encode(f"{upload}:{size}".encode()).decode().rstrip("=")


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _file_digest(file: Path) -> str:
    with file.open("rb") as content:
        return "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    partial.write_bytes(content)
    partial.replace(file)


class RealRegistry:
    """Debian's registry program on a loopback port with a configuration of its own; close it when done."""

    def __init__(self, program: str, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = directory / "registry.log"
        configuration = directory / "config.yml"
        configuration.write_text(json.dumps(_configuration(directory / "data", self.port)))
        with self._log.open("ab") as log:
            command = [program, "serve", str(configuration)]
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=_die_with_parent
            )
        self._wait()

    def has(self, reference: str) -> bool:
        """True when the reference can be pulled from here; any host is taken for ours."""
        name, wanted = split_reference(reference)
        url = f"{self.url}/v2/{name}/manifests/{wanted}"
        request = urllib.request.Request(url, method="HEAD", headers={"Accept": ", ".join(INDEXES + IMAGES)})  # noqa: S310 - our own loopback address
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - as above
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def close(self) -> None:
        """End the program; a second call does nothing."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> "RealRegistry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/v2/", timeout=1).close()  # noqa: S310 - our own loopback address
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise RuntimeError(f"docker-registry did not start at {self.url}, see {self._log}") from error
                time.sleep(0.02)
            else:
                return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def real_registry(directory: Path) -> RealRegistry | None:
    """The real registry program, started with its state in `directory`; None where it is not installed."""
    program = shutil.which("docker-registry")
    return RealRegistry(program, directory) if program else None


def _configuration(data: Path, port: int) -> dict[str, Any]:
    """JSON is YAML. Debian's own configuration listens on every interface, so it is never used."""
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(data)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": uuid.uuid4().hex},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
