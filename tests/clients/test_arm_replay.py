"""Recorded Azure conversations, replayed through the real SDK and our clients without a socket."""

import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests
import urllib3
from azure.core.pipeline.transport import RequestsTransport
from requests.structures import CaseInsensitiveDict
from workspace.clients.arm import Arm, ChangeKind
from workspace.clients.managed_clusters import ManagedClusters
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError

ABSENT = {"error": {"code": "ResourceNotFound", "message": "This was not recorded."}}


class Replay(requests.adapters.BaseAdapter):
    """Answers each request with the next recording of its method and path, the last one again when they run out.

    What was never read is not there; what was never written must not be.
    """

    def __init__(self, story: dict[str, Any]) -> None:
        super().__init__()
        self._exchanges = story["exchanges"]
        self._used: set[int] = set()
        self._last: dict[tuple[str, str], int] = {}
        self.writes: list[tuple[str, str]] = []

    def send(self, request: Any, **_: Any) -> Any:
        key = self._key(request.method, urlsplit(request.url).path)
        if key[0] not in ("GET", "HEAD"):
            self.writes.append(key)
        place = self._next(key)
        if place is None:
            assert key[0] in ("GET", "HEAD"), f"nobody recorded {key}"
            return self._response(request, {"status": 404, "headers": {}, "body": ABSENT})
        self._used.add(place)
        self._last[key] = place
        return self._response(request, self._exchanges[place]["response"])

    def close(self) -> None:
        pass

    def assume(self, method: str) -> None:
        """As if everything of this method had been sent already."""
        for place, each in enumerate(self._exchanges):
            if each["request"]["method"] == method:
                self._used.add(place)

    def recorded(self, *methods: str) -> int:
        return sum(each["request"]["method"] in methods for each in self._exchanges)

    def _next(self, key: tuple[str, str]) -> int | None:
        """What is read after a write was recorded is not there before that write."""
        for place, each in enumerate(self._exchanges):
            if place in self._used:
                continue
            recorded = self._key(each["request"]["method"], each["request"]["path"])
            if recorded == key:
                return place
            if recorded == ("PUT", key[1]) and key not in self._last:
                return None
        return self._last.get(key)

    @staticmethod
    def _key(method: str, path: str) -> tuple[str, str]:
        return method.upper(), re.sub("/+", "/", unquote(path)).rstrip("/").lower()

    @staticmethod
    def _response(request: Any, recorded: dict[str, Any]) -> Any:
        body = recorded["body"]
        raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        answer = requests.Response()
        answer.status_code, answer.url, answer.request, answer.reason = recorded["status"], request.url, request, ""
        kept = {k: v for k, v in recorded["headers"].items() if k not in ("content-length", "retry-after")}
        answer.headers = CaseInsensitiveDict(kept)
        answer.raw = urllib3.HTTPResponse(
            body=io.BytesIO(raw), headers=kept, status=recorded["status"], preload_content=False
        )
        return answer


class Told:
    """A story and a client that hears it."""

    def __init__(self, samples: Path, name: str) -> None:
        self.story = json.loads((samples / f"azure/dev/{name}.json").read_text())
        paths = (each["request"]["path"] for each in self.story["exchanges"])
        self.subscription = next(m[1] for path in paths if (m := re.match("/subscriptions/([^/]+)", path)))
        self.replay = Replay(self.story)
        session = requests.Session()
        session.mount("https://", self.replay)
        self.options: dict[str, Any] = {
            "credential": None,
            "subscription": self.subscription,
            "transport": RequestsTransport(session=session, session_owner=False),
            "polling_seconds": 0.001,
        }
        self.arm = Arm(**self.options)
        self.clusters = ManagedClusters(**self.options)

    def group_of(self, ending: str = "") -> str:
        paths = (each["request"]["path"] for each in self.story["exchanges"])
        return next(m[1] for p in paths if (m := re.search(f"/resourcegroups/([^/]+){ending}", p, re.IGNORECASE)))

    def deployed(self) -> dict[str, Any]:
        asked = (e["request"] for e in self.story["exchanges"] if "/deployments/" in e["request"]["path"])
        put = next(request for request in asked if request["method"] == "PUT")
        # the oldest recorders did not keep what was sent
        properties = (put["body"] or {}).get("properties") or {}
        values = {name: value.get("value") for name, value in properties.get("parameters", {}).items()}
        return {"name": put["path"].rsplit("/", 1)[-1], "template": properties.get("template") or {}, "values": values}


