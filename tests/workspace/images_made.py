"""Small images put into a registry: what an engine would push, without one."""

import hashlib
import json

import httpx

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_ADDRESS = "http://registry.test"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Pusher:
    """Puts blobs, images and tags into the registry behind a transport."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._http = httpx.Client(base_url=_ADDRESS, transport=transport)

    def blob(self, repository: str, content: bytes) -> str:
        digest = digest_of(content)
        place = self._http.post(f"/v2/{repository}/blobs/uploads/").headers["location"]
        assert self._http.put(f"{place}&digest={digest}", content=content).status_code == 201
        return digest

    def image(self, repository: str, content: str, tag: str = "", platform: str = "linux/amd64") -> str:
        """An image of one layer; its digest follows from its content and platform alone."""
        system, _, architecture = platform.partition("/")
        configuration = json.dumps({"os": system, "architecture": architecture, "of": content}).encode()
        parts = [
            {"mediaType": kind, "size": len(each), "digest": self.blob(repository, each)}
            for kind, each in (
                ("application/vnd.oci.image.config.v1+json", configuration),
                ("application/vnd.oci.image.layer.v1.tar", content.encode()),
            )
        ]
        body = {"schemaVersion": 2, "mediaType": IMAGE, "config": parts[0], "layers": parts[1:]}
        return self._put(repository, tag, IMAGE, json.dumps(body).encode())

    def index(self, repository: str, *digests: str) -> str:
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": each} for each in digests]}
        return self._put(repository, "", INDEX, json.dumps(body).encode())

    def tag(self, repository: str, name: str, digest: str) -> None:
        accept = {"accept": f"{IMAGE}, {INDEX}"}
        found = self._http.get(f"/v2/{repository}/manifests/{digest}", headers=accept)
        self._put(repository, name, found.headers["content-type"], found.content)

    def remove(self, repository: str, digest: str, what: str = "manifests") -> None:
        assert self._http.delete(f"/v2/{repository}/{what}/{digest}").status_code == 202

    def config_and_layer(self, repository: str, digest: str) -> tuple[str, str]:
        found = self._http.get(f"/v2/{repository}/manifests/{digest}", headers={"accept": IMAGE}).json()
        return found["config"]["digest"], found["layers"][0]["digest"]

    def _put(self, repository: str, tag: str, kind: str, body: bytes) -> str:
        digest = digest_of(body)
        place = f"/v2/{repository}/manifests/{tag or digest}"
        assert self._http.put(place, content=body, headers={"content-type": kind}).status_code == 201
        return digest
