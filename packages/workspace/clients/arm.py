"""Azure Resource Manager: resource groups and template deployments.

A deployment's name is derived from what is deployed, so whoever asks for the same thing again meets the deployment
that runs or ran already. Azure's own poller is not believed: the deployment itself is read until it says how it ended.
Where a group is asked for, the empty name stands for the whole subscription.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient

from workspace import diagnosis, management, operations
from workspace.diagnosis import Diagnosis
from workspace.errors import Broken, Overdue, Refused, Unsettled
from workspace.work import say_nothing

AZURE = "https://management.azure.com"

_SUBSCRIPTIONS = "2022-12-01"
_SLOWEST = 6
_PATIENCE_WHILE_POLLING = 5
_LONGEST_NAME = 64
_DEEPEST = 5
_PARTS_OF_A_DEPLOYMENT = 9
_ENDED = {"succeeded", "failed", "canceled", "cancelled"}
_RUNNING = {"accepted", "creating", "created", "running", "updating", "ready", "deleting", "validating"}
_CLOUD_SAYS_NO_SUCH = {"resourcegroupnotfound", "resourcenotfound", "deploymentnotfound", "notfound"}
_EXPRESSION = re.compile(r"^\[(?!\[)[A-Za-z_.]+\(.*\)[^\]]*\]$", re.DOTALL)

_WRITE_ONLY = {
    "microsoft.dbforpostgresql/flexibleservers": {"properties.administratorloginpassword"},
    "microsoft.keyvault/vaults/secrets": {"properties.value"},
    "microsoft.web/staticsites": {"properties.repositorytoken"},
}

Say = Callable[[str], None]
Json = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """A resource group as it is."""

    name: str
    location: str
    tags: Mapping[str, str] = field(default_factory=dict)
    state: str = "Succeeded"


class ChangeKind(StrEnum):
    """What a deployment would do to one resource; `uncertain` where Azure cannot compare, which is never "nothing"."""

    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"
    UNCERTAIN = "uncertain"
    NO_CHANGE = "no change"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Change:
    """One resource in a what-if: what would become of it, and which of its properties."""

    kind: ChangeKind
    resource: str
    properties: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        shown = f"{self.kind} {_short(self.resource)}"
        told = ", ".join(self.properties[:5]) + (" …" if len(self.properties) > 5 else "")
        return f"{shown} ({told or self.reason})" if told or self.reason else shown


@dataclass(frozen=True)
class WhatIf:
    """What a deployment would change, resource by resource."""

    changes: tuple[Change, ...]

    @property
    def certain(self) -> tuple[Change, ...]:
        """The resources that would be created, modified or deleted."""
        return tuple(c for c in self.changes if c.kind in (ChangeKind.CREATE, ChangeKind.MODIFY, ChangeKind.DELETE))

    @property
    def uncertain(self) -> tuple[Change, ...]:
        """The resources of which Azure cannot say whether they would change."""
        return tuple(c for c in self.changes if c.kind is ChangeKind.UNCERTAIN)

    @property
    def deletes(self) -> int:
        """How many resources would be gone."""
        return sum(c.kind is ChangeKind.DELETE for c in self.changes)


@dataclass(frozen=True)
class Deployment:
    """A template deployment as it is: its state, what it gave (never what is secure) and what it made."""

    name: str
    group: str
    state: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    when: str = ""
    error: Any = None

    @property
    def is_running(self) -> bool:
        """True until it has ended one way or another."""
        return self.state.lower() not in _ENDED

    @property
    def succeeded(self) -> bool:
        """True when it ended well."""
        return self.state.lower() == "succeeded"

    def named(self, names: Sequence[str]) -> dict[str, Any]:
        """The outputs under the names the template gave them; Azure changes their case, and drops secure ones."""
        found = {name.lower(): value for name, value in self.outputs.items()}
        return {name: found[name.lower()] for name in names if name.lower() in found}


def deployment_name(prefix: str, template: Mapping[str, Any], parameters: Mapping[str, Any], secret: str = "") -> str:
    """The name that deploying exactly this has, today and on a rerun; `secret` is what hidden parameters add to it."""
    content = json.dumps([template, parameters], sort_keys=True, separators=(",", ":")).encode()
    suffix = hashlib.sha256(content).hexdigest()[:12] + (f"-{secret}" if secret else "")
    return f"{prefix[: _LONGEST_NAME - len(suffix) - 1]}-{suffix}"


class Arm:
    """Resource groups and deployments of one subscription. Calls may come from any thread."""

    deployment_name = staticmethod(deployment_name)

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
        self._pause = polling_seconds

    def close(self) -> None:
        """Close the connections that were opened; a later call opens them again."""
        for name in ("_resources", "_deployments"):
            if opened := self.__dict__.pop(name, None):
                opened.close()

    def group(self, name: str) -> Group | None:
        """The resource group, or None when there is none."""
        try:
            found = self._resources.resource_groups.get(name)
        except AzureError as error:
            if _is_absence(error):
                return None
            raise diagnosis.explain(f"resource group {name}", error) from error
        return _group(found)

    def ensure_group(self, name: str, location: str, tags: Mapping[str, str] | None = None) -> bool:
        """Have the group, with at least these tags; True when something had to be written.

        A group that is elsewhere is refused, because a group cannot move; one being deleted is worth waiting for.
        """
        found, wanted = self.group(name), dict(tags or {})
        if found is not None:
            _check_group(found, location)
            if wanted.items() <= found.tags.items():
                return False
        body = {"location": found.location if found else location, "tags": {**(found.tags if found else {}), **wanted}}
        try:
            self._resources.resource_groups.create_or_update(name, body)
        except AzureError as error:
            raise diagnosis.explain(f"resource group {name}", error) from error
        return True

    def delete_group(self, name: str, say: Say = say_nothing, deadline_seconds: float = 3600) -> bool:
        """Delete the group and everything in it, and wait until it is gone; False when there was none."""
        what = f"deleting resource group {name}"
        try:
            operations.finish(
                self._resources,
                what,
                partial(self._resources.resource_groups.begin_delete, name),
                deadline_seconds=deadline_seconds,
                longest_pause=self._pause,
                say=say,
            )
        except AzureError as error:
            if _is_absence(error):
                return False
            raise diagnosis.explain(what, error) from error
        return True

    def resources(self, group: str) -> tuple[str, ...]:
        """The ids of everything in the group; a group that is not there holds nothing."""
        try:
            return tuple(str(each["id"]) for each in self._resources.resources.list_by_resource_group(group))
        except AzureError as error:
            if _is_absence(error):
                return ()
            raise diagnosis.explain(f"resources in {group}", error) from error

    def resource(self, resource_id: str, api_version: str) -> Json | None:
        """One resource as Azure tells it, or None."""
        try:
            return _plain(self._resources.resources.get_by_id(resource_id, api_version=api_version))
        except AzureError as error:
            if _is_absence(error):
                return None
            raise diagnosis.explain(_short(resource_id), error) from error

    def subscription(self, subscription: str) -> tuple[str, str]:
        """Which subscription answers under this id, and the tenant it belongs to, as Resource Manager says."""
        found = self.resource(f"/subscriptions/{subscription}", _SUBSCRIPTIONS) or {}
        told = str(found.get("subscriptionId", "")), str(found.get("tenantId", ""))
        if not all(told):
            raise Broken(f"Resource Manager does not say what subscription {subscription} is; correct the addresses.")
        return told

    def named(self, type: str, name: str) -> Json | None:
        """The one resource of a type that has this name, wherever in the subscription, without its properties.

        With `createdTime` where Azure tells it.
        """
        chosen = f"resourceType eq '{type}' and name eq '{name}'"
        try:
            listed = self._resources.resources.list(filter=chosen, expand="createdTime")
            # the filter is Azure's to honour and ours to check
            found = [_plain(each) for each in listed if str(each["name"]).lower() == name.lower()]
        except AzureError as error:
            raise diagnosis.explain(f"{type} {name}", error) from error
        return found[0] if found else None

    def exists(self, resource_id: str) -> bool:
        """Whether Azure has a group or a resource, asked in the newest version of its type that is out of preview."""
        scope, _, path = resource_id.rpartition("/providers/")
        if not scope:
            return self.group(resource_id.rstrip("/").rpartition("/")[2]) is not None
        version = self._version(path)
        return bool(version) and self.resource(resource_id, version) is not None

    def _version(self, path: str) -> str:
        """The version to ask in for `Namespace/type/name/…`; an inner type that is not listed has its parent's."""
        namespace, *steps = path.split("/")
        types = steps[::2]
        listed = self._versions(namespace)
        while types:
            versions = listed.get("/".join(types).lower(), ())
            if versions:
                return max(versions, key=lambda each: ("preview" not in each.lower(), each))
            types.pop()
        return ""

    def _versions(self, namespace: str) -> Mapping[str, Sequence[str]]:
        """The versions that Azure offers for each type of a namespace, by the type's name in small letters."""
        try:
            provider = _plain(self._resources.providers.get(namespace))
        except AzureError as error:
            raise diagnosis.explain(f"resource provider {namespace}", error) from error
        types = provider.get("resourceTypes") or []
        return {str(each["resourceType"]).lower(): each.get("apiVersions") or () for each in types}

    def deployment(self, group: str, name: str) -> Deployment | None:
        """The deployment, or None when nobody made one of that name."""
        try:
            return _deployment(group, _plain(_Scope(self._deployments, group).get(name)))
        except AzureError as error:
            if _is_absence(error):
                return None
            raise diagnosis.explain(_about(group, name), error) from error

    def last(self, group: str, prefix: str) -> Deployment | None:
        """The newest deployment whose name begins so, however it ended; None when there is none, or no group."""
        try:
            found = [_deployment(group, _plain(each)) for each in _Scope(self._deployments, group).list()]
        except AzureError as error:
            if _is_absence(error):
                return None
            raise diagnosis.explain(f"deployments in {group}", error) from error
        ours = [each for each in found if each.name.lower().startswith(prefix.lower())]
        return max(ours, key=lambda each: each.when, default=None)

    def what_if(
        self,
        group: str,
        name: str,
        template: Mapping[str, Any],
        parameters: Mapping[str, Any],
        location: str = "",
        deadline_seconds: float = 600,
    ) -> WhatIf:
        """What deploying this would change. Values Azure leaves uncomputed are told apart from true changes."""
        what = f"what-if of {_about(group, name)}"
        body = _body(template, parameters, location)
        try:
            ended = operations.finish(
                self._deployments,
                what,
                partial(_Scope(self._deployments, group).what_if, name, body),
                deadline_seconds=deadline_seconds,
                longest_pause=self._pause,
                final="location",
                changes_nothing=True,
            )
        except AzureError as error:
            raise diagnosis.explain(what, error) from error
        result = ended.fields
        if str(result.get("status", "")).lower() != "succeeded":
            raise diagnosis.diagnose(result.get("error"), 400).error(what)
        return WhatIf(tuple(_change(each) for each in (result.get("properties") or {}).get("changes") or []))

    def deploy(
        self,
        group: str,
        name: str,
        template: Mapping[str, Any],
        parameters: Mapping[str, Any],
        location: str = "",
        say: Say = say_nothing,
        deadline_seconds: float = 3600,
    ) -> Deployment:
        """Deploy the template and wait for its end; one of the same name that still runs is adopted, not repeated.

        What went wrong is told by the innermost causes of the operations that failed. A deployment that is still
        running at the deadline is left to run: the next call adopts it.
        """
        found = self.deployment(group, name)
        if found and found.is_running:
            say(f"{_about(group, name)} runs already ({found.state}): waiting for it")
        else:
            self._start(group, name, _body(template, parameters, location), say)
        return self._ended(group, name, say, deadline_seconds)

    def cancel(self, group: str, name: str) -> None:
        """Stop a running deployment; what it made already stays. One that has ended is left alone."""
        try:
            _Scope(self._deployments, group).cancel(name)
        except AzureError as error:
            if diagnosis.of(error).codes & {"deploymentcannotbecancelled", "deploymentnotfound"}:
                return
            raise diagnosis.explain(f"cancelling {_about(group, name)}", error) from error

    def _start(self, group: str, name: str, body: Json, say: Say) -> None:
        try:
            operations.begin(_about(group, name), partial(_Scope(self._deployments, group).create, name, body))
        except AzureError as error:
            codes = diagnosis.of(error).codes
            if "resourcegroupnotfound" in codes and self.group(group) is not None:
                # A group that was just made may take a while to be known everywhere.
                raise Unsettled(f"{_about(group, name)}: the group is not known everywhere yet") from error
            if "deploymentactive" not in codes:
                raise diagnosis.explain(_about(group, name), error) from error
            say(f"{_about(group, name)} was started by somebody else: waiting for it")
        else:
            say(f"{_about(group, name)} accepted")

    def _ended(self, group: str, name: str, say: Say, seconds: float) -> Deployment:
        """Read the deployment until it has ended; a few readings in a row may fail."""
        failures, told = 0, ""
        for _ in operations.Pace(seconds, self._pause * _SLOWEST, self._pause):
            try:
                found = self.deployment(group, name)
            except Unsettled:
                found = None
            # just after it was accepted, a deployment can be unknown for some seconds
            failures = 0 if found else failures + 1
            if found and not found.is_running:
                return self._judged(found)
            if failures > _PATIENCE_WHILE_POLLING:
                raise Unsettled(f"{_about(group, name)} may still run: its state could not be read {failures} times")
            told = self._tell_progress(group, name, say, told)
        raise Overdue(f"{_about(group, name)} still runs after {seconds:g} s: run again to wait for it")

    def _judged(self, found: Deployment) -> Deployment:
        if found.succeeded:
            return found
        if found.state.lower().startswith("cancel"):
            raise Broken(f"{_about(found.group, found.name)} was cancelled: run again to deploy what is missing")
        what = f"{_about(found.group, found.name)} failed"
        why = self._why(found)
        if why.verdict is diagnosis.Verdict.UNSETTLED:
            raise Unsettled(f"{what}: {why}")
        # by now resources may have been made, so even a wrong request can no longer be called untouched
        raise Broken(f"{what}: {why}")

    def _why(self, failed: Deployment) -> Diagnosis:
        """The innermost causes: from the failed operations with their resources, else from the deployment's error."""
        causes: list[Diagnosis] = []
        # what was found before a reading failed is better than nothing
        with contextlib.suppress(AzureError):
            causes.extend(self._failed_operations(failed.group, failed.name, 0))
        return diagnosis.combine(causes) if causes else diagnosis.diagnose(failed.error, 409)

    def _failed_operations(self, group: str, name: str, level: int) -> Iterator[Diagnosis]:
        for operation in self._operations(group, name):
            said = operation.get("properties") or {}
            if str(said.get("provisioningState", "")).lower() != "failed":
                continue
            target = said.get("targetResource") or {}
            found = diagnosis.diagnose(said.get("statusMessage"), _status(said.get("statusCode")))
            inner = list(self._nested(target, level))
            yield diagnosis.combine(inner) if inner else _at(found, _short(str(target.get("id", ""))))

    def _nested(self, target: Mapping[str, Any], level: int) -> Iterator[Diagnosis]:
        """The causes inside a nested deployment, which unlike its parent knows which resource each befell."""
        is_nested = str(target.get("resourceType", "")).lower() == "microsoft.resources/deployments"
        parts = str(target.get("id", "")).split("/")
        if is_nested and level < _DEEPEST and len(parts) == _PARTS_OF_A_DEPLOYMENT:
            yield from self._failed_operations(parts[4], parts[8], level + 1)

    def _operations(self, group: str, name: str) -> Iterator[Json]:
        for operation in _Scope(self._deployments, group).operations(name):
            yield _plain(operation)

    def _tell_progress(self, group: str, name: str, say: Say, told: str) -> str:
        """Say how many operations are done and what runs now, when it is news; never a reason to fail."""
        if say is say_nothing:
            return told
        try:
            operations = [operation.get("properties") or {} for operation in self._operations(group, name)]
        except AzureError:
            return told
        steps = [each for each in operations if each.get("targetResource")]
        done = sum(str(each.get("provisioningState", "")).lower() == "succeeded" for each in steps)
        running = [_short(str(each["targetResource"].get("id", ""))) for each in steps if _is_going_on(each)]
        line = f"{name}: {done} of {len(steps)} done" + (f", now {', '.join(running[:3])}" if running else "")
        if steps and line != told:
            say(line)
        return line

    @cached_property
    def _resources(self) -> ResourceManagementClient:
        return ResourceManagementClient(**self._arguments)

    @cached_property
    def _deployments(self) -> DeploymentsMgmtClient:
        return DeploymentsMgmtClient(**self._arguments)