@pytest.fixture
def tell(samples: Path) -> Any:
    return lambda name: Told(samples, name)


def test_a_group_and_a_deployment_of_2026_are_made_read_and_deleted(tell: Any) -> None:
    told = tell("arm-deploy-rg-create-poll-outputs-delete-2026")
    group, asked = told.group_of(), told.deployed()
    names = ["STORAGE_ACCOUNT_ID", "STORAGE_ACCOUNT_NAME"]

    assert told.arm.ensure_group(group, "eastus2", {"DeleteAfter": "2026-04-09T20:15:29Z"}) is True
    done = told.arm.deploy(group, asked["name"], asked["template"], asked["values"])
    assert set(done.named(names)) == set(names)
    assert told.arm.resources(group) == done.resources
    assert told.arm.delete_group(group) is True

    assert [method for method, _ in told.replay.writes] == ["PUT", "PUT", "DELETE"]


def test_what_if_of_2026_creates_at_first_and_is_uncertain_right_after(tell: Any) -> None:
    told = tell("arm-whatif-sub-create-then-nochange-2026")
    asked = told.deployed()

    def ask() -> Any:
        return told.arm.what_if("", asked["name"], asked["template"], asked["values"], location="eastus2")

    first, second = ask(), ask()

    assert [each.kind for each in first.certain] == [ChangeKind.CREATE, ChangeKind.CREATE]
    assert first.certain[0].resource.endswith("/rg-azdtest-d8523ca")
    assert second.certain == ()
    assert [each.properties for each in second.uncertain] == [("tags.DeleteAfter", "tags.SecureTag")]
    assert [each.kind for each in second.changes] == [ChangeKind.UNCERTAIN, ChangeKind.NO_CHANGE]
    assert {method for method, _ in told.replay.writes} == {"POST"}


def test_a_deployment_at_the_subscription_is_started_once_and_read_to_its_end(tell: Any) -> None:
    told = tell("arm-whatif-sub-create-then-nochange-2026")
    asked = told.deployed()
    assert told.arm.deploy("", asked["name"], asked["template"], asked["values"], location="eastus2").succeeded
    assert [method for method, _ in told.replay.writes] == ["PUT"]


def test_a_running_deployment_is_cancelled_and_its_end_is_told(tell: Any) -> None:
    told = tell("arm-deploy-cancel-2016")
    group, asked = told.group_of(), told.deployed()
    assert told.arm.ensure_group(group, "southcentralus") is True
    with pytest.raises(Unsettled, match="still runs"):
        told.arm.deploy(group, asked["name"], {}, {}, deadline_seconds=-1)
    told.arm.cancel(group, asked["name"])
    found = told.arm.deployment(group, asked["name"])
    assert found is not None
    assert (found.state, found.is_running) == ("Canceled", False)
    assert told.arm.delete_group(group) is True


def test_an_invalid_template_is_refused_with_its_reason_and_a_missing_group_needs_no_deleting(tell: Any) -> None:
    told = tell("arm-deploy-invalid-template")
    group, asked = told.group_of("/providers/Microsoft.Resources"), told.deployed()
    assert told.arm.ensure_group(group, "eastus") is True
    with pytest.raises(Refused, match=r"InvalidTemplate: .*sshKeyData"):
        told.arm.deploy(group, asked["name"], asked["template"], asked["values"])
    missing = told.story["exchanges"][3]["request"]["path"].rsplit("/", 1)[-1]
    assert told.arm.delete_group(missing) is False


