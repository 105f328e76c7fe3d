"""Resource groups and resources of any type, as Azure Resource Manager lets them be made, read, changed and deleted."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workspace.rehearsal import arm_answers, arm_clusters, arm_roles, arm_rules, arm_types, behaviour, vault_bin
from workspace.rehearsal.arm_answers import Json, Refusal, paged, visible
from workspace.rehearsal.arm_operations import NEVER, Operation, Operations
from workspace.rehearsal.arm_types import Style
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Fault

GROUPS = "Microsoft.Resources/resourceGroups"

_GROUP_NAME = re.compile(r"^[-\w.()]{0,89}[-\w()]$")
_NEED_A_LOCATION = {
    "microsoft.cache/redis",
    "microsoft.containerregistry/registries",
    "microsoft.containerservice/managedclusters",
    "microsoft.dbforpostgresql/flexibleservers",
    "microsoft.documentdb/databaseaccounts",
    "microsoft.insights/components",
    "microsoft.keyvault/vaults",
    "microsoft.managedidentity/userassignedidentities",
    "microsoft.network/publicipaddresses",
    "microsoft.network/virtualnetworks",
    "microsoft.operationalinsights/workspaces",
    "microsoft.storage/storageaccounts",
    "microsoft.web/serverfarms",
    "microsoft.web/sites",
    "microsoft.web/staticsites",
}
_UNLISTED = ("microsoft.resources/deployments", "microsoft.keyvault/deletedvaults")
_WRITE_ONLY = {"microsoft.keyvault/vaults/secrets": ("value",)}

Kubeconfig = Callable[[str, str], str]


@dataclass(frozen=True)
class Address:
    """Where a request goes, below the subscription: a scope, a provider's type and names, and perhaps an action."""

    scope: str
    type: str
    names: tuple[str, ...]
    rest: str = ""

    @property
    def id(self) -> str:
        """The id of the resource that is meant."""
        types = self.type.split("/")
        pairs = [part for pair in zip(types[1:], self.names, strict=False) for part in pair]
        return "/".join([self.scope, "providers", types[0], *pairs])

    @property
    def name(self) -> str:
        """The full name, its parts joined by slashes."""
        return "/".join(self.names)


def address(path: str) -> Address:
    """Take the path of a resource, of a list or of an action apart; `rest` is the segment that has no name."""
    parts = [part for part in path.split("/") if part]
    place = max(index for index, part in enumerate(parts) if part.lower() == "providers")
    namespace, *below = parts[place + 1 :]
    rest = below.pop() if len(below) % 2 else ""
    scope = "/" + "/".join(parts[:place])
    return Address(scope, "/".join([namespace, *below[::2]]), tuple(below[1::2]), rest)


