"""What Azure says about a subscription before it is changed: who we are, what we may, what is left, what is taken.

Everything here only reads; `checkNameAvailability` is a POST that changes nothing.
"""

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import RequestIdPolicy, RetryPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from workspace import diagnosis, management
from workspace.errors import Broken, Refused

AZURE = "https://management.azure.com"

Json = dict[str, Any]

_RESOURCES = "2022-09-01"
_AUTHORIZATION = "2022-04-01"
_COMPUTE = "2024-07-01"
_MOST_PAGES = 200
# By type: at which provider the question is put, and in which version.
_AVAILABILITY: Mapping[str, tuple[str, str]] = {
    "microsoft.containerregistry/registries": ("Microsoft.ContainerRegistry", "2023-07-01"),
    "microsoft.keyvault/vaults": ("Microsoft.KeyVault", "2023-07-01"),
    "microsoft.storage/storageaccounts": ("Microsoft.Storage", "2023-05-01"),
    "microsoft.web/sites": ("Microsoft.Web", "2023-12-01"),
    "microsoft.dbforpostgresql/flexibleservers": ("Microsoft.DBforPostgreSQL", "2024-08-01"),
}
_DELETED: Mapping[str, tuple[str, str]] = {
    "microsoft.keyvault/vaults": ("Microsoft.KeyVault/deletedVaults", "2023-07-01"),
    "microsoft.appconfiguration/configurationstores": (
        "Microsoft.AppConfiguration/deletedConfigurationStores",
        "2024-05-01",
    ),
}


@dataclass(frozen=True)
class Caller:
    """Who we are towards Azure, as our token says it."""

    name: str
    object_id: str
    tenant: str

    def __str__(self) -> str:
        return f"{self.name or 'an identity without a name'} (object {self.object_id or 'unknown'})"


@dataclass(frozen=True)
class Subscription:
    """A subscription as Azure shows it to us."""

    id: str
    tenant: str
    state: str