def test_a_deployment_of_2016_is_followed_and_its_operations_are_read(tell: Any) -> None:
    told = tell("arm-deploy-operations-list")
    group, asked = told.group_of(), told.deployed()
    assert told.arm.ensure_group(group, "westus") is True
    assert told.arm.deploy(group, asked["name"], asked["template"], asked["values"]).succeeded
    assert told.arm.delete_group(group) is True
    assert len(told.replay.writes) <= told.replay.recorded("PUT", "POST", "DELETE")


def test_a_deployment_that_was_validated_first_is_followed_too(tell: Any) -> None:
    told = tell("arm-deploy-validate-ruby")
    group, asked = told.group_of(), told.deployed()
    assert told.arm.ensure_group(group, "westus") is True
    assert told.arm.deploy(group, asked["name"], {}, {}).succeeded
    assert told.arm.delete_group(group) is True


def test_a_blocked_deletion_is_told_by_what_blocks_it(tell: Any) -> None:
    told = tell("rg-delete-blocked-409")
    with pytest.raises(Broken, match=r"InUseSubnetCannotBeDeleted.*Delete what blocks it first") as caught:
        told.arm.delete_group(told.group_of())
    assert "\n" not in str(caught.value)


def test_a_group_name_azure_does_not_allow_is_refused(tell: Any) -> None:
    told = tell("rg-errors-ruby")
    with pytest.raises(Refused):
        told.arm.group("~`123")


def test_what_a_group_holds_is_listed_and_an_empty_one_is_empty(tell: Any) -> None:
    told = tell("list-resourcegrouptest-empty_group")
    assert told.arm.resources("test_emptyrg") == ()


def test_cluster_credentials_are_a_kubeconfig(tell: Any) -> None:
    told = tell("aks-create-nodepool-credentials-2020")
    group = told.group_of("/providers/Microsoft.ContainerService")
    told.replay.assume("PUT")
    text = told.clusters.kubeconfig(group, "aks0a39932063")
    assert text.startswith("apiVersion: v1")
    assert told.clusters.ready(group, "aks0a39932063").power == "Running"
    assert [method for method, _ in told.replay.writes] == ["POST"]


def test_a_cluster_nobody_made_is_not_ready(tell: Any) -> None:
    told = tell("aks-list-2019")
    with pytest.raises(Unsettled, match="does not exist"):
        told.clusters.ready("g", "nobody")


STORIES = [
    "arm-deploy-cancel-2016",
    "arm-deploy-invalid-template",
    "arm-deploy-operations-list",
    "arm-deploy-rg-create-poll-outputs-delete-2026",
    "arm-deploy-validate-ruby",
    "arm-stack-rg-up-down-2026",
    "aks-quota-409-toplevel-code",
    "lro-async-failed-sql-region",
    "rg-delete-blocked-409",
    "rp-not-registered-409",
]


@pytest.mark.parametrize("name", STORIES)
def test_every_group_of_a_story_can_be_asked_for_made_and_deleted_without_a_crash(tell: Any, name: str) -> None:
    told = tell(name)
    group = told.group_of()
    methods = {(e["request"]["method"], e["request"]["path"].rstrip("/").lower()) for e in told.story["exchanges"]}
    path = f"/subscriptions/{told.subscription}/resourcegroups/{group}".lower()
    told.arm.group(group)
    try:
        if ("PUT", path) in methods:
            told.arm.ensure_group(group, "eastus")
        if ("DELETE", path) in methods:
            told.arm.delete_group(group, deadline_seconds=0.05)
    except WorkspaceError as error:
        assert str(error)
    assert len(told.replay.writes) <= told.replay.recorded("PUT", "DELETE")