class Resources:
    """Everything that is no deployment. `seconds` says how long what takes its time takes."""

    def __init__(
        self,
        cloud: Cloud,
        operations: Operations,
        subscription: str,
        seconds: Callable[[], float],
        kubeconfig: Kubeconfig | None,
        assignments: arm_roles.Assignments,
    ) -> None:
        self._cloud = cloud
        self._operations = operations
        self._subscription = subscription
        self._pace = seconds
        self._kubeconfig = kubeconfig
        self._assignments = assignments

    @property
    def seconds(self) -> float:
        """How long what takes its time takes now."""
        return self._pace()

    # groups

    def groups(self, request: Request) -> Response:
        """Every group of the subscription, page by page; `tagName eq '…' and tagValue eq '…'` chooses."""
        found = (r for r in self._cloud.all(GROUPS) if f"/subscriptions/{self._subscription}/" in r["id"])
        chosen = request.query_params.get("$filter", "")
        return paged(request, [visible(each) for each in found if _has_tag(each, chosen)])

    def group(self, request: Request, name: str, body: Json | None, fault: Fault | None) -> Response:
        """One group: made, read, asked whether it is there, retagged or deleted."""
        if not _GROUP_NAME.match(name):
            text = f"The provided resource group name '{name}' has these invalid characters or length."
            raise Refusal(400, "ResourceGroupNameInvalid", text)
        arm_rules.check_tags((body or {}).get("tags"))
        if request.method == "PUT":
            return self._put_group(name, body or {})
        found = self._cloud.get(self.group_id(name))
        if request.method == "HEAD":
            return Response(status_code=204 if found else 404)
        if found is None:
            raise arm_answers.missing_group(name)
        if request.method == "DELETE":
            return self._delete_group(request, found, fault)
        if request.method == "PATCH":
            found = self._cloud.put({**found, "tags": (body or {}).get("tags", found.get("tags", {}))})
        return JSONResponse(visible(found))

    def in_group(self, request: Request, name: str) -> Response:
        """What a group holds, one level deep, without the properties: as Azure lists it."""
        return self._chosen(request, self.group_of(name)["id"])

    def everything(self, request: Request) -> Response:
        """What the subscription holds; a filter such as `resourceType eq 'Microsoft.Web/sites'` chooses."""
        return self._chosen(request, f"/subscriptions/{self._subscription}")

    def _chosen(self, request: Request, scope: str) -> Response:
        chosen = request.query_params.get("$filter", "")
        kind = re.search(r"resourceType\s+eq\s+'([^']+)'", chosen, re.IGNORECASE)
        wanted = kind[1].lower() if kind else ""
        found = (each for each in self._listed(scope) if not wanted or each["type"].lower() == wanted)
        return paged(request, [each for each in found if _has_tag(each, chosen)])

    def group_id(self, name: str) -> str:
        """The id of a group."""
        return f"/subscriptions/{self._subscription}/resourceGroups/{name}"

    def group_of(self, name: str) -> Json:
        """The group, or the refusal to speak of one that is not there."""
        found = self._cloud.get(self.group_id(name))
        if found is None:
            raise arm_answers.missing_group(name)
        return found

    def writable_group(self, name: str) -> Json:
        """The group, or the refusal to write into one that is not there or is going away."""
        found = self.group_of(name)
        if found["properties"].get("provisioningState") == "Deleting":
            text = f"The resource group '{name}' is in deprovisioning state and cannot perform this operation."
            raise Refusal(409, "ResourceGroupBeingDeleted", text)
        return found

    def _put_group(self, name: str, body: Json) -> Response:
        found = self._cloud.get(self.group_id(name))
        if found:
            self.writable_group(name)
        location = body.get("location") or (found or {}).get("location")
        if not location:
            raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
        arm_rules.check(self._cloud, self.group_id(name), {"location": location}, found)
        if found and _region(found["location"]) != _region(location):
            text = f"Invalid resource group location '{location}'. The Resource group already exists in location "
            raise Refusal(409, "InvalidResourceGroupLocation", f"{text}'{found['location']}'.")
        kept = {"id": self.group_id(name), "name": name, "type": GROUPS, "location": _region(location)}
        group = self._cloud.put(
            {**kept, "tags": body.get("tags") or {}, "properties": {"provisioningState": "Succeeded"}}
        )
        return JSONResponse(visible(group), 200 if found else 201)

    def _delete_group(self, request: Request, found: Json, fault: Fault | None) -> Response:
        self._cloud.put({**found, "properties": {"provisioningState": "Deleting"}})
        if fault and fault.how == "failed":
            blocked = {"Code": "ResourceGroupDeletionBlocked", "Target": None, "Message": _blocked(found["name"])}
            operation = Operation(409, {"Error": blocked}, self.seconds, last=lambda: self._cloud.put(found))
        else:
            never = fault is not None and fault.how == "never-ending"
            wait = NEVER if never else self.seconds
            operation = Operation(200, None, wait, last=lambda: self._clear(found["id"]))
        self._operations.begin(operation)
        return Response(status_code=202, headers=self._operations.location(request, self._subscription, operation))

    def _clear(self, group_id: str) -> None:
        """Delete a group with all it holds; its vaults can still be recovered."""
        vault_bin.throw_away_all(self._cloud, group_id)
        self._cloud.delete(group_id)
        self._operations.forget(group_id)

    def _listed(self, scope: str) -> Iterator[Json]:
        for each in self._cloud.under(scope):
            kind = parse(each["id"]).type
            is_own = each["id"].lower().count("/providers/") == 1
            if is_own and kind.count("/") == 1 and kind.lower() not in (GROUPS.lower(), *_UNLISTED):
                yield {"type": kind, **{name: value for name, value in visible(each).items() if name != "properties"}}

    # resources

    def resource(self, request: Request, place: Address, body: Json | None, fault: Fault | None) -> Response:
        """One resource of any type that is offered, or a list of them, or an action on one."""
        if request.method == "POST":
            return self._act(place, request.query_params["api-version"])
        if place.rest:
            return self._list(request, place)
        if request.method == "PUT":
            return self._put(request, place, body or {}, fault)
        if request.method == "DELETE":
            return self._delete(request, place, fault)
        found = self._found(place)
        if request.method == "PATCH":
            self._refuse_while_busy(place)
            arm_rules.check(self._cloud, place.id, {"tags": (body or {}).get("tags")}, found)
            found = self._keep(place, behaviour.complete(merged(found, body or {})))
        if request.method == "HEAD":
            return Response(status_code=204)
        return JSONResponse(self._seen(found))

    def _seen(self, resource: Json) -> Json:
        """A resource as a client sees it now: a cluster with all its pools, and how far a write is."""
        return visible(self._operations.shown(arm_clusters.seen(self._cloud, resource)))

    def _keep(self, place: Address, resource: Json) -> Json:
        if arm_clusters.is_pool_of_its_cluster(self._cloud, place.id):
            return arm_clusters.put_pool(self._cloud, resource)
        return self._cloud.put(resource)

    def _get(self, place: Address) -> Json | None:
        found = self._cloud.get(place.id) or arm_clusters.pool(self._cloud, place.id)
        if found is None and place.type.lower() == arm_roles.DEFINITIONS.lower():
            number = place.names[-1].lower()
            return next((each for each in arm_roles.built_in(self._subscription) if each["name"] == number), None)
        return found

    def _found(self, place: Address) -> Json:
        found = self._get(place)
        if found is not None:
            return found
        group = parse(place.id).group
        if group and self._cloud.get(self.group_id(group)) is None:
            raise arm_answers.missing_group(group)
        raise arm_answers.missing(place.type, place.name, group)

    def _list(self, request: Request, place: Address) -> Response:
        kind = f"{place.type}/{place.rest}"
        scope = place.scope
        if place.names:
            scope = self._found(Address(place.scope, place.type, place.names))["id"]
        elif group := parse(f"{scope}/providers/x/y/z").group:
            self.group_of(group)
        pools = arm_clusters.pools(self._cloud, scope) if kind.lower() == arm_clusters.POOLS.lower() else None
        listed = pools if pools is not None else list(self._cloud.under(scope, kind))
        if kind.lower() in (arm_roles.DEFINITIONS.lower(), arm_roles.ASSIGNMENTS.lower()):
            # these services choose themselves, and send everything at once
            every = [*listed, *(arm_roles.built_in(self._subscription) if kind.endswith("efinitions") else ())]
            wished = arm_roles.wished(every, request.query_params.get("$filter", ""))
            return JSONResponse({"value": [visible(each) for each in wished]})
        return paged(request, [self._seen(each) for each in listed])

    def _put(self, request: Request, place: Address, body: Json, fault: Fault | None) -> Response:
        before = self._get(place)
        self._check(place, body, before)
        self._refuse_while_busy(place)
        if place.type.lower() == "microsoft.keyvault/vaults" and before is None and _recovers(body):
            return JSONResponse(visible(vault_bin.recover(self._cloud, place.id) or {}), 200)
        resource = behaviour.complete(_asked(place, body, before))
        known = arm_types.find(place.type) or arm_types.Type("")
        in_vain = fault is not None and fault.how in ("failed", "never-ending")
        style = Style.STATUS if in_vain and known.writes is Style.AT_ONCE else known.writes
        if fault is not None and fault.how == "failed":
            resource["properties"]["provisioningState"] = "Failed"
        kept = self._keep(place, resource)
        status = 200 if before and place.type.lower() != "microsoft.authorization/roledefinitions" else known.creates
        home = f"{str(request.base_url).rstrip('/')}{kept['id']}?{request.url.query}"
        headers = {"Location": home} if known.points_home and status == 201 else {}
        if style is Style.AT_ONCE:
            return JSONResponse(visible(kept), status, headers=headers)
        operation = self._outcome(visible(kept), fault)
        operation.subject, operation.doing = kept["id"], "Updating" if before else "Creating"
        return self._accepted(request, place, style, self._operations.begin(operation), status, headers)

    def _outcome(self, kept: Json, fault: Fault | None) -> Operation:
        """How a write ends: well, or as a fault has it."""
        if fault is not None and fault.how == "failed":
            code = fault.details.get("code", "Conflict")
            message = fault.details.get("message", "The rehearsal was told to fail.")
            error = {"error": {"code": code, "message": message}}
            return Operation(int(fault.details.get("status", 409)), error, self.seconds)
        return Operation(200, kept, NEVER if fault is not None and fault.how == "never-ending" else self.seconds)

    def _accepted(
        self,
        request: Request,
        place: Address,
        style: Style,
        operation: Operation,
        status: int,
        headers: Mapping[str, str],
    ) -> Response:
        """The first answer of a write that takes its time, in the style of its service."""
        namespace = place.type.split("/")[0]
        there = self._operations.status_header(request, self._subscription, namespace, operation)
        result = self._operations.location(request, self._subscription, operation, namespace)
        if style is Style.LOCATION:
            return Response(status_code=202, headers=result)
        if style is Style.BOTH:
            begun = {"operation": f"Upsert{place.type.rpartition('/')[2]}", "startTime": operation.since.isoformat()}
            return JSONResponse(begun, 202, headers={**result, **there})
        told = there if style is Style.STATUS else headers
        return JSONResponse(self._seen(self._found(place)), status, headers=told)

    def _refuse_while_busy(self, place: Address) -> None:
        """One write at a time: Azure refuses the second until the first is over."""
        operation = self._operations.on(place.id)
        if operation is None or self._get(place) is None:
            return
        if place.type.lower().startswith("microsoft.containerservice/"):
            doing = {"Creating": "put", "Updating": "put", "Deleting": "delete"}[operation.doing]
            text = f"Operation is not allowed because there's an in progress {doing} managed cluster operation on the "
            text += f"managed cluster {place.names[0]}. Please wait for it to finish before starting a new operation."
            raise Refusal(409, "OperationNotAllowed", text, bare=True)
        text = f"Another operation on this or dependent resource is in progress: {place.type} '{place.name}' is being "
        raise Refusal(409, "AnotherOperationInProgress", f"{text}{operation.doing.lower()}.")

    def _check(self, place: Address, body: Json, before: Json | None) -> None:
        where = parse(place.id)
        if where.group:
            self.writable_group(where.group)
        self._check_parent(place)
        arm_rules.check(self._cloud, place.id, body, before)
        kind, location = place.type.lower(), body.get("location")
        if not location and not before and kind in _NEED_A_LOCATION:
            raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
        if before and location and before.get("location") and _region(before["location"]) != _region(location):
            text = f"The resource '{place.name}' already exists in location '{before['location']}' in resource group "
            text += f"'{where.group}'. A resource with the same name cannot be created in location '{location}'. "
            raise Refusal(409, "InvalidResourceLocation", f"{text}Please select a new resource name.")
        if kind == "microsoft.authorization/roleassignments":
            self._assignments.check(place.id, body, before)

    def _check_parent(self, place: Address) -> None:
        if len(place.names) > 1:
            parent = Address(place.scope, place.type.rpartition("/")[0], place.names[:-1])
            if (
                self._cloud.get(parent.id) is None
                and place.type.lower().split("/")[-1] != "basicpublishingcredentialspolicies"
            ):
                raise arm_answers.missing_parent(place.type, place.name, parent.names[-1])
        elif "/providers/" in place.scope and self._cloud.get(place.scope) is None:
            scope = address(place.scope)
            raise arm_answers.missing(scope.type, scope.name, parse(place.scope).group)

    def _delete(self, request: Request, place: Address, fault: Fault | None) -> Response:
        found = self._get(place)
        if found is None:
            return Response(status_code=204)
        self._refuse_while_busy(place)
        kind = place.type.lower()
        known = arm_types.find(kind) or arm_types.Type("")
        arm_rules.check_unused(self._cloud, place.id)
        if kind == arm_clusters.POOLS.lower():
            arm_clusters.check_last_pool(self._cloud, place.id)
        if known.deletes is Style.AT_ONCE:
            self._remove(place)
            told = kind.startswith("microsoft.authorization/")
            return JSONResponse(visible(found)) if told else Response(status_code=200)
        never = fault is not None and fault.how == "never-ending"
        wait = NEVER if never else self.seconds
        operation = Operation(204, None, wait, subject=place.id, doing="Deleting", last=lambda: self._remove(place))
        self._operations.begin(operation)
        namespace = place.type.split("/")[0]
        headers = self._operations.location(request, self._subscription, operation, namespace)
        if known.deletes is Style.BOTH:
            headers |= self._operations.status_header(request, self._subscription, namespace, operation)
        return Response(status_code=202, headers=headers)

    def _remove(self, place: Address) -> None:
        found = self._cloud.get(place.id)
        if found is None:
            arm_clusters.remove_pool(self._cloud, place.id)
        elif place.type.lower() == "microsoft.keyvault/vaults":
            vault_bin.throw_away(self._cloud, found)
        else:
            self._cloud.delete(place.id)
        self._operations.forget(place.id)

    def _act(self, place: Address, version: str) -> Response:
        if not place.rest or not place.names:
            raise arm_answers.unknown_type(f"{place.type}/{place.rest}" if place.rest else place.type, version)
        found, action = self._found(Address(place.scope, place.type, place.names)), place.rest.lower()
        if place.type.lower() == "microsoft.containerservice/managedclusters" and action in _CLUSTER_USERS:
            return self._credentials(found, _CLUSTER_USERS[action])
        if place.type.lower() == "microsoft.containerregistry/registries" and action == "listcredentials":
            return self._registry_credentials(found)
        answer = behaviour.secrets(found, action)
        if answer is None:
            raise arm_answers.unknown_type(f"{place.type}/{place.rest}", version)
        return JSONResponse(answer)

    def _credentials(self, cluster: Json, user: str) -> Response:
        place = parse(cluster["id"])
        if self._kubeconfig is None:
            raise Refusal(404, "NotFound", "This rehearsal has no cluster API to give credentials for.")
        if user == "clusterAdmin" and cluster["properties"].get("disableLocalAccounts"):
            text = "Getting static credential is not allowed because this cluster is set to disable local accounts."
            raise Refusal(400, "BadRequest", text, bare=True)
        if (operation := self._operations.on(cluster["id"])) and operation.doing == "Creating":
            text = f"The managed cluster {place.name} is being created; there are no credentials yet."
            raise Refusal(409, "OperationNotAllowed", text, bare=True)
        text = self._kubeconfig(place.group, place.name)
        value = base64.b64encode(text.encode()).decode()
        return JSONResponse({"kubeconfigs": [{"name": user, "value": value}]})

    def _registry_credentials(self, registry: Json) -> Response:
        if not registry["properties"].get("adminUserEnabled"):
            text = f"Cannot perform credential operations for {registry['id']} as admin user is disabled. Kindly "
            text += "enable admin user as per docs: https://docs.microsoft.com/en-us/azure/container-registry/"
            raise Refusal(400, "UnAuthorizedForCredentialOperations", f"{text}container-registry-authentication.")
        name = parse(registry["id"]).name
        passwords = [
            {"name": each, "value": behaviour.key(registry["id"], "admin" if each == "password" else each)}
            for each in ("password", "password2")
        ]
        return JSONResponse({"username": name, "passwords": passwords})


