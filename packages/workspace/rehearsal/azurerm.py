"""The stand-in for the azurerm plugin under the real Terraform engine.

It serves the plugin protocol from inside the rehearsal's process, and Terraform is told of it through one environment
variable (`TF_REATTACH_PROVIDERS`). Nothing is installed anywhere, so it can never be picked up outside a rehearsal, and
no command pays for starting it. Resources live in the rehearsal's `Cloud` under their real Azure ids, where the other
stand-ins see them and where a change made by anybody else is seen by `terraform plan`.
"""

import copy
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from workspace.rehearsal import arm_roles, arm_rules, behaviour, vault_bin
from workspace.rehearsal import azurerm_rules as rules
from workspace.rehearsal.arm_answers import Refusal, phrase
from workspace.rehearsal.azurerm_bodies import PRIVATE, attributes_in, body, get, location, put, same
from workspace.rehearsal.azurerm_computed import computed, zero
from workspace.rehearsal.azurerm_random import Random
from workspace.rehearsal.azurerm_types import DEFAULT_VALUES, ROLES, TYPES
from workspace.rehearsal.azurerm_wire import (
    UNKNOWN,
    Block,
    Decoy,
    Provider,
    ProviderCrash,
    ProviderError,
    Schemas,
    Served,
    Values,
    block,
    conform,
    elements,
)
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Fault, Faults
from workspace.rehearsal.written import Written

SUBSCRIPTION = "00000000-7e4e-4a15-b000-000000000000"
"""The subscription of a rehearsal, unless one is named."""

_SCHEMA = Path(__file__).parent / "generated/azurerm-schema.json"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{resource_group_name}"
_MOST_PEERS = 500
_BINNED = re.compile("/secrets/", re.IGNORECASE)
_DEFAULT_SERVICE = re.compile(r"/(blob|file|queue|table)Services/default$", re.IGNORECASE)
_NOTHING_TO_IMPORT = "Cannot import non-existent remote object"


class AzurermPlugin:
    """Runs the stand-ins of the azurerm and random plugins; `start` returns what Terraform's environment needs."""

    def __init__(
        self,
        cloud: Cloud,
        faults: Faults,
        subscription: str = SUBSCRIPTION,
        tenant: str = behaviour.TENANT,
        written: Written | None = None,
    ) -> None:
        self._written = written
        self._providers: tuple[Provider, ...] = (Azurerm(cloud, faults, subscription, tenant), Random())
        self._served: list[Served] = []
        self._decoy: Decoy | None = None

    def start(self) -> Mapping[str, str]:
        """Serve until closed; the answer is merged into the environment of every Terraform command."""
        self._decoy = Decoy()
        self._served = [Served(provider, written=self._written) for provider in self._providers]
        named = zip(self._providers, self._served, strict=True)
        reattach = {provider.name: served.reattach(self._decoy.pid) for provider, served in named}
        return {"TF_REATTACH_PROVIDERS": json.dumps(reattach)}

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        while self._served:
            self._served.pop().close()
        if self._decoy:
            self._decoy.close()

    def __enter__(self) -> Mapping[str, str]:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


@lru_cache(maxsize=1)
def schemas() -> Schemas:
    """The schema of the real plugin, for the types a rehearsal knows."""
    read = json.loads(_SCHEMA.read_text())
    resources = {name: block(each) for name, each in read["resources"].items()}
    known = {name: each for name, each in resources.items() if name in TYPES or name in LINKS}
    return Schemas(block(read["provider"]), known, {name: block(each) for name, each in read["data"].items()})


@dataclass(frozen=True)
class Link:
    """A Terraform resource that is only a property of another one: the holder's property names the other."""

    words: str
    holder: str
    other: str
    path: str
    many: bool = False


LINKS: Mapping[str, Link] = {
    "azurerm_subnet_network_security_group_association": Link(
        "Subnet Network Security Group Association",
        "subnet_id",
        "network_security_group_id",
        "properties.networkSecurityGroup",
    ),
    "azurerm_subnet_nat_gateway_association": Link(
        "Subnet NAT Gateway Association", "subnet_id", "nat_gateway_id", "properties.natGateway"
    ),
    "azurerm_nat_gateway_public_ip_association": Link(
        "NAT Gateway Public IP Association",
        "nat_gateway_id",
        "public_ip_address_id",
        "properties.publicIpAddresses",
        many=True,
    ),
}


