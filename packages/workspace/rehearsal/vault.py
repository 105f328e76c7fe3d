"""Key Vault's data plane, rehearsed: secrets with versions and soft delete, behind the real challenge.

A secret is the resource `{vault id}/secrets/{name}` in the one cloud, its value under `_value`, so those that templates
and stacks made are seen.
"""

import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workspace.rehearsal import arm_roles, behaviour
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.web_answers import Refusal, base, body, is_authorised, route

_VAULTS = "Microsoft.KeyVault/vaults"
_RESOURCE = "https://vault.azure.net"
_DELETED = "deletedsecrets"


def routes(cloud: Cloud, faults: Faults) -> list[Route]:
    """What the vaults answer under `/vault/{name}/…`."""
    vaults = _Vaults(cloud, faults)
    root = "/vault/{vault}"
    return [
        route(root + "/secrets", ["GET"], vaults.list),
        route(root + "/secrets/{name}", ["GET", "PUT", "DELETE"], vaults.secret),
        route(root + "/secrets/{name}/", ["GET"], vaults.secret),
        route(root + "/secrets/{name}/versions", ["GET"], vaults.versions),
        route(root + "/secrets/{name}/{version}", ["GET", "PATCH"], vaults.version),
        route(root + "/deletedsecrets", ["GET"], vaults.list_deleted),
        route(root + "/deletedsecrets/{name}", ["GET", "DELETE"], vaults.deleted),
        route(root + "/deletedsecrets/{name}/recover", ["POST"], vaults.recover),
    ]