@dataclass(frozen=True)
class Permission:
    """What one role allows where it was asked: patterns of actions, and what is taken from them again."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """How much of a quota is used, and how much there is."""

    name: str
    used: int
    limit: int


@dataclass(frozen=True)
class Availability:
    """Whether a name can be had, and why not."""

    available: bool
    reason: str = ""


@dataclass(frozen=True)
class Deleted:
    """Something that was deleted and still holds its name, where, and until when."""

    name: str
    region: str
    until: str = ""
    protected: bool = False


class Inspection:
    """Questions about one subscription. Calls may come from any thread."""

    def __init__(
        self,
        *,
        credential: TokenCredential | None,
        subscription: str,
        base_url: str = AZURE,
        scopes: Sequence[str] = (),
        verify: str | bool = True,
        transport: Any = None,
        polling_seconds: float = 5.0,
        timeout_seconds: float = 20.0,
    ) -> None:
        self._arguments = management.arguments(
            credential=credential,
            subscription=subscription,
            base_url=base_url,
            scopes=scopes,
            verify=verify,
            transport=transport,
            polling_seconds=polling_seconds,
        )
        self._base = base_url.rstrip("/")
        self._timeout = timeout_seconds
        self.subscription_id = subscription

    def close(self) -> None:
        """Close the connections that were opened; a later call opens them again."""
        if opened := self.__dict__.pop("_client", None):
            opened.close()

    def caller(self) -> Caller:
        """Who our token says we are; broken, with what the other side said, when none can be had."""
        try:
            token = self._arguments["credential"].get_token(*self._arguments["credential_scopes"]).token
        except AzureError as error:
            raise diagnosis.explain("signing in to Azure", error) from error
        claims = _claims(token)
        name = next(
            (str(claims[each]) for each in ("upn", "unique_name", "app_displayname", "appid") if each in claims), ""
        )
        return Caller(name, str(claims.get("oid", "")), str(claims.get("tid", "")))

    def subscription(self) -> Subscription | None:
        """The subscription, or None when we cannot see it."""
        found = self._read(self._path(), _RESOURCES)
        if found is None:
            return None
        return Subscription(self.subscription_id, str(found.get("tenantId", "")), str(found.get("state", "")))

    def providers(self) -> Mapping[str, str]:
        """The state of each resource provider (`Registered`, `NotRegistered` …) by its name in small letters."""
        found = self._list(self._path("/providers"), _RESOURCES)
        return {str(each.get("namespace", "")).lower(): str(each.get("registrationState", "")) for each in found}

    def resources(self) -> frozenset[tuple[str, str]]:
        """The type and name, in small letters, of everything in the subscription that we can see."""
        found = self._list(self._path("/resources"), _RESOURCES)
        return frozenset((str(each.get("type", "")).lower(), str(each.get("name", "")).lower()) for each in found)

    def id_of(self, kind: str, name: str) -> str | None:
        """The id of something in the subscription, by its type and name; None when we see none."""
        wanted = (kind.lower(), name.lower())
        for each in self._list(self._path("/resources"), _RESOURCES):
            if (str(each.get("type", "")).lower(), str(each.get("name", "")).lower()) == wanted:
                return str(each["id"])
        return None

    def resource(self, resource_id: str, api_version: str) -> Json | None:
        """A resource as Azure tells it, or None."""
        return self._read(resource_id, api_version)

    def group_id(self, group: str) -> str:
        """The id of a resource group of the subscription, whether there is one or not."""
        return self._path(f"/resourceGroups/{group}")

    def permissions(self, scope: str = "") -> tuple[Permission, ...] | None:
        """What we may do at a scope, the subscription where none is named; None when there is no such scope."""
        found = self._list(
            f"{scope or self._path()}/providers/Microsoft.Authorization/permissions", _AUTHORIZATION, missing=True
        )
        if found is None:
            return None
        return tuple(Permission(*(tuple(map(str, each.get(name) or ())) for name in _PATTERNS)) for each in found)

    def role_assignment(self, scope: str, principal: str, role: str) -> str:
        """The id of the assignment of a role to a principal at exactly this scope; empty when there is none.

        `principal` is an object id, `role` a role's name or the id of its definition.
        """
        roles = f"{scope}/providers/Microsoft.Authorization/roleDefinitions"
        defined = [{"id": role}] if "/" in role else self._list(roles, _AUTHORIZATION, f"roleName eq '{role}'")
        guids = {str(each["id"]).rpartition("/")[2].lower() for each in defined}
        given = self._list(
            f"{scope}/providers/Microsoft.Authorization/roleAssignments",
            _AUTHORIZATION,
            f"principalId eq '{principal}'",
        )
        for each in given:
            its = each["properties"]
            at, guid = str(its["scope"]).lower(), str(its["roleDefinitionId"]).rpartition("/")[2].lower()
            if (at, str(its["principalId"]).lower()) == (scope.lower(), principal.lower()) and guid in guids:
                return str(each["id"])
        return ""

    def usages(self, region: str) -> tuple[Usage, ...]:
        """The cores and machines that are used and allowed in a region, by family."""
        found = self._list(self._path(f"/providers/Microsoft.Compute/locations/{region}/usages"), _COMPUTE)
        return tuple(
            Usage(str((each.get("name") or {}).get("value", "")), int(each.get("currentValue", 0)), int(each["limit"]))
            for each in found
            if "limit" in each
        )

    @staticmethod
    def is_shared(kind: str) -> bool:
        """True for a type whose names the whole world shares and whose availability can be asked."""
        return kind.lower() in _AVAILABILITY

    @staticmethod
    def is_kept(kind: str) -> bool:
        """True for a type that holds its name after it was deleted."""
        return kind.lower() in _DELETED

    def availability(self, kind: str, name: str) -> Availability:
        """Whether a name can be had for a type; refused for a type that `is_shared` does not know."""
        if not self.is_shared(kind):
            raise Refused(f"Nobody can be asked whether the name {name} is free for {kind}.")
        namespace, version = _AVAILABILITY[kind.lower()]
        asked = {"name": name, "type": kind}
        path = self._path(f"/providers/{namespace}/checkNameAvailability")
        told = self._answer(HttpRequest("POST", self._url(path, version), json=asked), f"the name {name}")
        if "nameAvailable" not in told:
            raise Broken(f"Azure does not say whether the name {name} is free for {kind}.")
        return Availability(bool(told["nameAvailable"]), str(told.get("message") or told.get("reason") or ""))

    def deleted(self, kind: str) -> tuple[Deleted, ...]:
        """What of a type was deleted and still holds its name; refused for a type that `is_kept` does not know."""
        if not self.is_kept(kind):
            raise Refused(f"Nothing that is deleted is known of {kind}.")
        path, version = _DELETED[kind.lower()]
        return tuple(_deleted(each) for each in self._list(self._path(f"/providers/{path}"), version))

    def _path(self, rest: str = "") -> str:
        return f"/subscriptions/{self.subscription_id}{rest}"

    def _url(self, path: str, version: str, chosen: str = "") -> str:
        filtered = f"&$filter={quote(chosen)}" if chosen else ""
        return f"{self._base}{quote(path)}?api-version={version}{filtered}"

    def _read(self, path: str, version: str) -> Json | None:
        try:
            return self._answer(HttpRequest("GET", self._url(path, version)), path)
        except Broken as error:
            if _is_absence(error.__cause__):
                return None
            raise

    def _list(self, path: str, version: str, chosen: str = "", *, missing: bool = False) -> Any:
        """Every entry of a list, or of those that a filter chose, page after page; None for what is not there, where
        that is `missing`.
        """
        found: list[Json] = []
        url = self._url(path, version, chosen)
        for _ in range(_MOST_PAGES):
            try:
                page = self._answer(HttpRequest("GET", url), path)
            except Broken as error:
                if missing and _is_absence(error.__cause__):
                    return None
                raise
            found += page.get("value") or []
            url = str(page.get("nextLink") or "")
            if not url:
                return found
        raise Broken(f"{path}: the list does not end after {_MOST_PAGES} pages")

    def _answer(self, request: HttpRequest, what: str) -> Json:
        try:
            response = self._client.send_request(request)
            response.raise_for_status()
            told = response.json()
        except AzureError as error:
            raise diagnosis.explain(what, error) from error
        except ValueError as error:
            raise Broken(f"{what}: the answer is no JSON") from error
        if not isinstance(told, dict):
            raise Broken(f"{what}: the answer is no JSON object")
        return told

    @cached_property
    def _client(self) -> PipelineClient[Any, Any]:
        given = self._arguments
        transport = given.get("transport") or RequestsTransport(
            connection_verify=given["connection_verify"],
            connection_timeout=self._timeout,
            read_timeout=self._timeout,
            **management.way(self._base),
        )
        # Whoever waits for an answer has a time limit: one more try, and then it is said that there was none.
        policies = [RequestIdPolicy(), RetryPolicy(retry_total=1, retry_status=0), given["authentication_policy"]]
        return PipelineClient(self._base, policies=policies, transport=transport)


_PATTERNS = ("actions", "notActions", "dataActions", "notDataActions")


def _is_absence(error: BaseException | None) -> bool:
    if not isinstance(error, HttpResponseError) or error.status_code != 404:
        return False
    return bool(diagnosis.of(error).codes & _ABSENT)


_ABSENT = {"subscriptionnotfound", "resourcegroupnotfound", "resourcenotfound", "notfound", "parentresourcenotfound"}


def _claims(token: str) -> Json:
    """What a token says about whom it is for; nothing where it is none that can be read."""
    with contextlib.suppress(ValueError, binascii.Error, IndexError):
        part = token.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return told if isinstance(told, dict) else {}
    return {}


def _deleted(said: Mapping[str, Any]) -> Deleted:
    properties = said.get("properties") or {}
    region = str(properties.get("location") or said.get("location") or "")
    protected = bool(properties.get("purgeProtectionEnabled"))
    return Deleted(str(said.get("name", "")), region, str(properties.get("scheduledPurgeDate") or ""), protected)


def allows(permissions: Sequence[Permission], action: str, *, data: bool = False) -> bool:
    """Whether one of these permissions allows an action; what one role takes away another may still give."""
    return any(
        _fits(action, each.data_actions if data else each.actions)
        and not _fits(action, each.not_data_actions if data else each.not_actions)
        for each in permissions
    )


def _fits(action: str, patterns: Sequence[str]) -> bool:
    return any(_matches(action.lower(), each) for each in _lowered(patterns))


def _lowered(patterns: Sequence[str]) -> Iterator[list[str]]:
    return (each.lower().split("*") for each in patterns)


def _matches(action: str, parts: list[str]) -> bool:
    """True when an action fits a pattern, given as what stands between its stars; a star stands for anything."""
    if len(parts) == 1:
        return action == parts[0]
    first, *middle, last = parts
    if not action.startswith(first) or not action.endswith(last) or len(action) < len(first) + len(last):
        return False
    at, end = len(first), len(action) - len(last)
    for part in middle:
        found = action.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
