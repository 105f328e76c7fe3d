"""Blob containers for tests: one in memory under Azure's real SDK, and Azurite, Azure's own emulator.

What is in memory knows the few requests that a ledger makes. Both can lose an answer after the request was carried out,
and answer with an error in its place; Azurite is installed once into the user's cache, by `make conformance-blobs`.
"""

import base64
import io
import itertools
import json
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient
from conformance import opted_in
from requests.adapters import BaseAdapter, HTTPAdapter
from workspace.clients.blobs import Container
from workspace.rehearsal import serving

AZURITE = "3.37.0"
URL = "https://mystira.blob.core.windows.net/ledger"
_START_SECONDS = 60

Headers = Mapping[str, str]


class Trouble:
    """What happens to requests on their way: told by `when`, a number of times."""

    def __init__(self) -> None:
        self._plans: list[dict[str, Any]] = []
        self.seen: list[str] = []
        self.asked: list[str] = []
        self.seconds = 0.0

    def lose_answers(self, when: Callable[[Any], bool], times: int = 1) -> None:
        """Carry the request out, then break the connection."""
        self._plans.append({"when": when, "times": times, "how": "lose"})

    def refuse(self, when: Callable[[Any], bool], status: int, code: str, times: int = 1, **headers: str) -> None:
        """Answer with an error and do nothing."""
        self._plans.append({"when": when, "times": times, "how": "refuse", "answer": (status, code, headers)})

    def before(self, when: Callable[[Any], bool], act: Callable[[], object]) -> None:
        """Let something else happen first, once."""
        self._plans.append({"when": when, "times": 1, "how": "act", "act": act})

    def stop(self) -> None:
        """Nothing further happens."""
        self._plans.clear()

    def plan(self, request: Any) -> dict[str, Any]:
        self.seen.append(f"{request.method} {urlsplit(request.url).path}")
        self.asked.append(request.url)
        for plan in self._plans:
            if plan["times"] and plan["when"](request):
                plan["times"] -= 1
                return plan
        return {"how": "pass"}


class Adapter(BaseAdapter):
    """Below the SDK's transport: trouble on the way to what answers."""

    def __init__(self, trouble: Trouble, onward: BaseAdapter) -> None:
        super().__init__()
        self._trouble, self._onward = trouble, onward

    def send(self, request: Any, **settings: Any) -> Any:  # type: ignore[override]
        plan = self._trouble.plan(request)
        time.sleep(self._trouble.seconds)
        if plan["how"] == "refuse":
            status, code, headers = plan["answer"]
            return answer(request, status, {"x-ms-error-code": code, **headers}, _error(code))
        if plan["how"] == "act":
            plan["act"]()
        answered = self._onward.send(request, **settings)
        if plan["how"] == "lose":
            answered.close()
            raise requests.ConnectionError("Connection aborted.")
        return answered

    def close(self) -> None:
        self._onward.close()


def transport(trouble: Trouble, onward: BaseAdapter, verify: str | bool = True) -> RequestsTransport:
    session = requests.Session()
    session.trust_env = False  # or each request reads the whole environment, looking for a proxy
    session.mount("https://", Adapter(trouble, onward))
    return RequestsTransport(session=session, session_owner=False, connection_verify=verify)


def is_append(request: Any) -> bool:
    return "comp=appendblock" in request.url


def is_write(request: Any) -> bool:
    return bool(request.method == "PUT" and "comp=" not in request.url)


def always(_: Any) -> bool:
    return True


def answer(request: Any, status: int, headers: Headers, body: bytes = b"") -> requests.Response:
    found = requests.Response()
    found.status_code, found.request, found.url = status, request, request.url
    length = {"Content-Length": str(len(body))} if request.method != "HEAD" else {}
    found.headers.update({"Content-Type": "application/xml", **length, **headers})
    raw = {"status": status, "preload_content": False, "request_method": request.method}
    found.raw = urllib3.HTTPResponse(io.BytesIO(body), dict(found.headers), **raw)
    return found


def _error(code: str) -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}.</Message></Error>'.encode()


