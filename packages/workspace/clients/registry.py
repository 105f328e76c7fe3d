"""An OCI registry over its HTTP API: which digest a name stands for, and carrying a digest without a rebuild."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from workspace import diagnosis, trust
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError
from workspace.work import say_nothing

Credential = Callable[[], tuple[str, str] | str]

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_IMAGES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = {"Accept": ", ".join(_INDEXES + _IMAGES)}
_BYTES = {"Content-Type": "application/octet-stream"}

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_CHUNK = 1024 * 1024

# What Azure's registries want as user name where the password is a refresh token.
_TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - a user name


@dataclass(frozen=True)
class Description:
    """Which registry this is, for the line that says what was real."""

    host: str
    address: str
    is_real: bool

    def __str__(self) -> str:
        return f"registry {self.host} at {self.address} ({'real' if self.is_real else 'rehearsal'})"


@dataclass(frozen=True)
class Manifest:
    """The bytes of a manifest as the registry holds them; promoting means never changing one of them."""

    body: bytes
    media_type: str
    digest: str

    @property
    def children(self) -> tuple[str, ...]:
        """The digests of an index's manifests; empty for a single image."""
        return tuple(child["digest"] for child in self._content.get("manifests", ()))

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of the configuration and the layers, without those that live at addresses of their own."""
        content = self._content
        parts = [content["config"]] if "config" in content else []
        parts += [layer for layer in content.get("layers", ()) if not layer.get("urls")]
        return tuple(dict.fromkeys(part["digest"] for part in parts))

    @property
    def config(self) -> str:
        """The digest of an image's configuration, which says what it runs on; empty for an index."""
        return str(self._content.get("config", {}).get("digest", ""))

    @property
    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class Registry:
    """One registry. Safe to use from several threads.

    `address` is where it answers; `host` is what references to its images begin with (the address's own host and port
    where it is not given), so that a rehearsal on a loopback port names images as Azure would. `credential` gives a
    user and password, or an Entra access token for Azure's registries.
    """

    def __init__(
        self,
        address: str,
        *,
        host: str = "",
        credential: Credential | None = None,
        verify: bool | str = True,
        transport: httpx.BaseTransport | None = None,
        timeout_seconds: float = 60,
    ) -> None:
        self._address = address.rstrip("/")
        self.authority = urlsplit(self._address).netloc
        self.host = host or self.authority
        self._credential = credential
        # The machine's proxy is for the outside; a registry on a loopback address is reached without it.
        outside = urlsplit(self._address).hostname not in ("127.0.0.1", "localhost", "::1")
        trusted = trust.context(verify, trust_env=outside)
        self._http = httpx.Client(verify=trusted, transport=transport, timeout=timeout_seconds, trust_env=outside)
        self._headers: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def describe(self) -> Description:
        """Who answers at the address; raises when nobody does."""
        response = self._send("GET", "/v2/", "", "reach")
        return Description(self.host, self._address, "rehearsal" not in response.headers.get("server", "").lower())

    def reference(self, repository: str, digest: str) -> str:
        """How others name this image: `host/repository@sha256:…`."""
        return f"{self.host}/{repository}@{digest}"

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest behind a tag or digest, or None where the registry holds no such manifest."""
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._send("HEAD", path, repository, "pull", headers=_ACCEPT, missing=True)
        if response.status_code == 404:
            return None
        told = response.headers.get("docker-content-digest")
        return told or self.manifest(repository, reference).digest

    def exists(self, repository: str, digest: str) -> bool:
        """True when the registry holds this very digest in this repository."""
        return self.digest(repository, _checked(digest)) == digest

    def lacking(self, repository: str, digest: str, platform: str = "") -> tuple[str, ...]:
        """What of an image is not there, in words; nothing is when all of it can be carried and run.

        Looked for are its manifest, those of an index, their configurations and layers, and, where images say what they
        run on, one for the platform (`linux/amd64`).
        """
        if not self.exists(repository, digest):
            return (f"{repository}@{digest}",)
        found: list[str] = []
        platforms = set(self._platforms(repository, digest, found))
        if platform and platforms and platform not in platforms:
            found.append(f"{repository}@{digest} for {platform} (it is for {', '.join(sorted(platforms))})")
        return tuple(found)

    def _platforms(self, repository: str, digest: str, missing: list[str]) -> Iterator[str]:
        """What an image says it runs on; notes by the way what of it is missing."""
        manifest = self.manifest(repository, digest)
        for child in manifest.children:
            if self.exists(repository, child):
                yield from self._platforms(repository, child, missing)
            else:
                missing.append(f"{child} of {repository}@{digest}")
        gone = [blob for blob in manifest.blobs if not self._has_blob(repository, blob)]
        missing.extend(f"{blob} of {repository}@{digest}" for blob in gone)
        if manifest.config and manifest.config not in gone:
            yield from _platform(b"".join(_Counted(self.blob(repository, manifest.config), manifest.config, self.host)))

    def tags(self, repository: str) -> tuple[str, ...]:
        """Every tag of a repository, page after page; none for a repository nobody has pushed to."""
        found: list[str] = []
        path = f"/v2/{repository}/tags/list"
        while path:
            response = self._send("GET", path, repository, "pull", missing=True)
            if response.status_code == 404:
                break
            found += response.json().get("tags") or ()
            following = _NEXT.search(response.headers.get("link", ""))
            path = str(response.url.join(following[1])) if following else ""
        return tuple(found)

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest's own bytes, checked against their digest; Refused where there is none."""
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._send("GET", path, repository, "pull", headers=_ACCEPT)
        made = "sha256:" + hashlib.sha256(response.content).hexdigest()
        promised = reference if _DIGEST.fullmatch(reference) else response.headers.get("docker-content-digest", made)
        if made != promised:
            raise Broken(
                f"{self.host} answers {repository}@{promised} with bytes that hash to {made}: do not deploy it"
            )
        return Manifest(response.content, response.headers.get("content-type", "").split(";")[0], made)

    def carry(
        self,
        digest: str,
        source_repository: str,
        repository: str,
        *,
        source: "Registry | None" = None,
        tag: str | None = None,
        say: Callable[[str], None] = say_nothing,
    ) -> str:
        """Bring exactly this digest into `repository`, and put `tag` on it; returns the digest.

        The same bytes arrive, never a rebuild: blobs are mounted within a registry and streamed, hashed on the way,
        between two. Nothing is written where everything is so already.
        """
        origin = source or self
        if not self.exists(repository, digest):
            if origin is self and source_repository == repository:
                raise Refused(_not_held(self.host, repository, digest))
            self._copy(digest, origin, source_repository, repository, say)
        if tag and self.digest(repository, tag) != digest:
            self._put(repository, tag, self.manifest(repository, digest))
            say(f"{self.host}/{repository}:{tag} now names {digest[:19]}")
        return digest

    def login(self) -> tuple[str, str] | None:
        """What an engine that pushes here on our behalf may log in with, or None where no login is configured."""
        given = self._credential() if self._credential else None
        if given is None or isinstance(given, tuple):
            return given
        challenge = self._http_request("GET", f"{self._address}/v2/", "reach").headers.get("www-authenticate", "")
        return _TOKEN_USER, self._refresh_token(dict(_CHALLENGE.findall(challenge)), given)

    def _copy(self, digest: str, origin: "Registry", source: str, repository: str, say: Callable[[str], None]) -> None:
        manifest = origin.manifest(source, digest)
        for child in manifest.children:
            if not self.exists(repository, child):
                self._copy(child, origin, source, repository, say)
        mounted = streamed = 0
        for blob in manifest.blobs:
            if self._has_blob(repository, blob):
                continue
            size = self._bring(blob, origin, source, repository)
            mounted, streamed = (mounted, streamed + size) if size >= 0 else (mounted + 1, streamed)
        self._put(repository, digest, manifest)
        say(f"carried {source}@{digest[:19]} to {self.host}/{repository}: {mounted} mounted, {streamed} B streamed")

    def _has_blob(self, repository: str, digest: str) -> bool:
        path = f"/v2/{repository}/blobs/{digest}"
        # Azure answers with a redirect to its storage where it has the blob.
        return self._send("HEAD", path, repository, "pull", missing=True).status_code != 404

    def _bring(self, digest: str, origin: "Registry", source: str, repository: str) -> int:
        """The bytes that moved; -1 where the registry only linked the blob."""
        asked = {"mount": digest, "from": source} if origin is self else {}
        action = f"push, mounting from {source}" if asked else "push"
        response = self._send("POST", f"/v2/{repository}/blobs/uploads/", repository, action, params=asked)
        if response.status_code == 201:
            return -1
        place = str(response.url.join(response.headers["location"]))
        try:
            return self._stream(digest, origin, source, repository, place)
        except WorkspaceError:
            self._http_request("DELETE", place, "cancel", headers=self._authorization(place, repository, "push"))
            raise

    def _stream(self, digest: str, origin: "Registry", source: str, repository: str, place: str) -> int:
        counted = _Counted(origin.blob(source, digest), digest, f"{origin.host}/{source}")
        response = self._send("PATCH", place, repository, "push", headers=_BYTES, body=iter(counted))
        place = str(response.url.join(response.headers["location"]))
        self._send("PUT", place, repository, "push", headers=_BYTES, params={"digest": digest})
        return counted.size

    def blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """The bytes of a blob in pieces, not yet checked against the digest."""
        path = f"/v2/{repository}/blobs/{_checked(digest)}"
        # One small request first, so that a token is at hand before the stream begins.
        self._send("HEAD", path, repository, "pull")
        url = self._address + path
        headers = self._authorization(url, repository, "pull")
        try:
            with self._http.stream("GET", url, headers=headers, follow_redirects=True) as response:
                if response.status_code != 200:
                    response.read()
                    self._judge(response, repository, "pull")
                yield from response.iter_bytes(_CHUNK)
        except httpx.TransportError as error:
            raise Unsettled(
                f"{self.host} broke off while {repository}@{digest} was read: {error}; try again"
            ) from error

    def _put(self, repository: str, reference: str, manifest: Manifest) -> None:
        path = f"/v2/{repository}/manifests/{reference}"
        headers = {"Content-Type": manifest.media_type}
        response = self._send("PUT", path, repository, "push", headers=headers, body=manifest.body)
        kept = response.headers.get("docker-content-digest", manifest.digest)
        if kept != manifest.digest:
            raise Broken(f"{self.host} keeps {repository}@{manifest.digest} as {kept}: it changed the manifest's bytes")

    def _send(
        self,
        method: str,
        path: str,
        repository: str,
        action: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        missing: bool = False,
    ) -> httpx.Response:
        """One request with a login as the registry asks for it; its refusals become ours, but a 404 where `missing`."""
        url = httpx.URL(path if "://" in path else self._address + path)
        url = url.copy_merge_params(params) if params else url
        for again in (True, False):
            sent = {**(headers or {}), **self._authorization(str(url), repository, action)}
            response = self._http_request(method, str(url), action, headers=sent, body=body)
            if response.status_code != 401 or not again or isinstance(body, Iterator):
                break
            self._log_in(response, repository, action)
        if not (missing and response.status_code == 404):
            self._judge(response, repository, action)
        return response

    def _http_request(
        self,
        method: str,
        url: str,
        action: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        form: Mapping[str, str] | None = None,
        login: tuple[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self._http.request(
                method, url, headers=headers, content=body, data=form, auth=login or httpx.USE_CLIENT_DEFAULT
            )
        except httpx.TransportError as error:
            where = f"{self.host} at {self._address}"
            raise Unsettled(
                f"{where} does not answer ({action}): {error or type(error).__name__}; try again"
            ) from error

    def _judge(self, response: httpx.Response, repository: str, action: str) -> None:
        code, said = response.status_code, _said(response)
        if code < 400:
            return
        where = f"{self.host}/{repository}" if repository else self.host
        if code in (401, 403):
            role = "AcrPull" if action == "pull" else "AcrPush"
            raise Broken(f"{where} refuses to let us {action} ({code}, {said}): give this identity {role} there")
        if code == 404:
            raise Refused(_not_held(self.host, repository, response.url.path.rsplit("/", 1)[-1]) + f" ({said})")
        if code == 429 or code >= 500:
            after = response.headers.get("retry-after")
            unsettled = Unsettled(
                f"{where} cannot {action} now ({code}, {said}); try again {f'in {after} s' if after else 'later'}"
            )
            unsettled.after = diagnosis.asked_to_wait(response.headers)
            raise unsettled
        raise Broken(f"{where} answers {code} to {response.request.method} ({action}): {said}")

    def _authorization(self, url: str, repository: str, action: str) -> dict[str, str]:
        # An upload's address is the registry's choice; our login goes to the registry itself and nowhere else.
        known = self._headers.get((repository, action))
        return {"Authorization": known} if known and urlsplit(url).netloc == self.authority else {}

    def _log_in(self, refusal: httpx.Response, repository: str, action: str) -> None:
        challenge = refusal.headers.get("www-authenticate", "")
        scheme, asked = challenge.partition(" ")[0].lower(), dict(_CHALLENGE.findall(challenge))
        given = self._credential() if self._credential else None
        if scheme == "basic" and isinstance(given, tuple):
            header = "Basic " + base64.b64encode(":".join(given).encode()).decode()
        elif scheme == "bearer":
            header = "Bearer " + self._access_token(asked, given, repository, action)
        else:
            missing = "no login is configured" if given is None else f"it asks for {scheme or 'nothing we know'}"
            raise Broken(f"{self.host}/{repository} wants a login before it lets us {action}, and {missing}")
        with self._lock:
            self._headers[repository, action] = header
            # An upload that began by mounting goes on as a plain push.
            self._headers[repository, action.partition(",")[0]] = header

    def _access_token(
        self, asked: dict[str, str], given: tuple[str, str] | str | None, repository: str, action: str
    ) -> str:
        realm, service, scope = asked.get("realm", ""), asked.get("service", ""), asked.get("scope", "")
        self._trust(realm)
        if isinstance(given, str) and not _is_azure(realm):
            return given
        if isinstance(given, str):
            refresh = self._refresh_token(asked, given)
            form = {"grant_type": "refresh_token", "service": service, "scope": scope, "refresh_token": refresh}
            response = self._http_request("POST", realm, action, form=form)
        else:
            query = [("service", service), *(("scope", each) for each in scope.split())]
            response = self._http_request("GET", str(httpx.URL(realm, params=query)), action, login=given)
        self._judge(response, repository, action)
        answer = response.json()
        return str(answer.get("access_token") or answer.get("token") or "")

    def _refresh_token(self, asked: dict[str, str], given: str) -> str:
        realm = asked.get("realm", "")
        if not _is_azure(realm) or urlsplit(realm).netloc != self.authority:
            raise Broken(
                f"{self.host} is no Azure registry (its tokens come from {realm or 'nowhere'}): give a user instead"
            )
        self._trust(realm)
        form = {"grant_type": "access_token", "service": asked.get("service", ""), "access_token": given}
        response = self._http_request("POST", realm.removesuffix("token") + "exchange", "log in", form=form)
        self._judge(response, "", "log in")
        return str(response.json()["refresh_token"])

    def _trust(self, realm: str) -> None:
        """A login never leaves an encrypted connection for a plain one because the other side says so."""
        if self._address.startswith("https:") and not realm.startswith("https:"):
            raise Broken(f"{self.host} sends logins to {realm or 'nowhere'}, which is not encrypted: nothing was sent")


class _Counted:
    """A stream of bytes that is counted and, at its end, held against its digest."""

    def __init__(self, pieces: Iterator[bytes], digest: str, place: str) -> None:
        self._pieces, self._digest, self._place = pieces, digest, place
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        seen = hashlib.sha256()
        for piece in self._pieces:
            seen.update(piece)
            self.size += len(piece)
            yield piece
        if f"sha256:{seen.hexdigest()}" != self._digest:
            made = seen.hexdigest()[:12]
            raise Broken(f"{self._place} answers blob {self._digest} with bytes that hash to {made}…: do not deploy it")


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise Refused(f"{digest!r} is no digest: sha256: and 64 hexadecimal digits are")
    return digest


def _not_held(host: str, repository: str, reference: str) -> str:
    return f"{host} holds no {repository} {reference}: build it where it is built, then promote it from there"


def _platform(configuration: bytes) -> Iterator[str]:
    """`linux/amd64` of an image's configuration; nothing where it does not say, as that of an attestation."""
    try:
        said = json.loads(configuration)
        if said["os"] != "unknown":
            yield f"{said['os']}/{said['architecture']}"
    except (ValueError, KeyError, TypeError):
        return


def _said(response: httpx.Response) -> str:
    """What the registry says went wrong: its error codes and messages, or nothing but the reason phrase."""
    try:
        errors = json.loads(response.content)["errors"]
        return "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, httpx.ResponseNotRead):
        return response.reason_phrase or "no reason given"


def _is_azure(realm: str) -> bool:
    return urlsplit(realm).path == "/oauth2/token"