class _Scope:
    """The deployment calls at a resource group, or at the subscription where the group has no name."""

    def __init__(self, client: DeploymentsMgmtClient, group: str) -> None:
        # the generated signatures want their own models; the wire form goes in just as well
        self._calls: Any = client.deployments
        self._operations: Any = client.deployment_operations
        self._group = group

    def get(self, name: str) -> Any:
        if self._group:
            return self._calls.get(self._group, name)
        return self._calls.get_at_subscription_scope(name)

    def list(self) -> Any:
        if self._group:
            return self._calls.list_by_resource_group(self._group)
        return self._calls.list_at_subscription_scope()

    def what_if(self, name: str, body: Json, **how: Any) -> Any:
        if self._group:
            return self._calls.begin_what_if(self._group, name, body, **how)
        return self._calls.begin_what_if_at_subscription_scope(name, body, **how)

    def create(self, name: str, body: Json, **how: Any) -> Any:
        if self._group:
            return self._calls.begin_create_or_update(self._group, name, body, **how)
        return self._calls.begin_create_or_update_at_subscription_scope(name, body, **how)

    def cancel(self, name: str) -> None:
        if self._group:
            self._calls.cancel(self._group, name)
        else:
            self._calls.cancel_at_subscription_scope(name)

    def operations(self, name: str) -> Any:
        if self._group:
            return self._operations.list(self._group, name)
        return self._operations.list_at_subscription_scope(name)