class Azurerm:
    """The provider itself; every method may be called from any thread, by several Terraform processes at once."""

    name = "hashicorp/azurerm"

    def __init__(self, cloud: Cloud, faults: Faults, subscription: str, tenant: str) -> None:
        self.schemas = schemas()
        self._cloud, self._faults = cloud, faults
        self._subscription, self._tenant = subscription, tenant
        self._peers: dict[str, str] = {}
        self._features: dict[str, Values] = {}
        self._lock = threading.RLock()

    def configure(self, peer: str, config: Values) -> None:
        """Remember which subscription this Terraform process asked for, and its `features`."""
        with self._lock:
            while len(self._peers) >= _MOST_PEERS:
                oldest = next(iter(self._peers))
                del self._peers[oldest]
                self._features.pop(oldest, None)
            self._peers[peer] = config.get("subscription_id") or self._subscription
            self._features[peer] = get(config, "features.0.key_vault.0") or {}

    def validate(self, kind: str, config: Values) -> None:
        """Refuse what the real plugin refuses before it asks Azure anything."""
        rules.check(kind, config)

    def read(self, peer: str, kind: str, state: Values) -> Values | None:
        """The resource as the cloud has it now; None when it is gone."""
        if kind in LINKS:
            return state if self._is_linked(LINKS[kind], state) else None
        arm_id = self._arm_id(peer, kind, state)
        if fault := self._faults.find("terraform", f"read {_subject(kind, state)}"):
            raise ProviderError(f"retrieving {TYPES[kind].words} ({parse(arm_id).name}): {_named_failure(fault)}")
        resource = self._cloud.get(arm_id)
        return self._state(kind, resource, state) if resource else None

    def plan(
        self, peer: str, kind: str, prior: Values | None, proposed: Values, config: Values
    ) -> tuple[Values, list[list[str | int]]]:
        """The planned state and the paths whose change forces a replacement."""
        schema = self.schemas.resources[kind]
        planned = copy.deepcopy(proposed)
        _apply_defaults(kind, planned)
        if isinstance(planned.get("location"), str):
            planned["location"] = location(planned["location"])
        if prior is None:
            _mark_unknown(schema, planned, None)
            for name in TYPES[kind].computed_blocks if kind in TYPES else ():
                planned[name] = planned[name] or UNKNOWN
            return planned, []
        _keep(kind, schema, prior, planned)
        _mark_unknown(schema, planned, prior)
        if kind == "azurerm_key_vault_secret" and _secret_changes(prior, planned):
            planned |= dict.fromkeys(("id", "resource_id", "version"), UNKNOWN)
        return planned, list(_replacing(kind, prior, planned))

    def apply(
        self, peer: str, kind: str, prior: Values | None, planned: Values | None, config: Values
    ) -> Values | None:
        """Create, update or delete in the cloud; returns the new state."""
        values = planned or prior or {}
        words = LINKS[kind].words if kind in LINKS else TYPES[kind].words
        self._suffer(kind, words, values)
        with self._lock:
            if kind in LINKS:
                return self._apply_link(LINKS[kind], kind, prior, planned)
            if planned is None:
                self._delete(peer, kind, prior or {})
                return None
            return self._found_again(kind, self._write(peer, kind, prior, planned, config))

    def import_(self, peer: str, kind: str, resource_id: str) -> Values:
        """The state of what exists already under the id."""
        if kind in LINKS:
            return self._import_link(LINKS[kind], kind, resource_id)
        resource = self._cloud.get(resource_id) if resource_id.startswith("/") else None
        resource = resource or self._by_terraform_id(peer, kind, resource_id)
        if resource is None:
            detail = "Cannot import non-existent remote object: while attempting to import an existing object, the "
            raise ProviderError(
                "Cannot import non-existent remote object", f"{detail}id {resource_id!r} was not found."
            )
        return self._state(kind, resource, None)

    def look_up(self, peer: str, kind: str, config: Values) -> Values:
        """A data source's answer."""
        schema = self.schemas.data[kind]
        if kind in _ANSWERS:
            return conform(schema, config | _ANSWERS[kind](self._here(peer), self._tenant, config))
        resource = self._find(peer, kind, config)
        if resource is None:
            named = config.get("name")
            raise ProviderError(f"{TYPES[kind].words} ({named!r}) was not found", attribute="name")
        state = self._state(kind, resource, None)
        answer = conform(schema, {**state, **_data_extras(kind, resource, state, self._cloud)})
        _fill_zeros(schema, _mark_unknown(schema, answer, None))
        return answer

    def _here(self, peer: str) -> str:
        return self._peers.get(peer, self._subscription)

    def _arm_id(self, peer: str, kind: str, values: Values) -> str:
        """The Azure id of a resource with these attributes."""
        stands = {name: each for name, each in values.items() if isinstance(each, str)}
        known = str(stands.get("id") or "")
        stands["subscription"] = known.split("/")[2] if known.startswith("/subscriptions/") else self._here(peer)
        stands["group"] = _GROUP.format_map({"resource_group_name": "", **stands})
        return TYPES[kind].id.format_map(stands)

    def _terraform_id(self, kind: str, arm_id: str, values: Values) -> str:
        template = TYPES[kind].terraform_id
        return template.format_map({**values, "vault": parse(arm_id).names[0]}) if template else arm_id

    def _find(self, peer: str, kind: str, config: Values) -> Resource | None:
        if "resource_group_name" in config and not config["resource_group_name"]:
            wanted = parse(self._arm_id(peer, kind, {**config, "resource_group_name": "x"})).type
            named = (each for each in self._cloud.all(wanted) if each["name"].lower() == config["name"].lower())
            return next(named, None)
        return self._cloud.get(self._arm_id(peer, kind, config))

    def _by_terraform_id(self, peer: str, kind: str, wanted: str) -> Resource | None:
        if not TYPES[kind].terraform_id:
            return None
        for resource in self._cloud.all():
            if re.fullmatch(_pattern(TYPES[kind].id), resource["id"], re.IGNORECASE):
                state = self._state(kind, resource, None)
                if str(state["id"]).lower() == wanted.lower():
                    return resource
        return None

    def _write(self, peer: str, kind: str, prior: Values | None, planned: Values, config: Values) -> Values:
        attributes = copy.deepcopy(planned)
        is_named = attributes.get("name") not in (None, "", UNKNOWN)
        if kind == "azurerm_role_assignment":
            _settle_role(self._here(peer), attributes)
        arm_id = self._arm_id(peer, kind, prior or attributes)
        before = self._cloud.get(arm_id)
        verb = "updating" if prior else "creating"
        if kind == "azurerm_role_assignment" and before is not None and prior is None and not is_named:
            raise _failure(verb, kind, arm_id, "performing CreateOrUpdate", _TWIN)
        recovered = self._recovered(peer, kind, arm_id) if before is None and prior is None else None
        try:
            self._allow(kind, arm_id, before, prior, attributes)
        except rules.ServiceError as error:
            raise _failure(verb, kind, arm_id, "performing CreateOrUpdate", error) from error
        resource = body(kind, arm_id, attributes, before or recovered)
        if kind == "azurerm_key_vault_secret":
            self._open_vault(peer, attributes)
            _write_secret(arm_id, resource, attributes, config)
        resource = behaviour.complete(resource)
        state = self._complete_state(kind, arm_id, attributes, resource)
        self._keep(kind, resource, state)
        self._write_children(kind, arm_id, state)
        return state

    def _keep(self, kind: str, resource: Resource, state: Values) -> None:
        seen = attributes_in(kind, resource, state)
        resource[PRIVATE] = {"type": kind, "attributes": state, "seen": seen}
        self._cloud.put(resource)

    def _write_children(self, kind: str, arm_id: str, state: Values) -> None:
        if kind == "azurerm_managed_redis" and state["default_database"]:
            database = state["default_database"][0]
            properties = {"clientProtocol": database["client_protocol"], "evictionPolicy": database["eviction_policy"]}
            self._cloud.put(behaviour.complete({"id": f"{arm_id}/databases/default", "properties": properties}))
        if kind == "azurerm_virtual_network":
            for subnet in state.get("subnet") or []:
                properties = {"addressPrefixes": subnet.get("address_prefixes")}
                made = {"id": f"{arm_id}/subnets/{subnet['name']}", "properties": properties}
                self._cloud.put(behaviour.complete(made))

    def _allow(self, kind: str, arm_id: str, before: Resource | None, prior: Values | None, attributes: Values) -> None:
        if prior is None and before is not None and not TYPES[kind].adopts:
            raise ProviderError(_exists(kind, self._terraform_id_of(kind, before)))
        if prior is not None and before is None:
            raise rules.ServiceError(
                "404 (404 Not Found)", "ResourceNotFound", f"The Resource '{arm_id}' was not found."
            )
        self._require_parent(arm_id)
        try:
            arm_rules.check_locks(self._cloud, arm_id, deleting=False)
            asked = {name: each for name, each in attributes.items() if name in ("location", "tags")}
            arm_rules.check(self._cloud, arm_id, asked, self._cloud.get(arm_id))
        except Refusal as refusal:
            raise _translated(refusal) from refusal
        rules.refuse(kind, arm_id, attributes, self._cloud)

    def _terraform_id_of(self, kind: str, resource: Resource) -> str:
        kept = get(resource, f"{PRIVATE}.attributes.id")
        return str(kept or resource["id"])

    def _require_parent(self, arm_id: str) -> None:
        for holder in _holders(arm_id):
            if self._cloud.get(holder) is not None:
                continue
            if parse(holder).type.lower() == "microsoft.resources/resourcegroups":
                message = f"Resource group '{parse(holder).group}' could not be found."
                raise rules.not_found("ResourceGroupNotFound", message)
            message = f"Failed to perform 'write' on resource(s) of type '{parse(arm_id).type}', because the parent "
            message += f"resource '{holder}' could not be found."
            raise rules.not_found("ParentResourceNotFound", message)

    def _delete(self, peer: str, kind: str, prior: Values) -> None:
        arm_id = self._arm_id(peer, kind, prior)
        if kind == "azurerm_resource_group" and any(self._cloud.under(arm_id)):
            message = "the Resource Group still contains Resources.\n\nTerraform is configured to check for Resources "
            message += "within the Resource Group when deleting the Resource Group - and raise an error if nested "
            message += "Resources still exist to avoid unintentionally deleting these Resources."
            raise ProviderError(f'deleting Resource Group "{prior["name"]}": {message}')
        try:
            arm_rules.check_locks(self._cloud, arm_id, deleting=True)
            arm_rules.check_unused(self._cloud, arm_id)
        except Refusal as refusal:
            raise _failure("deleting", kind, arm_id, "performing Delete", _translated(refusal)) from refusal
        if kind == "azurerm_key_vault":
            self._delete_vault(peer, arm_id)
        elif kind == "azurerm_key_vault_secret" and not self._feature(peer, "purge_soft_deleted_secrets_on_destroy"):
            self._bin_secret(arm_id)
        self._cloud.delete(arm_id)

    def _open_vault(self, peer: str, attributes: Values) -> None:
        """The plugin writes secrets through the vault itself, which asks for a role of its own."""
        vault_id, name = str(attributes["key_vault_id"]), attributes["name"]
        hindrance = arm_roles.hindrance(
            self._cloud, behaviour.caller(self._here(peer)), self._cloud.get(vault_id) or {"id": vault_id}, "set"
        )
        if hindrance:
            where = f"https://{parse(vault_id).name.lower()}.vault.azure.net/"
            said = f'checking for presence of existing Secret "{name}" (Key Vault "{where}"): unexpected status 403 '
            said += "(403 Forbidden) with error: Forbidden: Caller is not authorized to perform action on resource. "
            raise ProviderError(f"{said}InnerError: {hindrance}")

    def _feature(self, peer: str, name: str) -> bool:
        """A setting of `features.key_vault`; all of them are true unless said otherwise."""
        return self._features.get(peer, {}).get(name) is not False

    def _delete_vault(self, peer: str, arm_id: str) -> None:
        """Into the bin, and out of it where `features` say so and nothing protects it."""
        vault = self._cloud.get(arm_id)
        if vault is None:
            return
        vault_bin.throw_away(self._cloud, vault)
        kept = vault_bin.found(self._cloud, parse(arm_id).name)
        protected = get(vault, "properties.enablePurgeProtection") is True
        if kept and self._feature(peer, "purge_soft_delete_on_destroy") and not protected:
            vault_bin.purge(self._cloud, kept)

    def _bin_secret(self, arm_id: str) -> None:
        secret = self._cloud.get(arm_id)
        if secret is not None:
            where = _BINNED.sub("/deletedsecrets/", arm_id)
            self._cloud.put({**secret, "id": where, "type": "Microsoft.KeyVault/vaults/deletedsecrets"})

    def _recovered(self, peer: str, kind: str, arm_id: str) -> Resource | None:
        """What a deleted vault or secret of the same name becomes: itself again, unless `features` forbid it."""
        if kind == "azurerm_key_vault" and (kept := vault_bin.found(self._cloud, parse(arm_id).name)):
            if not self._feature(peer, "recover_soft_deleted_key_vaults"):
                said = f'An existing soft-deleted Key Vault exists with the Name "{kept["name"]}" in the location '
                said += f'"{kept["properties"]["location"]}", however automatically recovering this KeyVault has been '
                raise ProviderError(f'{said}disabled via the "features" block.')
            return vault_bin.recover(self._cloud, arm_id)
        binned = _BINNED.sub("/deletedsecrets/", arm_id)
        if kind == "azurerm_key_vault_secret" and (found := self._cloud.get(binned)):
            if not self._feature(peer, "recover_soft_deleted_secrets"):
                name = parse(arm_id).name
                said = f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; "
                raise ProviderError(f"{said}in this state, the secret can only be recovered or purged.")
            self._cloud.delete(binned)
            return self._cloud.put({**found, "id": arm_id, "type": "Microsoft.KeyVault/vaults/secrets"})
        return None

    def _complete_state(self, kind: str, arm_id: str, attributes: Values, resource: Resource) -> Values:
        schema = self.schemas.resources[kind]
        state = copy.deepcopy(attributes)
        sources = (
            attributes_in(kind, resource, schema.attributes),
            computed(kind, arm_id, state, resource, self._cloud),
            DEFAULT_VALUES.get(kind, {}),
            {"id": self._terraform_id(kind, arm_id, state) if state.get("id") is UNKNOWN else ""},
        )
        for source in sources:
            for path, value in source.items():
                if value is not None and get(state, path) is UNKNOWN:
                    _open_block(schema, state, path)
                    put(state, path, copy.deepcopy(value))
        _fill_zeros(schema, state)
        return conform(schema, state)

    def _state(self, kind: str, resource: Resource, state: Values | None) -> Values:
        """Terraform's view of an Azure resource: what Terraform wrote, with everything that has changed since."""
        schema = self.schemas.resources[kind]
        private = resource.get(PRIVATE)
        if isinstance(private, dict) and private.get("type") == kind:
            base, seen = conform(schema, private["attributes"]), private.get("seen", {})
            if state is not None and "timeouts" in schema.blocks:
                base["timeouts"] = state.get("timeouts")
        elif state is not None:
            base, seen = conform(schema, state), {}
        else:
            return self._adopted(kind, resource)
        now = attributes_in(kind, resource, schema.attributes)
        for path, value in now.items():
            before = seen[path] if path in seen else get(base, path)
            if not same(value, before) and not (path not in seen and value is None):
                put(base, path, value)
        return conform(schema, base)

    def _adopted(self, kind: str, resource: Resource) -> Values:
        """The state of a resource that Terraform did not make."""
        schema = self.schemas.resources[kind]
        found = re.fullmatch(_pattern(TYPES[kind].id), resource["id"], re.IGNORECASE)
        state = conform(schema, found.groupdict() if found else {})
        for path, value in attributes_in(kind, resource, schema.attributes).items():
            if value is not None and path != "identity":
                put(state, path, value)
        if "identity" in schema.blocks:
            state["identity"] = attributes_in(kind, resource, {"identity": True})["identity"]
        _apply_defaults(kind, state)
        state = _mark_unknown(schema, conform(schema, state), None)
        return self._complete_state(kind, resource["id"], state, resource)

    def _suffer(self, kind: str, words: str, values: Values) -> None:
        subject = _subject(kind, values)
        fault = self._faults.find("terraform", subject)
        if fault is None:
            return
        if fault.how.lower() == "slow":
            time.sleep(float(fault.details.get("seconds", 5)))
        elif fault.how.lower() == "crash":
            raise ProviderCrash(subject)
        else:
            raise ProviderError(f"creating {words} ({subject}): {_named_failure(fault)}")

    def _found_again(self, kind: str, state: Values) -> Values | None:
        """The state, or none where the provider looks for what it has made before Azure knows it everywhere."""
        return None if self._faults.find("terraform", f"after {_subject(kind, state)}") else state

    def _is_linked(self, link: Link, state: Values) -> bool:
        holder = self._cloud.get(state[link.holder])
        value = get(holder, link.path) if holder else None
        ids = [each.get("id") for each in (value if link.many else [value]) or [] if isinstance(each, dict)]
        return state[link.other].lower() in [str(each).lower() for each in ids]

    def _apply_link(self, link: Link, kind: str, prior: Values | None, planned: Values | None) -> Values | None:
        values = planned or prior or {}
        holder, other = self._cloud.get(values[link.holder]), values[link.other]
        if planned is None:
            if holder is not None:
                self._cloud.put(_unlinked(holder, link, other))
            return None
        for each in (values[link.holder], other):
            if self._cloud.get(each) is None:
                message = f"Resource {each} referenced by resource {values[link.holder]} was not found."
                raise ProviderError(
                    f"creating {link.words}: unexpected status 400 (400 Bad Request) with error: "
                    f"InvalidResourceReference: {message}"
                )
        state = {**values, "id": f"{values[link.holder]}|{other}" if link.many else values[link.holder]}
        if prior is None and self._is_linked(link, values):
            raise ProviderError(_exists(kind, state["id"]))
        self._cloud.put(_linked(holder or {}, link, other))
        return state

    def _import_link(self, link: Link, kind: str, resource_id: str) -> Values:
        holder_id, _, other_id = resource_id.partition("|")
        value = get(self._cloud.get(holder_id) or {}, link.path)
        found = other_id if link.many else (value or {}).get("id")
        state = conform(
            self.schemas.resources[kind], {"id": resource_id, link.holder: holder_id, link.other: found or ""}
        )
        if not found or not self._is_linked(link, state):
            raise ProviderError(
                "Cannot import non-existent remote object", f"{link.words} {resource_id} was not found."
            )
        return state


