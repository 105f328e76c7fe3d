"""The registry client: logins, refusals and what it makes of answers that make no sense."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from workspace.clients.registry import Registry
from workspace.errors import Broken, Refused, Unsettled
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn
from workspace.rehearsal.serving import Served

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
DIGEST = "sha256:" + "a" * 64
Answer = Callable[[httpx.Request], httpx.Response]


def answering(answer: Answer, **rest: object) -> Registry:
    transport = httpx.MockTransport(answer)
    return Registry("https://web.example", host="web.example", transport=transport, **rest)  # type: ignore[arg-type]


def always(status: int, body: object = None, **headers: str) -> Answer:
    return lambda _: httpx.Response(status, json=body, headers=headers)


ERRORS = {
    401: (Broken, "wants a login"),
    403: (Broken, "web.example/chain refuses to let us pull"),
    404: (Refused, "holds no chain"),
    429: (Unsettled, "try again in 7 s"),
    500: (Unsettled, "cannot pull now"),
    503: (Unsettled, "cannot pull now"),
    400: (Broken, "answers 400 to GET"),
}


@pytest.mark.parametrize("status", ERRORS)
def test_a_refusal_says_who_what_and_why(status: int) -> None:
    kind, words = ERRORS[status]
    body = {"errors": [{"code": "DENIED", "message": "the firewall says no"}]}
    registry = answering(always(status, body, **{"retry-after": "7"}))
    with pytest.raises(kind, match=words) as caught:
        registry.manifest("chain", DIGEST)
    assert status == 401 or "the firewall says no" in str(caught.value)


def test_a_registry_that_is_away_is_unsettled() -> None:
    with pytest.raises(Unsettled, match="does not answer"):
        Registry("http://127.0.0.1:9").digest("chain", "dev")


def test_a_manifest_with_other_bytes_than_its_digest_is_broken() -> None:
    registry = answering(always(200, {}, **{"content-type": MEDIA_TYPE}))
    with pytest.raises(Broken, match="do not deploy it"):
        registry.manifest("chain", DIGEST)


def test_a_digest_the_registry_does_not_tell_is_computed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"{}", headers={"content-type": MEDIA_TYPE})

    assert answering(answer).digest("chain", "dev") == "sha256:" + hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("digest", ["latest", "sha256:12", "md5:" + "a" * 32])
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(Refused, match="is no digest"):
        answering(always(200)).carry(digest, "chain", "chain")


def test_tags_come_from_all_pages() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("last"):
            return httpx.Response(200, json={"tags": ["c"]})
        link = '</v2/chain/tags/list?last=b&n=2>; rel="next"'
        return httpx.Response(200, json={"tags": ["a", "b"]}, headers={"link": link})

    assert answering(answer).tags("chain") == ("a", "b", "c")


def test_references_begin_with_the_host_and_not_with_the_address() -> None:
    registry = Registry("http://127.0.0.1:5000", host="mystiraacr.azurecr.io")
    assert registry.reference("chain", DIGEST) == f"mystiraacr.azurecr.io/chain@{DIGEST}"
    assert registry.authority == "127.0.0.1:5000"


class Azure:
    """The token dance of Azure's registries."""

    def __init__(self, realm: str = "https://web.example/oauth2/token") -> None:
        self.realm = realm
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = {name: value[0] for name, value in parse_qs(request.content.decode()).items()}
        if request.url.path.startswith("/oauth2/"):
            self.asked.append((request.url.path, form or dict(request.url.params)))
            if request.method == "GET":
                return httpx.Response(200, json={"token": "access"})
            exchange = request.url.path == "/oauth2/exchange"
            return httpx.Response(200, json={"refresh_token": "refresh"} if exchange else {"access_token": "access"})
        if request.headers.get("authorization") == "Bearer access":
            return httpx.Response(200, headers={"docker-content-digest": DIGEST})
        challenge = f'Bearer realm="{self.realm}",service="web.example",scope="repository:chain:pull"'
        return httpx.Response(401, headers={"www-authenticate": challenge})


def test_an_entra_token_is_exchanged_for_one_of_the_registry() -> None:
    azure = Azure()
    assert answering(azure, credential=lambda: "entra").digest("chain", "dev") == DIGEST
    assert azure.asked == [
        ("/oauth2/exchange", {"grant_type": "access_token", "service": "web.example", "access_token": "entra"}),
        (
            "/oauth2/token",
            {
                "grant_type": "refresh_token",
                "service": "web.example",
                "scope": "repository:chain:pull",
                "refresh_token": "refresh",
            },
        ),
    ]