def _is_absence(error: AzureError) -> bool:
    """True for a 404 that says the thing asked for is not there, and for no other."""
    if not isinstance(error, HttpResponseError) or error.status_code != 404:
        return False
    return diagnosis.of(error).code.lower() in _CLOUD_SAYS_NO_SUCH


def _plain(value: Any) -> Json:
    """A model of the SDK as the JSON that came over the wire."""
    as_dict = getattr(value, "as_dict", None)
    plain: Json = as_dict() if as_dict else dict(value or {})
    return plain


def _group(found: Any) -> Group:
    said = _plain(found)
    state = str((said.get("properties") or {}).get("provisioningState", "Succeeded"))
    return Group(str(said["name"]), str(said["location"]), dict(said.get("tags") or {}), state)


def _check_group(found: Group, location: str) -> None:
    if found.state.lower() == "deleting":
        raise Unsettled(f"resource group {found.name} is being deleted: wait until it is gone")
    if _region(found.location) != _region(location):
        raise Refused(
            f"resource group {found.name} is in {found.location}, not in {location}: "
            "a group cannot move, so correct the region or choose another name"
        )


def _region(name: str) -> str:
    return name.lower().replace(" ", "")


def _body(template: Mapping[str, Any], parameters: Mapping[str, Any], location: str) -> Json:
    values = {name: value if _is_reference(value) else {"value": value} for name, value in parameters.items()}
    properties = {"mode": "Incremental", "template": dict(template), "parameters": values}
    return {"location": location, "properties": properties} if location else {"properties": properties}