def _subject(kind: str, values: Values) -> str:
    return f"{kind}.{values.get('name') or str(values.get('id', '')).rsplit('/', 1)[-1]}"


def _linked(holder: Resource, link: Link, other: str) -> Resource:
    if link.many:
        value = get(holder, link.path) or []
        put(holder, link.path, [*value, {"id": other}])
    else:
        put(holder, link.path, {"id": other})
    return holder


def _unlinked(holder: Resource, link: Link, other: str) -> Resource:
    if link.many:
        left = [each for each in get(holder, link.path) or [] if each["id"].lower() != other.lower()]
        put(holder, link.path, left)
    else:
        put(holder, link.path, None)
    return holder


# The plugin makes up a new name, which nobody has, so it is Azure that knows the same assignment by another name.
_TWIN = rules.ServiceError("409 (409 Conflict)", "RoleAssignmentExists", "The role assignment already exists.")


def _exists(kind: str, resource_id: str) -> str:
    return (
        f'A resource with the ID "{resource_id}" already exists - to be managed via Terraform this resource needs to '
        f'be imported into the State. Please see the resource documentation for "{kind}" for more information.'
    )


def _failure(verb: str, kind: str, arm_id: str, doing: str, error: Exception) -> ProviderError:
    place, words = parse(arm_id), TYPES[kind].words
    lines = [f'Subscription: "{place.subscription}"']
    if place.group:
        lines.append(f'Resource Group Name: "{place.group}"')
    lines.append(f'{words} Name: "{place.name}"')
    return ProviderError(f"{verb} {words} ({chr(10).join(lines)}): {doing}: {error}")