def test_a_token_is_asked_for_once_per_repository_and_action() -> None:
    azure = Azure()
    registry = answering(azure, credential=lambda: ("ci", "secret"))
    registry.digest("chain", "dev")
    registry.digest("chain", "dev")
    assert [path for path, _ in azure.asked] == ["/oauth2/token"]


def test_a_token_is_never_asked_for_over_a_plain_connection() -> None:
    azure = Azure("http://elsewhere.example/oauth2/token")
    with pytest.raises(Broken, match="not encrypted"):
        answering(azure, credential=lambda: ("ci", "secret")).digest("chain", "dev")
    assert azure.asked == []


def test_an_entra_token_goes_to_the_registry_and_nowhere_else() -> None:
    azure = Azure("https://elsewhere.example/oauth2/token")
    with pytest.raises(Broken, match="no Azure registry"):
        answering(azure, credential=lambda: "entra").digest("chain", "dev")
    assert azure.asked == []


def test_an_engine_logs_in_with_a_refresh_token_where_we_have_an_entra_token() -> None:
    user, password = answering(Azure(), credential=lambda: "entra").login() or ("", "")
    assert (user, password) == ("00000000-0000-0000-0000-000000000000", "refresh")


def test_a_user_and_password_are_sent_as_the_registry_asks() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = "Basic " + base64.b64encode(b"ci:secret").decode()
        if request.headers.get("authorization") != wanted:
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        return httpx.Response(200, headers={"docker-content-digest": DIGEST})

    assert answering(answer, credential=lambda: ("ci", "secret")).digest("chain", "dev") == DIGEST


def test_a_wrong_password_is_broken_and_does_not_show() -> None:
    registry = answering(always(401, **{"www-authenticate": 'Basic realm="x"'}), credential=lambda: ("ci", "hunter2"))
    with pytest.raises(Broken, match="give this identity AcrPull") as caught:
        registry.digest("chain", "dev")
    assert "hunter2" not in str(caught.value)


def test_a_blob_elsewhere_is_fetched_without_our_login() -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("authorization")))
        if request.url.host == "storage.example":
            return httpx.Response(200, content=b"layer")
        if "authorization" not in request.headers:
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        return httpx.Response(307, headers={"location": "https://storage.example/layer?sig=x"})

    registry = answering(answer, credential=lambda: ("ci", "secret"))
    assert b"".join(registry.blob("chain", DIGEST)) == b"layer"
    assert seen[-1] == ("storage.example", None)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Registry, str]]:
    """A stand-in that holds one image, in repository `chain`."""
    with Served(RegistryStandIn(tmp_path / "registry", Faults(tmp_path)).app) as served:
        yield Registry(served.url), put_image(served.url, "chain", b"a layer")


def put_image(url: str, repository: str, layer: bytes) -> str:
    parts = []
    with httpx.Client(base_url=url, trust_env=False, verify=False) as http:
        for blob in (b"{}", layer):
            digest = "sha256:" + hashlib.sha256(blob).hexdigest()
            place = http.post(f"/v2/{repository}/blobs/uploads/").headers["location"]
            http.put(f"{place}&digest={digest}", content=blob).raise_for_status()
            parts.append({"mediaType": "application/octet-stream", "digest": digest, "size": len(blob)})
        body = json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": parts[0], "layers": parts[1:]})
        headers = {"content-type": MEDIA_TYPE}
        answer = http.put(f"/v2/{repository}/manifests/dev", content=body, headers=headers)
        return answer.raise_for_status().headers["docker-content-digest"]


def test_bytes_that_changed_on_the_way_are_not_carried(held: tuple[Registry, str], tmp_path: Path) -> None:
    source, digest = held
    fault = {"point": "registry", "subject": "chain", "how": "Corrupt"}
    (tmp_path / "faults.json").write_text(json.dumps([fault]))
    (tmp_path / "other").mkdir()
    with Served(RegistryStandIn(tmp_path / "second", Faults(tmp_path / "other")).app) as served:
        target = Registry(served.url)
        with pytest.raises(Broken, match="do not deploy it"):
            target.carry(digest, "chain", "chain", source=source)
        assert target.digest("chain", digest) is None


def test_a_tag_moves_without_a_byte_being_sent(held: tuple[Registry, str]) -> None:
    registry, digest = held
    said: list[str] = []
    registry.carry(digest, "chain", "chain", tag="staging", say=said.append)
    assert registry.tags("chain") == ("dev", "staging")
    assert said == [f"{registry.host}/chain:staging now names {digest[:19]}"]


def test_the_rehearsal_says_that_it_is_one(held: tuple[Registry, str]) -> None:
    registry, _ = held
    assert not registry.describe().is_real
    assert "rehearsal" in str(registry.describe())