def _is_reference(value: object) -> bool:
    """True for a parameter that names a Key Vault secret instead of holding a value."""
    return isinstance(value, Mapping) and "keyVault" in (value.get("reference") or {})


def _deployment(group: str, said: Json) -> Deployment:
    properties = said.get("properties") or {}
    return Deployment(
        name=str(said.get("name", "")),
        group=group,
        state=str(properties.get("provisioningState", "")),
        outputs=_open_outputs(properties.get("outputs") or {}),
        resources=tuple(str(each["id"]) for each in properties.get("outputResources") or [] if each.get("id")),
        when=str(properties.get("timestamp", "")),
        error=properties.get("error"),
    )


def _open_outputs(outputs: Mapping[str, Any]) -> Json:
    """Every output that may be kept; Azure gives secure ones without a value, and we would drop it anyway."""
    kept: Json = {}
    for name, output in outputs.items():
        if not str(output.get("type", "")).lower().startswith("secure") and "value" in output:
            kept[name] = output["value"]
    return kept


def _about(group: str, name: str) -> str:
    return f"deployment {name} in {group or 'the subscription'}"


def _short(resource_id: str) -> str:
    """`Microsoft.Web/sites mys-dev-mystira-api-san` of a whole id; the id itself where it has no provider."""
    _, provider, rest = resource_id.rpartition("/providers/")
    if not provider:
        parts = [part for part in resource_id.split("/") if part]
        is_group = len(parts) == 4 and parts[2].lower() == "resourcegroups"
        return f"resource group {parts[3]}" if is_group else resource_id
    parts = rest.split("/")
    return f"{'/'.join([parts[0], *parts[1::2]])} {'/'.join(parts[2::2])}"


