"""The registry stand-in refuses what a registry refuses, in the same words."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn, split_reference
from workspace.rehearsal.serving import Served

IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
ABSENT = "sha256:" + "1" * 64
HELLO = "sha256:" + hashlib.sha256(b"hello").hexdigest()


@pytest.fixture
def stand_in(tmp_path: Path) -> RegistryStandIn:
    return RegistryStandIn(tmp_path / "registry", Faults(tmp_path))


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
def http(served: tuple[Behind, str], stand_in: RegistryStandIn) -> Iterator[httpx.Client]:
    behind, url = served
    behind.app = stand_in.app
    with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
        yield client


def put_hello(http: httpx.Client, name: str = "chain") -> None:
    place = http.post(f"/v2/{name}/blobs/uploads/").headers["location"]
    assert http.put(f"{place}&digest={HELLO}", content=b"hello").status_code == 201


def manifest(digest: str = HELLO) -> bytes:
    part = {"mediaType": "application/octet-stream", "size": 5, "digest": digest}
    return json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": part, "layers": []}).encode()


def put_manifest(http: httpx.Client, tag: str, body: bytes | None = None, kind: str = IMAGE) -> httpx.Response:
    return http.put(f"/v2/chain/manifests/{tag}", content=body or manifest(), headers={"content-type": kind})


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["code"]


REFUSALS = {
    "/v2/none/tags/list": (404, "NAME_UNKNOWN"),
    "/v2/none/manifests/dev": (404, "MANIFEST_UNKNOWN"),
    f"/v2/none/blobs/{ABSENT}": (404, "BLOB_UNKNOWN"),
    "/v2/none/blobs/sha256:11": (400, "DIGEST_INVALID"),
}


@pytest.mark.parametrize("path", REFUSALS)
def test_what_is_not_there_is_refused_with_its_code(http: httpx.Client, path: str) -> None:
    assert code(http.get(path)) == REFUSALS[path]


@pytest.mark.parametrize("path", ["/v2/UPPER/manifests/x", "/v2/a/../manifests/x/y", "/v3/"])
def test_an_address_no_registry_has_is_no_page(http: httpx.Client, path: str) -> None:
    assert http.get(path).text == "404 page not found\n"


def test_bytes_that_are_not_those_of_the_digest_are_refused(http: httpx.Client) -> None:
    place = http.post("/v2/chain/blobs/uploads/").headers["location"]
    assert code(http.put(f"{place}&digest={HELLO}", content=b"other")) == (400, "DIGEST_INVALID")


def test_an_upload_comes_in_pieces_in_order(http: httpx.Client) -> None:
    first = http.post("/v2/chain/blobs/uploads/").headers["location"]
    answer = http.patch(first, content=b"hel", headers={"content-range": "0-2"})
    assert answer.headers["range"] == "0-2"
    second = answer.headers["location"]
    assert code(http.patch(second, content=b"lo", headers={"content-range": "9-10"})) == (416, "RANGE_INVALID")
    assert code(http.patch(first, content=b"lo")) == (416, "RANGE_INVALID")
    assert http.put(f"{second}&digest={HELLO}", content=b"lo").status_code == 201
    assert http.get(f"/v2/chain/blobs/{HELLO}").content == b"hello"


def test_a_cancelled_upload_is_gone(http: httpx.Client) -> None:
    place = http.post("/v2/chain/blobs/uploads/").headers["location"]
    assert http.delete(place).status_code == 204
    assert code(http.patch(place, content=b"x")) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_of_another_repository_is_mounted_or_asked_for(http: httpx.Client) -> None:
    put_hello(http, "from")
    assert http.head(f"/v2/to/blobs/{HELLO}").status_code == 404
    mounted = http.post("/v2/to/blobs/uploads/", params={"mount": HELLO, "from": "from"})
    unknown = http.post("/v2/to/blobs/uploads/", params={"mount": ABSENT, "from": "from"})
    assert (mounted.status_code, unknown.status_code) == (201, 202)
    assert http.head(f"/v2/to/blobs/{HELLO}").status_code == 200


BAD_MANIFESTS = {
    "no JSON": (b"nonsense", IMAGE),
    "another type": (manifest(), "text/plain"),
    "a type that is not the one inside": (manifest(), "application/vnd.oci.image.manifest.v1+json"),
}


@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_a_manifest_that_is_none_is_refused(http: httpx.Client, case: str) -> None:
    put_hello(http)
    assert code(put_manifest(http, "dev", *BAD_MANIFESTS[case])) == (400, "MANIFEST_INVALID")


def test_a_manifest_whose_blobs_are_not_here_is_refused(http: httpx.Client) -> None:
    put_hello(http, "elsewhere")
    assert code(put_manifest(http, "dev")) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_a_manifest_under_a_digest_that_is_not_its_own_is_refused(http: httpx.Client) -> None:
    put_hello(http)
    assert code(put_manifest(http, ABSENT)) == (400, "DIGEST_INVALID")


def test_a_manifest_is_given_to_those_who_accept_its_type(http: httpx.Client) -> None:
    put_hello(http)
    digest = put_manifest(http, "dev").headers["docker-content-digest"]
    asked = http.head("/v2/chain/manifests/dev", headers={"accept": IMAGE})
    assert (asked.status_code, asked.headers["docker-content-digest"]) == (200, digest)
    assert code(http.get("/v2/chain/manifests/dev")) == (404, "MANIFEST_UNKNOWN")


def test_types_may_be_accepted_in_headers_of_their_own_as_the_engine_does(http: httpx.Client) -> None:
    put_hello(http)
    put_manifest(http, "dev")
    headers = [("accept", "application/vnd.oci.image.index.v1+json"), ("accept", IMAGE), ("accept", "*/*")]
    assert http.head("/v2/chain/manifests/dev", headers=headers).status_code == 200


def test_tags_and_repositories_come_in_pages(http: httpx.Client) -> None:
    put_hello(http)
    for tag in ("a", "b", "c"):
        put_manifest(http, tag)
    first = http.get("/v2/chain/tags/list?n=2")
    assert (first.json(), first.links["next"]["url"]) == (
        {"name": "chain", "tags": ["a", "b"]},
        "/v2/chain/tags/list?last=b&n=2",
    )
    assert http.get(first.links["next"]["url"]).json()["tags"] == ["c"]
    assert http.get("/v2/_catalog").json() == {"repositories": ["chain"]}


def test_deleting_a_manifest_takes_its_tags_along(http: httpx.Client) -> None:
    put_hello(http)
    digest = put_manifest(http, "dev").headers["docker-content-digest"]
    assert code(http.delete("/v2/chain/manifests/dev")) == (400, "DIGEST_INVALID")
    assert http.delete(f"/v2/chain/manifests/{digest}").status_code == 202
    assert http.get("/v2/chain/tags/list").json()["tags"] == []


def test_whoever_has_no_login_is_asked_for_one(tmp_path: Path) -> None:
    stand_in = RegistryStandIn(tmp_path / "registry", Faults(tmp_path), login=("ci", "secret"))
    with Served(stand_in.app) as served, httpx.Client(base_url=served.url, trust_env=False, verify=False) as client:
        refused = client.get("/v2/")
        admitted = client.get("/v2/", auth=("ci", "secret"))
    assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert (refused.status_code, admitted.status_code) == (401, 200)


def test_the_cluster_can_ask_whether_an_image_can_be_pulled(http: httpx.Client, stand_in: RegistryStandIn) -> None:
    put_hello(http)
    digest = put_manifest(http, "dev").headers["docker-content-digest"]
    assert stand_in.has(f"mystiraacr.azurecr.io/chain@{digest}")
    assert stand_in.has("mystiraacr.azurecr.io/chain:dev")
    assert not stand_in.has("mystiraacr.azurecr.io/chain:latest")
    assert not stand_in.has("mystiraacr.azurecr.io/../chain:dev")


def test_what_was_pushed_is_there_after_a_restart(http: httpx.Client, tmp_path: Path) -> None:
    put_hello(http)
    put_manifest(http, "dev")
    assert RegistryStandIn(tmp_path / "registry", Faults(tmp_path)).has("localhost:1/chain:dev")


REFERENCES = {
    "a.example/chain:dev": ("chain", "dev"),
    "localhost:5000/team/chain": ("team/chain", "latest"),
    "team/chain:1": ("team/chain", "1"),
    f"a.example/chain:dev@{ABSENT}": ("chain", ABSENT),
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_is_taken_apart(reference: str) -> None:
    assert split_reference(reference) == REFERENCES[reference]