_CLUSTER_USERS = {"listclusterusercredential": "clusterUser", "listclusteradmincredential": "clusterAdmin"}


def merged(before: Any, change: Any) -> Any:
    """The change laid over what was: objects member by member, null removes, everything else replaces."""
    if not isinstance(before, dict) or not isinstance(change, dict):
        return change
    result = {name: value for name, value in before.items() if change.get(name, "") is not None}
    for name, value in change.items():
        if value is not None:
            result[name] = merged(before.get(name), value)
    return result


def _asked(place: Address, body: Json, before: Json | None) -> Json:
    """The resource as the request wants it: its own words, over what only the service knows from before."""
    wanted = {k: v for k, v in body.items() if k not in ("id", "name", "type", "apiVersion", "systemData")}
    properties = dict(wanted.get("properties") or {})
    private = {k: v for k, v in (before or {}).items() if k.startswith("_")}
    for secret in _WRITE_ONLY.get(place.type.lower(), ()):
        if secret in properties:
            private[f"_{secret}"] = properties.pop(secret)
    kept = {"location": before["location"]} if before and before.get("location") else {}
    identity = _kept_identity(wanted.get("identity"), (before or {}).get("identity"))
    whole = {"id": place.id, "type": place.type, **kept, **wanted, **identity, "properties": properties, **private}
    return {k: v for k, v in whole.items() if v is not None}


def _kept_identity(wanted: Any, before: Any) -> Json:
    """An identity survives a write that does not speak of it."""
    return {"identity": before} if wanted is None and before is not None else {}


def _recovers(body: Json) -> bool:
    return str((body.get("properties") or {}).get("createMode") or "").lower() == "recover"


def _has_tag(resource: Json, chosen: str) -> bool:
    """True when a resource has the tag that a filter asks for, or the filter asks for none."""
    name = re.search(r"tagName\s+eq\s+'([^']+)'", chosen, re.IGNORECASE)
    value = re.search(r"tagValue\s+eq\s+'([^']*)'", chosen, re.IGNORECASE)
    tags = {key.lower(): each for key, each in (resource.get("tags") or {}).items()}
    if name is None:
        return True
    return name[1].lower() in tags and (value is None or tags[name[1].lower()] == value[1])


def _region(name: str) -> str:
    return name.lower().replace(" ", "")


def _blocked(group: str) -> str:
    text = f"Deletion of resource group '{group}' failed as resources in it could not be deleted. "
    return f"{text}The provisioning state of the resource group will be rolled back."