def _at(found: Diagnosis, resource: str) -> Diagnosis:
    """The same diagnosis, each cause naming the resource it befell."""
    if not resource:
        return found
    causes = found.causes or (diagnosis.Cause("", "failed without an explanation"),)
    named = (diagnosis.Cause(c.code, f"{c.message.rstrip('.')} [{resource}]", c.wrapped_in, c.target) for c in causes)
    return Diagnosis(tuple(named), found.verdict, found.status)


_STATUS_BY_NAME = {
    "badrequest": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "notfound": 404,
    "conflict": 409,
    "toomanyrequests": 429,
    "internalservererror": 500,
    "badgateway": 502,
    "serviceunavailable": 503,
    "gatewaytimeout": 504,
}


def _status(said: object) -> int:
    """An operation gives its status by number or by name (`Conflict`)."""
    text = str(said or "").lower()
    return int(text) if text.isdigit() else _STATUS_BY_NAME.get(text, 409)


def _is_going_on(operation: Mapping[str, Any]) -> bool:
    return str(operation.get("provisioningState", "")).lower() in _RUNNING


def _change(said: Mapping[str, Any]) -> Change:
    """One resource of a what-if, with what Azure could not compute told apart from what would truly change."""
    resource, kind = str(said.get("resourceId") or ""), str(said.get("changeType", "")).lower()
    if kind == "modify":
        return _modification(resource, list(_leaves(said.get("delta") or [], "")))
    if kind in ("create", "delete", "ignore"):
        return Change(ChangeKind(kind), resource)
    if kind in ("nochange", "noeffect"):
        return Change(ChangeKind.NO_CHANGE, resource)
    reason = said.get("unsupportedReason") or f"Azure cannot tell: {said.get('changeType')}"
    return Change(ChangeKind.UNCERTAIN, resource, reason=str(reason))


