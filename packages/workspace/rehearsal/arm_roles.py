"""Who may do what, as far as a rehearsal knows: role assignments are checked, and vaults ask for them.

Principals are the identities of the cloud's own resources and the client that signs in; people and groups of a
directory are not rehearsed, so they are believed when the assignment says that it is one.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from workspace.rehearsal.arm_answers import Json, Refusal
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.cloud import Cloud, Resource, parse

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Assignments:
    """The rules of role assignments. `delay` says for how many seconds a new identity is not known everywhere."""

    def __init__(self, cloud: Cloud, *, tenant: str, caller: str, delay: Callable[[], float]) -> None:
        self._cloud = cloud
        self._tenant = tenant
        self._caller = caller.lower()
        self._delay = delay
        self._lock = threading.Lock()
        self._since: dict[str, float] = {each: 0.0 for r in cloud.all() for each in principals(r)}
        cloud.listen(self._notice)

    def check(self, assignment_id: str, body: Mapping[str, Any], before: Resource | None) -> None:
        """Refuse what Authorization refuses: a role or principal nobody knows, a second assignment, a changed one."""
        name, wanted = parse(assignment_id).name, body.get("properties") or {}
        if not _GUID.fullmatch(name):
            text = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
            raise Refusal(400, "InvalidRoleAssignmentId", text)
        for needed in ("roleDefinitionId", "principalId"):
            if not wanted.get(needed):
                text = f"The request content was invalid: '{needed}' is required."
                raise Refusal(400, "InvalidRequestContent", text)
        self._check_role(str(wanted["roleDefinitionId"]))
        if before and any(str(before["properties"].get(p)).lower() != str(wanted[p]).lower() for p in _FIXED):
            text = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
            raise Refusal(400, "RoleAssignmentUpdateNotPermitted", text)
        if before is None:
            self._check_principal(str(wanted["principalId"]), str(wanted.get("principalType") or ""))
            self._check_twin(assignment_id, wanted)

    def _check_role(self, role: str) -> None:
        guid = role.rstrip("/").rpartition("/")[2].lower()
        made = {parse(each["id"]).name.lower() for each in self._cloud.all(DEFINITIONS)}
        if guid not in {each.lower() for each in ROLES.values()} | made:
            text = f"The specified role definition with ID '{guid.replace('-', '')}' does not exist."
            raise Refusal(400, "RoleDefinitionDoesNotExist", text)

    def _check_principal(self, principal: str, kind: str) -> None:
        """Whoever names the kind of principal is believed; without it the directory is asked, which learns late."""
        if kind:
            return
        with self._lock:
            since = self._since.get(principal.lower())
        if principal.lower() == self._caller:
            since = 0.0
        if since is None or time.monotonic() - since < self._delay():
            shown = principal.replace("-", "")
            text = f"Principal {shown} does not exist in the directory {self._tenant}. Check that you have the correct "
            text += "principal ID. If you are creating this principal and then immediately assigning a role, this "
            text += "error might be related to a replication delay. In this case, set the role assignment "
            text += "principalType property to a value, such as ServicePrincipal, User, or Group."
            raise Refusal(400, "PrincipalNotFound", text)

    def _check_twin(self, assignment_id: str, wanted: Mapping[str, Any]) -> None:
        """The same role for the same principal at the same scope exists once, whatever its name."""
        scope = _scope(assignment_id)
        for other in self._cloud.under(scope, ASSIGNMENTS):
            same = all(str(other["properties"].get(p)).lower() == str(wanted.get(p)).lower() for p in _FIXED)
            if same and _scope(other["id"]) == scope and other["id"].lower() != assignment_id.lower():
                raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")

    def _notice(self, _: str, resource: Resource | None) -> None:
        with self._lock:
            for principal in principals(resource or {}):
                self._since.setdefault(principal, time.monotonic())


_FIXED = ("principalId", "roleDefinitionId")


def _scope(assignment_id: str) -> str:
    return assignment_id.lower().rsplit("/providers/", 1)[0]


def principals(resource: Mapping[str, Any]) -> Iterator[str]:
    """The object ids of the identities that a resource is or has, in lower case."""
    properties, identity = resource.get("properties") or {}, resource.get("identity") or {}
    found = [properties.get("principalId") if "clientId" in properties else None]
    if isinstance(identity, Mapping):
        found.append(identity.get("principalId"))
    profiles = properties.get("identityProfile")
    found += [each.get("objectId") for each in profiles.values()] if isinstance(profiles, Mapping) else []
    return (str(each).lower() for each in found if each)


_WISH = re.compile(r"(roleName|type|principalId)\s+eq\s+'([^']*)'", re.IGNORECASE)


def built_in(subscription: str) -> Iterator[Json]:
    """Every role that is there before anybody made one, of those that we and our definitions name."""
    for name, number in ROLES.items():
        yield {
            "id": f"/subscriptions/{subscription}/providers/{DEFINITIONS}/{number}",
            "name": number,
            "type": DEFINITIONS,
            "properties": {
                "roleName": name,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [],
            },
        }


def wished(found: Sequence[Json], chosen: str) -> list[Json]:
    """What of a list a filter such as `roleName eq 'AcrPull'` leaves; `atScope()` leaves everything."""
    wishes = {name.lower(): value.lower() for name, value in _WISH.findall(chosen or "")}
    return [each for each in found if wishes.items() <= _answers(each).items()]


def _answers(each: Json) -> dict[str, str]:
    said = {name.lower(): str(value).lower() for name, value in each["properties"].items()}
    return {name: said.get(name, "") for name in ("rolename", "type", "principalid")}


def roles_of(cloud: Cloud, principal: str, resource_id: str) -> set[str]:
    """The names of the built-in roles a principal has on a resource, by assignments on it and above it."""
    names = {guid.lower(): name for name, guid in ROLES.items()}
    here = f"{resource_id.lower()}/"
    found = set()
    for each in cloud.all(ASSIGNMENTS):
        said: Json = each.get("properties") or {}
        if str(said.get("principalId", "")).lower() == principal.lower() and here.startswith(f"{_scope(each['id'])}/"):
            found.add(names.get(str(said.get("roleDefinitionId", "")).rpartition("/")[2].lower(), ""))
    return found - {""}


_WRITES = {"set", "delete", "recover", "purge"}
_WRITERS = {"Key Vault Administrator", "Key Vault Secrets Officer"}
_READERS = {*_WRITERS, "Key Vault Secrets User"}


def hindrance(cloud: Cloud, principal: str, vault: Resource, needed: str) -> str:
    """Why a principal may not use a vault's secrets: a vault's inner code, or nothing where it may.

    Being allowed to make a vault does not open it: it takes a role on it, or an access policy in it. `needed` is what
    access policies call it: get, list, set, delete, recover, purge.
    """
    properties = vault.get("properties") or {}
    if properties.get("enableRbacAuthorization"):
        allowed = _WRITERS if needed in _WRITES else _READERS
        return "" if roles_of(cloud, principal, vault["id"]) & allowed else "ForbiddenByRbac"
    for policy in properties.get("accessPolicies") or ():
        granted = {str(each).lower() for each in (policy.get("permissions") or {}).get("secrets") or ()}
        if str(policy.get("objectId")).lower() == principal.lower() and {needed, "all"} & granted:
            return ""
    return "AccessDenied"
