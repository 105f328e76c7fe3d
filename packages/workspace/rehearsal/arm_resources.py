"""Resource groups and resources of any type, as Azure Resource Manager lets them be made, read, changed and deleted."""

import base64
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workspace.rehearsal import arm_answers, arm_roles, behaviour
from workspace.rehearsal.arm_answers import Json, Refusal, visible
from workspace.rehearsal.arm_operations import NEVER, Operation, Operations
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.faults import Fault

GROUPS = "Microsoft.Resources/resourceGroups"

_GROUP_NAME = re.compile(r"^[-\w.()]{0,89}[-\w()]$")
_ALWAYS_200 = ("microsoft.documentdb/", "microsoft.storage/storageaccounts", "microsoft.web/")
_ACCEPTED_202 = ("microsoft.dbforpostgresql/flexibleservers",)
_DELETED_SLOWLY = ("microsoft.containerservice/", "microsoft.dbforpostgresql/", "microsoft.documentdb/")
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
_POOLS = "Microsoft.ContainerService/managedClusters/agentPools"
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
    """Everything that is no deployment. `seconds` is how long what takes its time takes."""

    def __init__(
        self, cloud: Cloud, operations: Operations, subscription: str, seconds: float, kubeconfig: Kubeconfig | None
    ) -> None:
        self._cloud = cloud
        self._operations = operations
        self._subscription = subscription
        self._seconds = seconds
        self._kubeconfig = kubeconfig

    # groups

    def groups(self) -> Response:
        """Every group of the subscription."""
        found = (r for r in self._cloud.all(GROUPS) if f"/subscriptions/{self._subscription}/" in r["id"])
        return JSONResponse({"value": [visible(each) for each in found]})

    def group(self, request: Request, name: str, body: Json | None, fault: Fault | None) -> Response:
        """One group: made, read, asked whether it is there, retagged or deleted."""
        if not _GROUP_NAME.match(name):
            text = f"The provided resource group name '{name}' has these invalid characters or length."
            raise Refusal(400, "ResourceGroupNameInvalid", text)
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

    def in_group(self, name: str) -> Response:
        """What a group holds, one level deep, without the properties: as Azure lists it."""
        return JSONResponse({"value": list(self._listed(self.group_of(name)["id"]))})

    def everything(self, chosen: str) -> Response:
        """What the subscription holds; `chosen` is a filter such as `resourceType eq 'Microsoft.Web/sites'`."""
        kind = re.search(r"resourceType\s+eq\s+'([^']+)'", chosen or "", re.IGNORECASE)
        listed = self._listed(f"/subscriptions/{self._subscription}")
        wanted = kind[1].lower() if kind else ""
        return JSONResponse({"value": [r for r in listed if not wanted or r["type"].lower() == wanted]})

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
            operation = Operation(409, {"Error": blocked}, self._seconds)
            self._later(lambda: self._cloud.put(found))
        else:
            operation = Operation(200, None, NEVER if fault and fault.how == "never-ending" else self._seconds)
            self._later(lambda: self._cloud.delete(found["id"]))
        self._operations.begin(operation)
        return Response(status_code=202, headers=self._operations.location(request, self._subscription, operation))

    def _later(self, work: Callable[[], Any]) -> None:
        timer = threading.Timer(self._seconds, work)
        timer.daemon = True
        timer.start()

    def _listed(self, scope: str) -> Iterator[Json]:
        for each in self._cloud.under(scope):
            kind = parse(each["id"]).type
            if kind.count("/") == 1 and kind.lower() not in (GROUPS.lower(), "microsoft.resources/deployments"):
                yield {name: value for name, value in visible(each).items() if name != "properties"}

    # resources

    def resource(self, request: Request, place: Address, body: Json | None, fault: Fault | None) -> Response:
        """One resource of any type, or a list of them, or an action on one."""
        if request.method == "POST":
            return self._act(place, request.query_params["api-version"])
        if place.rest:
            return self._list(place, request.query_params.get("$filter", ""))
        if request.method == "PUT":
            return self._put(request, place, body or {}, fault)
        if request.method == "DELETE":
            return self._delete(request, place)
        found = self._found(place)
        if request.method == "PATCH":
            found = self._cloud.put(behaviour.complete(merged(found, body or {})))
        if request.method == "HEAD":
            return Response(status_code=204)
        return JSONResponse(visible(found))

    def _found(self, place: Address) -> Json:
        found = self._cloud.get(place.id) or self._brought_along(place)
        if found is not None:
            return found
        group = parse(place.id).group
        if group and self._cloud.get(self.group_id(group)) is None:
            raise arm_answers.missing_group(group)
        raise arm_answers.missing(place.type, place.name, group)

    def _brought_along(self, place: Address) -> Json | None:
        """What is there without having been written by itself: a role of Azure's, a pool that came with its cluster."""
        kind, name = place.type.lower(), place.names[-1].lower()
        if kind == arm_roles.DEFINITIONS.lower():
            return next((r for r in arm_roles.built_in(self._subscription) if r["name"] == name), None)
        if kind == _POOLS.lower():
            cluster = self._cloud.get(Address(place.scope, place.type.rpartition("/")[0], place.names[:-1]).id) or {}
            return next((pool for pool in _own_pools(cluster) if pool["name"].lower() == name), None)
        return None

    def _list(self, place: Address, chosen: str) -> Response:
        kind = f"{place.type}/{place.rest}"
        scope = self._found(Address(place.scope, place.type, place.names))["id"] if place.names else place.scope
        found = list(self._cloud.under(scope, kind))
        if kind.lower() == arm_roles.DEFINITIONS.lower():
            found += arm_roles.built_in(self._subscription)
        if kind.lower() == _POOLS.lower():
            written = {each["id"].lower() for each in found}
            own = _own_pools(self._cloud.get(scope) or {})
            found = [*(pool for pool in own if pool["id"].lower() not in written), *found]
        if kind.lower() in (arm_roles.DEFINITIONS.lower(), arm_roles.ASSIGNMENTS.lower()):
            found = arm_roles.wished(found, chosen)
        return JSONResponse({"value": [visible(each) for each in found]})

    def _put(self, request: Request, place: Address, body: Json, fault: Fault | None) -> Response:
        before = self._cloud.get(place.id)
        self._check(place, body, before)
        resource = _asked(place, body, before)
        if fault and fault.how in ("failed", "never-ending"):
            return self._put_in_vain(request, place, resource, fault)
        kept = self._cloud.put(behaviour.complete(resource))
        kind = place.type.lower()
        if kind.startswith(_ACCEPTED_202):
            operation = self._operations.begin(Operation(200, visible(kept), self._seconds))
            return Response(status_code=202, headers=self._status_header(request, place, operation))
        if kind.startswith(_ALWAYS_200) or before:
            return JSONResponse(visible(kept), 201 if kind == "microsoft.authorization/roledefinitions" else 200)
        return JSONResponse(visible(kept), 201)

    def _put_in_vain(self, request: Request, place: Address, resource: Json, fault: Fault) -> Response:
        """The write is accepted and comes to nothing: it fails later, or never ends."""
        never = fault.how == "never-ending"
        status = int(fault.details.get("status", 409))
        code, message = (
            fault.details.get("code", "Conflict"),
            fault.details.get("message", "The rehearsal was told to fail."),
        )
        operation = Operation(status, {"error": {"code": code, "message": message}}, NEVER if never else self._seconds)
        kept = behaviour.complete(resource)
        kept["properties"]["provisioningState"] = "Creating" if never else "Failed"
        self._cloud.put(kept)
        self._operations.begin(operation)
        status = 202 if place.type.lower().startswith(_ACCEPTED_202) else 200
        return JSONResponse(visible(kept), status, headers=self._status_header(request, place, operation))

    def _status_header(self, request: Request, place: Address, operation: Operation) -> dict[str, str]:
        namespace = place.type.split("/")[0]
        return self._operations.status_header(request, self._subscription, namespace, operation)

    def _check(self, place: Address, body: Json, before: Json | None) -> None:
        where = parse(place.id)
        if where.group:
            self.writable_group(where.group)
        self._check_parent(place)
        kind, location = place.type.lower(), body.get("location")
        if not location and not before and kind in _NEED_A_LOCATION:
            raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
        if before and location and before.get("location") and _region(before["location"]) != _region(location):
            text = f"The resource '{place.name}' already exists in location '{before['location']}' in resource group "
            text += f"'{where.group}'. A resource with the same name cannot be created in location '{location}'. "
            raise Refusal(409, "InvalidResourceLocation", f"{text}Please select a new resource name.")
        if kind == "microsoft.authorization/roleassignments":
            self._check_assignment(place, body)

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

    def _check_assignment(self, place: Address, body: Json) -> None:
        """The same role for the same principal at the same scope exists once, whatever its name."""
        wanted = body.get("properties") or {}
        for other in self._cloud.under(place.scope, place.type):
            said = other["properties"]
            same = [said.get(part) == wanted.get(part) for part in ("principalId", "roleDefinitionId")]
            here = address(other["id"]).scope.lower() == place.scope.lower()
            if here and all(same) and other["id"].lower() != place.id.lower():
                raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")

    def _delete(self, request: Request, place: Address) -> Response:
        gone = self._cloud.get(place.id)
        if gone is None or not self._cloud.delete(place.id):
            return Response(status_code=204)
        if place.type.lower().startswith("microsoft.authorization/"):
            return JSONResponse(visible(gone))
        if not place.type.lower().startswith(_DELETED_SLOWLY):
            return Response(status_code=200)
        operation = self._operations.begin(Operation(204, None, self._seconds))
        return Response(status_code=202, headers=self._operations.location(request, self._subscription, operation))

    def _act(self, place: Address, version: str) -> Response:
        if not place.rest or not place.names:
            raise arm_answers.unknown_type(f"{place.type}/{place.rest}" if place.rest else place.type, version)
        found, action = self._found(Address(place.scope, place.type, place.names)), place.rest.lower()
        if place.type.lower() == "microsoft.containerservice/managedclusters" and action in _CLUSTER_USERS:
            return self._credentials(found, _CLUSTER_USERS[action])
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
            raise Refusal(400, "BadRequest", text)
        text = self._kubeconfig(place.group, place.name)
        value = base64.b64encode(text.encode()).decode()
        return JSONResponse({"kubeconfigs": [{"name": user, "value": value}]})


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


def _own_pools(cluster: Json) -> Iterator[Json]:
    """The node pools that a cluster was written with, as resources of their own."""
    for pool in (cluster.get("properties") or {}).get("agentPoolProfiles") or []:
        properties = {name: value for name, value in pool.items() if name != "name"}
        pool_id = f"{cluster['id']}/agentPools/{pool['name']}"
        yield {"id": pool_id, "name": pool["name"], "type": _POOLS, "properties": properties}


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


def _region(name: str) -> str:
    return name.lower().replace(" ", "")


def _blocked(group: str) -> str:
    text = f"Deletion of resource group '{group}' failed as resources in it could not be deleted. "
    return f"{text}The provisioning state of the resource group will be rolled back."