def _translated(refusal: Refusal) -> rules.ServiceError:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", phrase(refusal.status))
    return rules.ServiceError(f"{refusal.status} ({refusal.status} {words})", refusal.code, refusal.message)


_FAILURES = {
    "conflict": (
        "409 (409 Conflict)",
        "AnotherOperationInProgress",
        "Another operation is in progress.",
    ),
    "forbidden": (
        "403 (403 Forbidden)",
        "AuthorizationFailed",
        "The client does not have authorization.",
    ),
    "quota": ("400 (400 Bad Request)", "QuotaExceeded", "The operation exceeds the approved quota."),
    "throttled": ("429 (429 Too Many Requests)", "TooManyRequests", "The request is being throttled."),
}


def _named_failure(fault: Fault) -> rules.ServiceError:
    unknown = ("500 (500 Internal Server Error)", fault.how or "InternalServerError", "The rehearsal was told to fail.")
    status, code, message = _FAILURES.get(fault.how.lower(), unknown)
    return rules.ServiceError(status, code, str(fault.details.get("message", message)))


def _holders(arm_id: str) -> Iterator[str]:
    """What must exist before a resource with this id can: its group, and the resource it belongs to."""
    scope, _, rest = arm_id.rpartition("/providers/")
    place = parse(arm_id)
    if place.group and scope:
        yield "/".join(arm_id.split("/")[:5])
    parts = rest.split("/")
    if scope and len(parts) > 3:
        yield _DEFAULT_SERVICE.sub("", arm_id.rsplit("/", 2)[0])
    elif scope.count("/") > 4:
        yield _DEFAULT_SERVICE.sub("", scope)