class Memory(BaseAdapter):
    """One container in memory, by the names of its blobs: type, content, version, number of appends.

    `asked` holds each request's method, the name of its blob, and what else of it was asked for, in their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[str, dict[str, Any]] = {}
        self.exists = True
        self.asked: list[str] = []
        self._lock = threading.Lock()
        self._versions = itertools.count(1)

    def close(self) -> None:
        pass

    def send(self, request: Any, **_: Any) -> requests.Response:  # type: ignore[override]
        place, headers = urlsplit(request.url), request.headers
        asked = parse_qs(place.query)
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        body = body.encode() if isinstance(body, str) else body
        name = place.path.removeprefix("/ledger").removeprefix("/")
        with self._lock:
            self.asked.append(" ".join([request.method, name, *asked.get("comp", ())]))
            if not self.exists:
                return self._no(request, 404, "ContainerNotFound")
            if asked.get("comp") == ["list"]:
                return self._listed(request, asked["prefix"][0] if "prefix" in asked else "")
            found = self.blobs.get(name)
            wanted = headers.get("If-Match")
            if request.method == "DELETE" and found and wanted in (None, found["version"]):
                del self.blobs[name]
                return answer(request, 202, {})
            if request.method == "DELETE" and found:
                return self._no(request, 412, "ConditionNotMet")
            if request.method == "PUT" and asked.get("comp") == ["metadata"] and found:
                self.blobs[name] = {**found, "version": f'"{next(self._versions)}"', "when": time.time()}
                return answer(request, 200, {"ETag": self.blobs[name]["version"]})
            if request.method == "PUT" and asked.get("comp") == ["metadata"]:
                return self._no(request, 404, "BlobNotFound")
            if request.method == "PUT":
                if headers.get("If-None-Match") == "*" and found:
                    return self._no(request, 409, "BlobAlreadyExists")
                if wanted and (not found or found["version"] != wanted):
                    return self._no(request, 412, "ConditionNotMet")
                return self._put(request, name, found, asked, body)
            if found is None:
                return self._no(request, 404, "BlobNotFound")
            return self._got(request, found)

    def _put(self, request: Any, name: str, found: Any, asked: Any, body: bytes) -> requests.Response:
        appending = asked.get("comp") == ["appendblock"]
        if appending and found is None:
            return self._no(request, 404, "BlobNotFound")
        if appending and found["type"] != "AppendBlob":
            return self._no(request, 409, "InvalidBlobType")
        at = request.headers.get("x-ms-blob-condition-appendpos")
        if appending and at is not None and int(at) != len(found["data"]):
            return self._no(request, 412, "AppendPositionConditionNotMet")
        version = f'"{next(self._versions)}"'
        if appending:
            made = {**found, "data": found["data"] + body, "blocks": found["blocks"] + 1, "version": version}
        else:
            made = {"type": request.headers["x-ms-blob-type"], "data": body, "blocks": 0, "version": version}
        self.blobs[name] = {**made, "when": time.time()}
        return answer(request, 201, {"ETag": version, "x-ms-blob-committed-block-count": str(made["blocks"])})

    def _got(self, request: Any, found: Any) -> requests.Response:
        data, told = found["data"], {"ETag": found["version"], "x-ms-blob-type": found["type"]}
        if found["type"] == "AppendBlob":
            told["x-ms-blob-committed-block-count"] = str(found["blocks"])
        if request.method == "HEAD":
            return answer(request, 200, {**told, "Content-Length": str(len(data))})
        wanted = request.headers.get("x-ms-range") or request.headers.get("Range")
        if not wanted:
            return answer(request, 200, told, data)
        first, last = wanted.removeprefix("bytes=").split("-")
        piece = data[int(first) : int(last) + 1 if last else None]
        if not piece:
            return self._no(request, 416, "InvalidRange")
        told["Content-Range"] = f"bytes {first}-{int(first) + len(piece) - 1}/{len(data)}"
        return answer(request, 206, told, piece)

    def _listed(self, request: Any, prefix: str) -> requests.Response:
        rows = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Etag>{escape(each['version'])}</Etag><Content-Length>"
            f"{len(each['data'])}</Content-Length><Last-Modified>{formatdate(each['when'], usegmt=True)}"
            f"</Last-Modified><BlobType>{each['type']}</BlobType></Properties></Blob>"
            for name, each in sorted(self.blobs.items())
            if name.startswith(prefix) and "/" not in name[len(prefix) :]
        )
        text = f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>"
        return answer(request, 200, {}, f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode())

    def _no(self, request: Any, status: int, code: str) -> requests.Response:
        return answer(request, status, {"x-ms-error-code": code}, b"" if request.method == "HEAD" else _error(code))


class Token:
    """A token with the claims that Azurite looks at; it does not look at the signature."""

    def __init__(self, **claims: Any) -> None:
        self._claims = claims

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        ends = int(time.time()) + 3600
        who = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/t/", "oid": "o", "tid": "t"}
        parts = ({"alg": "none", "typ": "JWT"}, {**who, "nbf": 0, "iat": 0, "exp": ends, **self._claims})
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return AccessToken(".".join([*encoded, "c2lnbmVk"]), ends)


def in_memory(memory: Memory, trouble: Trouble | None = None) -> Container:
    """The container in memory, through the SDK."""
    way = transport(trouble or Trouble(), memory)
    return Container(URL, credential=Token(), transport=way, pauses=(0.0, 0.0, 0.0))


class Azurite:
    """Azure's emulator on a loopback port of its own, over https, asked with tokens of Entra's form.

    `tls` is a certificate that others trust already; without one it makes its own.
    """

    def __init__(self, folder: Path, tls: serving.Certificate | None = None) -> None:
        self.folder = folder
        self.tls = tls or serving.certificate(folder / "tls")
        package = opted_in.from_npm("azurite", AZURITE)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = ["node", str(package / "dist/src/blob/main.js"), "--blobHost", "127.0.0.1"]
        command += ["--blobPort", str(self.port), "--location", str(folder / "data"), "--silent", "--disableTelemetry"]
        command += ["--oauth", "basic", "--cert", str(self.tls.certificate), "--key", str(self.tls.key)]
        (folder / "data").mkdir(parents=True)
        self._process = subprocess.Popen(
            [*command, "--skipApiVersionCheck"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )
        ends = time.monotonic() + _START_SECONDS
        while True:
            assert self._process.poll() is None, "Azurite ended by itself"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < ends, "Azurite does not answer"
                time.sleep(0.1)
            else:
                return

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def made(self) -> str:
        """The address of a new container."""
        name = f"c{uuid.uuid4().hex[:12]}"
        account = f"https://127.0.0.1:{self.port}/devstoreaccount1"
        ContainerClient(
            account, name, credential=Token(), connection_verify=str(self.tls.certificate)
        ).create_container()
        return f"{account}/{name}"

    def container(self, url: str, trouble: Trouble | None = None) -> Container:
        """A container through the SDK, with trouble on the way."""
        verify = str(self.tls.certificate)
        way: dict[str, Any] = {"transport": transport(trouble, HTTPAdapter(), verify)} if trouble else {}
        return Container(url, credential=Token(), verify=verify, pauses=(0.05, 0.1, 0.2), **way)