class _Vaults:
    def __init__(self, cloud: Cloud, faults: Faults) -> None:
        self._cloud = cloud
        self._faults = faults

    async def list(self, request: Request) -> Response:
        vault = self._enter(request)
        found = self._cloud.under(vault["id"], f"{_VAULTS}/secrets")
        items = [self._shown(request, self._current(each), with_value=False, version=False) for each in found]
        return JSONResponse({"value": items, "nextLink": None})

    async def secret(self, request: Request) -> Response:
        vault, name = self._enter(request), request.path_params["name"]
        if request.method == "PUT":
            return self._put(request, vault, name, await body(request))
        found = self._require(vault, name)
        if request.method == "DELETE":
            return self._delete(request, vault, found)
        return JSONResponse(self._shown(request, self._enabled(found)))

    async def versions(self, request: Request) -> Response:
        found = self._require(self._enter(request), request.path_params["name"])
        items = [self._shown(request, found, with_value=False, which=each) for each in found["_versions"]]
        return JSONResponse({"value": items, "nextLink": None})

    async def version(self, request: Request) -> Response:
        name, wanted = request.path_params["name"], request.path_params["version"]
        found = self._require(self._enter(request), name)
        which = next((each for each in found["_versions"] if each["id"] == wanted), None)
        if which is None:
            raise Refusal(_missing(f"{name}/{wanted}"))
        if request.method == "PATCH":
            return self._patch(request, found, which, await body(request))
        return JSONResponse(self._shown(request, self._enabled(found), which=which))

    async def list_deleted(self, request: Request) -> Response:
        vault = self._enter(request)
        found = self._cloud.under(vault["id"], f"{_VAULTS}/{_DELETED}")
        return JSONResponse(
            {"value": [self._shown(request, each, with_value=False) for each in found], "nextLink": None}
        )

    async def deleted(self, request: Request) -> Response:
        vault, name = self._enter(request), request.path_params["name"]
        found = self._require_deleted(vault, name)
        if request.method == "DELETE":
            if (vault.get("properties") or {}).get("enablePurgeProtection"):
                said = 'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault '
                said += "service will automatically purge it after the retention period has passed."
                raise Refusal(_error(403, "Forbidden", said, inner="ForbiddenByPolicy"))
            self._cloud.delete(found["id"])
            return Response(status_code=204)
        return JSONResponse(self._shown(request, found, with_value=False))

    async def recover(self, request: Request) -> Response:
        vault, name = self._enter(request), request.path_params["name"]
        found = self._require_deleted(vault, name)
        self._cloud.delete(found["id"])
        kept = self._cloud.put({**found, "id": f"{vault['id']}/secrets/{name}", "type": f"{_VAULTS}/secrets"})
        return JSONResponse(self._shown(request, kept, with_value=False))

    # The door: a vault that is there, a token, no fault.

    def _enter(self, request: Request) -> Resource:
        name = request.path_params["vault"]
        vault = next(
            (each for each in self._cloud.all(_VAULTS) if parse(each["id"]).name.lower() == name.lower()), None
        )
        if vault is None:
            # In Azure the name of a vault that does not exist does not even resolve.
            raise Refusal(_error(404, "VaultNotFound", f"Vault {name} does not exist in this rehearsal."))
        if not is_authorised(request):
            raise Refusal(self._challenge(request, vault))
        self._check_audience(request, vault)
        self._check_role(request, vault)
        inside = f"{name}/{request.path_params.get('name', '')}"
        if fault := self._faults.find("vault", name) or self._faults.find("vault", inside):
            answers = _SECRETLY if fault.how in _SECRETLY else _FAULTS
            asked = request.path_params.get("name", "") if fault.how in _SECRETLY else name
            raise Refusal(answers.get(fault.how, _forbidden)(asked))
        return vault

    def _check_audience(self, request: Request, vault: Resource) -> None:
        """A vault takes tokens that are for vaults, to the letter."""
        claims = getattr(request.state, "token", None)
        if claims is not None and claims["aud"] != _RESOURCE:
            said = f"AKV10022: Invalid audience. Expected {_RESOURCE}, found: {claims['aud']}."
            raise Refusal(self._challenge(request, vault, said))

    def _check_role(self, request: Request, vault: Resource) -> None:
        """Refuse whoever may not do with the vault's secrets what the request wants to."""
        claims = getattr(request.state, "token", None)
        if claims is None:
            # asked without Resource Manager's door, as only tests of this module do
            return
        needed, name = _needed(request), parse(vault["id"]).name
        hindrance = arm_roles.hindrance(self._cloud, claims["oid"], vault, needed)
        if hindrance == "ForbiddenByRbac":
            raise Refusal(_forbidden(name))
        if hindrance:
            said = f"The user, group or application 'appid={claims['appid']};oid={claims['oid']}' does not have "
            said += f"secrets {needed} permission on key vault '{name};location=rehearsal'."
            raise Refusal(_error(403, "Forbidden", said, inner=hindrance))

    def _challenge(
        self,
        request: Request,
        vault: Resource,
        said: str = "AKV10000: Request is missing a Bearer or PoP token.",
    ) -> Response:
        tenant = (vault.get("properties") or {}).get("tenantId") or behaviour.TENANT
        answer = _error(401, "Unauthorized", said)
        answer.headers["WWW-Authenticate"] = f'Bearer authorization="{base(request)}/{tenant}", resource="{_RESOURCE}"'
        return answer

    # Secrets and their versions.

    def _put(self, request: Request, vault: Resource, name: str, wanted: dict[str, Any]) -> Response:
        if self._cloud.get(f"{vault['id']}/{_DELETED}/{name}"):
            said = f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; "
            said += "in this state, the secret can only be recovered or purged."
            raise Refusal(_error(409, "Conflict", said, inner="ObjectIsDeletedButRecoverable"))
        if not isinstance(wanted.get("value"), str):
            raise Refusal(_error(400, "BadParameter", "Property value has invalid value"))
        secret_id = f"{vault['id']}/secrets/{name}"
        found = self._current(
            self._cloud.get(secret_id) or {"id": secret_id, "type": f"{_VAULTS}/secrets", "_versions": []}
        )
        found["_versions"].append(_version(wanted["value"], wanted.get("attributes"), wanted.get("tags")))
        kept = self._cloud.put(behaviour.complete({**found, "_value": wanted["value"]}))
        return JSONResponse(self._shown(request, kept))

    def _patch(self, request: Request, found: Resource, which: dict[str, Any], wanted: dict[str, Any]) -> Response:
        which["enabled"] = bool((wanted.get("attributes") or {}).get("enabled", which["enabled"]))
        which["updated"] = int(time.time())
        self._cloud.put(found)
        return JSONResponse(self._shown(request, found, with_value=False, which=which))

    def _delete(self, request: Request, vault: Resource, found: Resource) -> Response:
        name = parse(found["id"]).name
        self._cloud.delete(found["id"])
        kept = {**found, "id": f"{vault['id']}/{_DELETED}/{name}", "type": f"{_VAULTS}/{_DELETED}"}
        return JSONResponse(self._shown(request, self._cloud.put(kept), with_value=False))

    def _require(self, vault: Resource, name: str) -> Resource:
        found = self._cloud.get(f"{vault['id']}/secrets/{name}")
        if found is None:
            raise Refusal(_missing(name))
        return self._current(found)

    def _require_deleted(self, vault: Resource, name: str) -> Resource:
        found = self._cloud.get(f"{vault['id']}/{_DELETED}/{name}")
        if found is None:
            raise Refusal(_error(404, "SecretNotFound", f"Deleted Secret not found: {name}"))
        return found

    def _current(self, resource: Resource) -> Resource:
        """The secret with its versions; a value another tool wrote is a new version."""
        versions = resource.setdefault("_versions", [])
        value = resource.get("_value", (resource.get("properties") or {}).get("value"))
        if value is not None and (not versions or versions[-1]["value"] != value):
            made = _version(str(value), None, resource.get("tags"))
            made["id"] = behaviour.unique(resource["id"], str(value)).replace("-", "")
            versions.append(made)
        return resource

    def _enabled(self, found: Resource) -> Resource:
        if not found["_versions"][-1]["enabled"]:
            raise Refusal(_disabled(""))
        return found

    def _shown(
        self,
        request: Request,
        secret: Resource,
        *,
        with_value: bool = True,
        version: bool = True,
        which: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        which = which or secret["_versions"][-1]
        name = parse(secret["id"]).name
        # The SDK takes ids apart and knows no path in front of them, so they are those of Azure.
        home = f"https://{request.path_params['vault'].lower()}.vault.azure.net"
        shown: dict[str, Any] = {
            "id": f"{home}/secrets/{name}" + (f"/{which['id']}" if version else ""),
            "attributes": {
                "enabled": which["enabled"],
                "created": which["created"],
                "updated": which["updated"],
                "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90,
            },
            "tags": which["tags"],
        }
        if with_value:
            shown["value"] = which["value"]
        if f"/{_DELETED}/" in secret["id"]:
            moment = int(time.time())
            shown |= {
                "recoveryId": f"{home}/{_DELETED}/{name}",
                "deletedDate": moment,
                "scheduledPurgeDate": moment + 90 * 86400,
            }
        return shown


def _needed(request: Request) -> str:
    """What a request does with secrets, as access policies call it."""
    path, method = request.url.path.lower(), request.method
    if path.endswith("/recover"):
        return "recover"
    if method == "DELETE":
        return "purge" if f"/{_DELETED}/" in path else "delete"
    if method in ("PUT", "PATCH"):
        return "set"
    return "list" if path.rstrip("/").endswith(("/secrets", f"/{_DELETED}", "/versions")) else "get"


def _version(value: str, attributes: dict[str, Any] | None, tags: dict[str, str] | None) -> dict[str, Any]:
    now = int(time.time())
    enabled = bool((attributes or {}).get("enabled", True))
    return {
        "id": uuid.uuid4().hex,
        "value": value,
        "enabled": enabled,
        "created": now,
        "updated": now,
        "tags": tags or {},
    }


def _missing(name: str) -> JSONResponse:
    said = (
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may "
    )
    return _error(404, "SecretNotFound", said + "be able to recover it using the correct recovery command.")


def _error(status: int, code: str, message: str, inner: str = "") -> JSONResponse:
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return JSONResponse({"error": error}, status)


def _forbidden(vault: str) -> JSONResponse:
    said = f"Caller is not authorized to perform action on resource.\r\nVault: {vault};location=rehearsal\r\n"
    return _error(403, "Forbidden", said, inner="ForbiddenByRbac")


def _disabled(_: str) -> JSONResponse:
    return _error(403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled")


def _throttled(_: str) -> JSONResponse:
    answer = _error(429, "Throttled", "Request was not processed because too many requests were received.")
    answer.headers["Retry-After"] = "1"
    return answer


def _unavailable(_: str) -> JSONResponse:
    return _error(503, "ServiceUnavailable", "The service is temporarily unavailable.")


_SECRETLY = {"missing": _missing, "disabled": _disabled}
_FAULTS = {"forbidden": _forbidden, "throttled": _throttled, "unavailable": _unavailable}