@lru_cache(maxsize=128)
def _pattern(template: str) -> str:
    """The expression that finds the attributes in an Azure id again."""
    whole = re.escape(template.replace("{group}", _GROUP)).replace(r"\{", "{").replace(r"\}", "}")
    whole = re.sub(r"\{(\w+_id|scope)\}", r"(?P<\1>/.+)", whole)
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", whole)


def _id_attributes(kind: str) -> list[str]:
    if kind in LINKS:
        return [LINKS[kind].holder, LINKS[kind].other]
    expanded = TYPES[kind].id.replace("{group}", _GROUP)
    return [name for name in re.findall(r"\{(\w+)\}", expanded) if name != "subscription"]


def _apply_defaults(kind: str, values: Values) -> None:
    if kind not in TYPES:
        return
    for path, value in TYPES[kind].defaults.items():
        for each in _spread(values, path):
            if get(values, each) is None:
                put(values, each, value)


def _spread(values: Values, path: str) -> list[str]:
    """The path for every block a `*` stands for."""
    head, star, tail = path.partition(".*.")
    if not star:
        return [path]
    blocks = get(values, head)
    return [f"{head}.{index}.{tail}" for index in range(len(blocks))] if isinstance(blocks, list) else []


def _mark_unknown(schema: Block, values: Values, prior: Values | None) -> Values:
    """Mark computed attributes that nobody has set: all of a new block, none of one that was there before."""
    if prior is None:
        for name, attribute in schema.attributes.items():
            if attribute.computed and values.get(name) is None:
                values[name] = UNKNOWN
    for name, nested in schema.blocks.items():
        before = elements(nested, (prior or {}).get(name))
        for index, each in enumerate(elements(nested, values.get(name))):
            if nested.nesting == "set":
                known = each if each in before else None
            else:
                known = before[index] if index < len(before) else None
            _mark_unknown(nested.block, each, known)
    return values


