"""A recorded Azure conversation, heard by our clients through the real SDK without a socket, and kept to strictly.

A read is answered with the next recording of its host, method and path, with the last one again when they run out, and
with 404 when it was never recorded or its thing had not been made yet; a deletion whose progress nobody recorded goes
on. A write is answered once for each time it was recorded; one more is an error.
"""

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from requests.structures import CaseInsensitiveDict
from web_replay import Anybody
from workspace import diagnosis, management, operations
from workspace.clients import arm
from workspace.clients.app_service import AppService
from workspace.clients.arm import Arm
from workspace.clients.managed_clusters import ManagedClusters
from workspace.clients.zone import Zone

_NOT_FOUND = {"error": {"code": "ResourceNotFound", "message": "This was not recorded."}}
ABSENT = {"status": 404, "headers": {}, "body": _NOT_FOUND}
GOES_ON = {"status": 202, "headers": {}, "body": None}
# Recorders changed bodies, so lengths are wrong, and nobody wants to wait as long as Azure once asked for.
_LEFT_OUT = ("content-length", "retry-after")
_READS = ("GET", "HEAD")

Exchange = dict[str, Any]
Key = tuple[str, str]
Begin = Callable[..., Any]


class Replay(requests.adapters.BaseAdapter):
    """Plays exchanges; `used` are the places of those that were asked for, `writes` what was written."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        super().__init__()
        self.exchanges = list(exchanges)
        self.used: set[int] = set()
        self.writes: list[Key] = []
        self.log: list[tuple[str, str, int]] = []
        self._done: set[int] = set()
        self._last: dict[Key, int] = {}

    @property
    def transport(self) -> RequestsTransport:
        session = requests.Session()
        session.mount("https://", self)
        return RequestsTransport(session=session, session_owner=False)

    def assume(self, *places: int) -> None:
        """As if these had been asked already."""
        self._done.update(places)

    def send(self, request: Any, **_: Any) -> requests.Response:
        parts = urlsplit(request.url)
        key = (request.method, _plain(parts.path))
        place = self._next(key, parts.netloc)
        if key[0] not in _READS:
            assert place is not None and place not in self._done, f"written more often than recorded: {key}"
            self.writes.append(key)
        answer = GOES_ON if "/operationresults/" in key[1] else ABSENT
        if place is not None:
            self.used.add(place)
            self._done.add(place)
            self._last[key] = place
            answer = self.exchanges[place]["response"]
        self.log.append((*key, answer["status"]))
        return _response(request, answer)

    def close(self) -> None:
        pass

    def _next(self, key: Key, host: str) -> int | None:
        for place, each in enumerate(self.exchanges):
            if place in self._done or each["request"].get("host") not in (None, "", host):
                continue
            recorded = (each["request"]["method"], _plain(each["request"]["path"]))
            if recorded == key:
                return place
            # what is read after a write was recorded is not there before that write
            if recorded == ("PUT", key[1]) and key not in self._last:
                return None
        return self._last.get(key)


class Told:
    """A story and clients that hear it."""

    def __init__(self, samples: Path, file: str) -> None:
        self.exchanges: list[Exchange] = json.loads((samples / file).read_text())["exchanges"]
        self.replay = Replay(self.exchanges)
        found = (re.match("/subscriptions/([^/]+)", each["request"]["path"]) for each in self.exchanges)
        self.subscription = next((match[1] for match in found if match), "none")
        self.options: dict[str, Any] = {
            "subscription": self.subscription,
            "transport": self.replay.transport,
            "polling_seconds": 0.001,
        }

    @cached_property
    def arm(self) -> Arm:
        return Arm(credential=None, **self.options)

    @cached_property
    def clusters(self) -> ManagedClusters:
        return ManagedClusters(credential=None, **self.options)

    @cached_property
    def apps(self) -> AppService:
        return AppService(credential=Anybody(), **self.options)

    @cached_property
    def zone(self) -> Zone:
        return Zone(credential=Anybody(), **self.options)

    @cached_property
    def resources(self) -> Any:
        return ResourceManagementClient(**self._settings)

    @cached_property
    def kubernetes(self) -> Any:
        return ContainerServiceClient(**self._settings)

    @cached_property
    def dns(self) -> Any:
        return DnsManagementClient(**self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        return management.arguments(credential=None, base_url=arm.AZURE, scopes=(), verify=True, **self.options)

    def path(self, place: int) -> str:
        """The path of one exchange."""
        return str(self.exchanges[place]["request"]["path"])

    def sent(self, place: int) -> Any:
        """The recorded body of a request; the oldest recorders kept none."""
        return self.exchanges[place]["request"]["body"] or {}

    def answered(self, place: int) -> Any:
        """The recorded body of a response."""
        return self.exchanges[place]["response"]["body"]

    def group(self, place: int) -> str:
        """The resource group in the path of one exchange."""
        return re.findall("/resourcegroups/([^/]+)", self.path(place), re.IGNORECASE)[0]

    def deployed(self, place: int) -> dict[str, Any]:
        """Name, template and values of a recorded deployment."""
        properties = self.sent(place).get("properties") or {}
        values = {name: value.get("value") for name, value in (properties.get("parameters") or {}).items()}
        return {
            "name": self.path(place).rsplit("/", 1)[-1],
            "template": properties.get("template") or {},
            "parameters": values,
        }

    def put(self, place: int) -> Begin:
        """The generic way to make a resource, as it was recorded; nobody waits yet."""
        request = self.exchanges[place]["request"]
        make = self.resources.resources.begin_create_or_update_by_id
        return partial(make, request["path"], api_version=request["api_version"], parameters=self.sent(place))

    def delete(self, place: int) -> Begin:
        """The generic way to delete one."""
        request = self.exchanges[place]["request"]
        return partial(self.resources.resources.begin_delete_by_id, request["path"], api_version=request["api_version"])

    def post(self, place: int) -> Begin:
        """A recorded action that goes on after its answer."""
        request = self.exchanges[place]["request"]
        url = f"{arm.AZURE}{request['path']}?api-version={request['api_version']}"

        def begin(raw_response_hook: Callable[[Any], None], **_: Any) -> None:
            raw_response_hook(self.resources._client._pipeline.run(HttpRequest("POST", url)))

        return begin

    def waited(self, begin: Begin, what: str, seconds: float = 5) -> dict[str, Any]:
        """The JSON a long operation ended with, by our way of following one, with its failure in our words."""
        with asking(what):
            ended = operations.finish(self.resources, what, begin, deadline_seconds=seconds, longest_pause=0.01)
        return ended.fields

    def refuse(self, place: int, code: str) -> None:
        """As if Azure had answered this with a 403; its recorded answer is as good as unasked then."""
        body = {"error": {"code": code, "message": "The client may not do this."}}
        self.exchanges[place]["response"].update(status=403, body=body)

    def readable(self, place: int) -> None:
        """From here on what a write was answered with can be read, too."""
        request, response = self.exchanges[place]["request"], self.exchanges[place]["response"]
        read = {"request": {**request, "method": "GET"}, "response": {**response, "status": 200}}
        self.replay.exchanges.append(read)
        self.replay.assume(place)
        self.replay.used.add(place)

    def each_by_itself(self, place: int) -> list[str]:
        """From here on each item of a recorded list can be read under its own id, which is what our clients do.

        Gives the ids. The list then counts as asked for: its items are what answers.
        """
        items = self.answered(place)["value"]
        for item in items:
            response = {**self.exchanges[place]["response"], "body": item}
            self.replay.exchanges.append({"request": {"method": "GET", "path": item["id"]}, "response": response})
        self.replay.used.add(place)
        return [str(item["id"]) for item in items]


@contextmanager
def asking(what: str) -> Iterator[None]:
    """What Azure says against a request, in our words."""
    try:
        yield
    except AzureError as error:
        raise diagnosis.explain(what, error) from error


def soon() -> float:
    """A deadline for those that take a moment."""
    return time.monotonic() + 5


def _plain(path: str) -> str:
    return re.sub("/+", "/", unquote(path)).rstrip("/").lower()


def _response(request: Any, answer: Exchange) -> requests.Response:
    body = answer["body"]
    raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    response = requests.Response()
    response.status_code, response.url, response.request, response.reason = answer["status"], request.url, request, ""
    kept = {name: text for name, text in answer["headers"].items() if name.lower() not in _LEFT_OUT}
    response.headers = CaseInsensitiveDict(kept)
    response.raw = urllib3.HTTPResponse(
        body=io.BytesIO(raw), headers=kept, status=answer["status"], preload_content=False
    )
    return response