def _modification(resource: str, leaves: Sequence[Json]) -> Change:
    moved = [leaf for leaf in leaves if str(leaf.get("propertyChangeType", "")).lower() != "noeffect"]
    hidden = _WRITE_ONLY.get(_short(resource).split(" ")[0].lower(), set())
    real = tuple(leaf["path"] for leaf in moved if not _is_noise(leaf) and leaf["path"].lower() not in hidden)
    if real or not leaves:
        return Change(ChangeKind.MODIFY, resource, real)
    if not moved:
        return Change(ChangeKind.NO_CHANGE, resource)
    return Change(ChangeKind.UNCERTAIN, resource, tuple(leaf["path"] for leaf in moved))


def _leaves(delta: Sequence[Mapping[str, Any]], above: str) -> Iterator[Json]:
    for each in delta:
        path = f"{above}.{each.get('path', '')}" if above else str(each.get("path", ""))
        if each.get("children"):
            yield from _leaves(each["children"], path)
        else:
            yield {**each, "path": path}


def _is_noise(leaf: Mapping[str, Any]) -> bool:
    """True where the new value is an expression Azure left uncomputed (secure values, `utcNow()`, references)."""
    after = leaf.get("after")
    return after is not None and _same_as_far_as_known(leaf.get("before"), after)


def _same_as_far_as_known(before: Any, after: Any) -> bool:
    if isinstance(after, str) and (_EXPRESSION.match(after) or set(after) == {"*"}):
        return True
    if isinstance(after, Mapping) and isinstance(before, Mapping):
        return set(after) == set(before) and all(_same_as_far_as_known(before[name], after[name]) for name in after)
    if isinstance(after, list) and isinstance(before, list):
        return len(after) == len(before) and all(map(_same_as_far_as_known, before, after))
    return bool(before == after)