def _open_block(schema: Block, state: Values, path: str) -> None:
    """Turn a block that is unknown as a whole into one whose attributes are."""
    name, _, inside = path.partition(".")
    if inside and state.get(name) is UNKNOWN and name in schema.blocks:
        empty = conform(schema.blocks[name].block, {})
        state[name] = [{each: UNKNOWN if each in schema.blocks[name].block.attributes else [] for each in empty}]


def _fill_zeros(schema: Block, values: Values) -> None:
    for name, attribute in schema.attributes.items():
        if values.get(name) is UNKNOWN:
            values[name] = zero(attribute.type)
    for name, nested in schema.blocks.items():
        if values.get(name) is UNKNOWN:
            values[name] = [] if nested.nesting != "single" else None
        for each in elements(nested, values.get(name)):
            _fill_zeros(nested.block, each)


def _keep(kind: str, schema: Block, prior: Values, planned: Values) -> None:
    """Let what only looks like a change stay as it was."""
    for name in TYPES[kind].computed_blocks if kind in TYPES else ():
        if not planned.get(name) and prior.get(name):
            planned[name] = prior[name]
    for name, attribute in schema.attributes.items():
        if isinstance(attribute.type, str) and attribute.type == "string" and same(prior.get(name), planned.get(name)):
            planned[name] = prior.get(name)


def _replacing(kind: str, prior: Values, planned: Values) -> Iterator[list[str | int]]:
    extra = TYPES[kind].replaced_by if kind in TYPES else ()
    for path in dict.fromkeys((*_id_attributes(kind), "location", *extra)):
        before, after = get(prior, path), get(planned, path)
        if after is not UNKNOWN and same(before, after):
            continue
        if after is UNKNOWN and before is None:
            continue
        yield [int(step) if step.isdigit() else step for step in path.split(".")]


def _secret_changes(prior: Values, planned: Values) -> bool:
    return any(prior.get(name) != planned.get(name) for name in ("value", "value_wo_version"))


def _settle_role(subscription: str, attributes: Values) -> None:
    """Name the role both ways and the assignment itself, as the plugin does."""
    role, role_id = attributes.get("role_definition_name"), attributes.get("role_definition_id")
    if isinstance(role, str) and role:
        role_id = attributes["role_definition_id"] = rules.role_id(subscription, role)
    else:
        ends = str(role_id).rsplit("/", 1)[-1]
        known = (name for name, guid in ROLES.items() if guid == ends)
        attributes["role_definition_name"] = next(known, "")
    if attributes.get("name") is UNKNOWN or not attributes.get("name"):
        words = f"{attributes['scope']}#{role_id}#{attributes['principal_id']}"
        attributes["name"] = str(uuid.uuid5(uuid.NAMESPACE_URL, words.lower()))
    if attributes.get("principal_type") in (None, UNKNOWN):
        attributes["principal_type"] = "ServicePrincipal"


def _write_secret(arm_id: str, resource: Resource, attributes: Values, config: Values) -> None:
    value = config.get("value_wo") if config.get("value_wo") is not None else attributes.get("value")
    resource["_value"] = value
    version = behaviour.unique(arm_id, f"{value}").replace("-", "")
    vault, name = parse(arm_id).names[0].lower(), attributes["name"]
    uri = f"https://{vault}.vault.azure.net/secrets/{name}"
    put(resource, "properties.attributes.enabled", True)
    resource["properties"] |= {"secretUri": uri, "secretUriWithVersion": f"{uri}/{version}"}


def _client_config(subscription: str, tenant: str, config: Values) -> Values:
    person = behaviour.unique(f"/subscriptions/{subscription}", "client")
    ids = {"client_id": person, "object_id": behaviour.caller(subscription)}
    return {**ids, "id": "rehearsal", "subscription_id": subscription, "tenant_id": tenant}


def _subscription(subscription: str, tenant: str, config: Values) -> Values:
    chosen = config.get("subscription_id") or subscription
    named = {"id": f"/subscriptions/{chosen}", "subscription_id": chosen, "display_name": "rehearsal"}
    return {**named, "tenant_id": tenant, "state": "Enabled", "spending_limit": "Off", "tags": {}}


def _role_definition(subscription: str, tenant: str, config: Values) -> Values:
    name = config.get("name") or next(
        (role for role, guid in ROLES.items() if guid == config.get("role_definition_id")), ""
    )
    role_id = rules.role_id(subscription, name)
    return {"id": role_id, "name": name, "role_definition_id": role_id.rsplit("/", 1)[-1], "type": "BuiltInRole"}


_ANSWERS: Mapping[str, Callable[[str, str, Values], Values]] = {
    "azurerm_client_config": _client_config,
    "azurerm_role_definition": _role_definition,
    "azurerm_subscription": _subscription,
}


def _data_extras(kind: str, resource: Resource, state: Values, cloud: Cloud) -> Values:
    """What a data source names differently from the resource."""
    if kind == "azurerm_virtual_network":
        below = cloud.under(resource["id"], "Microsoft.Network/virtualNetworks/subnets")
        return {"subnets": [each["name"] for each in below]}
    if kind == "azurerm_subnet":
        return {"address_prefix": (state.get("address_prefixes") or [""])[0]}
    if kind == "azurerm_kubernetes_cluster":
        pools = [
            {**pool, "count": pool.get("node_count"), "os_type": "Linux", "upgrade_settings": []}
            for pool in state.get("default_node_pool") or []
        ]
        return {"agent_pool_profile": pools}
    return {}
