"""What Azure refuses whichever tool asks: names that are taken or wrong, places, tags, locks, providers not registered.

The front door, the services with routes of their own and the azurerm plugin all ask here, so one cloud says one thing.
Everything raises `Refusal` with Azure's status, code and words, or returns.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from workspace.rehearsal import arm_types, vault_bin
from workspace.rehearsal.arm_answers import Json, Refusal
from workspace.rehearsal.cloud import Cloud, Resource, parse

_GROUPS = "microsoft.resources/resourcegroups"
_LOCKS = "microsoft.authorization/locks"
_PROVIDERS = "providers"
_MOST_TAGS = 50
_LONGEST_TAG, _LONGEST_TAG_VALUE = 512, 256
_TAG_UNFIT = re.compile(r"[<>%&\\?/]")
_NAME_UNFIT = re.compile(r"[<>%&\\?#*:\x00-\x1f]|[. ]$")
_SEVERAL_REGIONS = {"microsoft.insights/actiongroups", "microsoft.insights/metricalerts"}


def check(cloud: Cloud, resource_id: str, body: Mapping[str, Any], before: Resource | None) -> None:
    """Refuse a write that Azure refuses, as far as names, places and tags go."""
    place = parse(resource_id)
    kind = place.type.lower()
    if place.names:
        _check_name(kind, place.name)
    _check_place(place.type, body.get("location"))
    check_tags(body.get("tags"))
    if before is None:
        check_name_is_free(cloud, resource_id, body)


def _check_name(kind: str, name: str) -> None:
    pattern, refuse = _NAMES.get(kind, ("", None))
    if refuse and not re.fullmatch(pattern, name):
        raise refuse(name)
    if _NAME_UNFIT.search(name) and not kind.startswith(_OWN_NAMES):
        text = f"The provided resource name '{name}' has these invalid characters or length."
        raise Refusal(400, "InvalidResourceName", text)


_OWN_NAMES = ("microsoft.network/dnszones/", "microsoft.network/privatednszones/", "microsoft.consumption/")


def _check_place(kind: str, location: object) -> None:
    known = arm_types.find(kind)
    if known is None or not known.place or not isinstance(location, str) or not location:
        return
    allowed = arm_types.regions_of(known)
    wanted = location.lower().replace(" ", "")
    if wanted in allowed or (kind.lower() in _SEVERAL_REGIONS and wanted in arm_types.REGIONS):
        return
    listed = ",".join(allowed)
    if kind.lower() == _GROUPS:
        text = f"The provided location '{location}' is not available for resource group. List of available regions is "
        raise Refusal(400, "LocationNotAvailableForResourceGroup", f"{text}'{listed}'.")
    text = f"The provided location '{location}' is not available for resource type '{arm_types.spelled(kind)}'. List "
    text += f"of available regions for the resource type is '{listed}'."
    raise Refusal(400, "LocationNotAvailableForResourceType", text)


def check_tags(tags: object) -> None:
    """Refuse tags that Azure does not take: more than 50, long names or values, characters that are not allowed."""
    if tags is None:
        return
    if not isinstance(tags, Mapping):
        raise Refusal(400, "InvalidRequestContent", "The request content was invalid: tags must be an object.")
    if len(tags) > _MOST_TAGS:
        text = f"Too many tags on the resource/resource group. Requested tag count - '{len(tags)}'. "
        raise Refusal(400, "TooManyTags", f"{text}Maximum number of tags allowed - '{_MOST_TAGS}'.")
    for name, value in tags.items():
        # the portal's own `hidden-link:/subscriptions/…` are allowed what others are not
        unfit = not name.startswith("hidden-") and _TAG_UNFIT.search(name)
        if not name.strip() or len(name) > _LONGEST_TAG or unfit:
            text = f"The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters, "
            raise Refusal(400, "InvalidTagNameCharacters", f"{text}or are longer than {_LONGEST_TAG} characters.")
        if isinstance(value, str) and len(value) > _LONGEST_TAG_VALUE:
            text = f"Tag value too large. Following tag value '{value}' exceeded the maximum length. "
            raise Refusal(400, "InvalidTag", f"{text}Maximum allowed length for tag value - '256' characters.")


# names that the whole world shares


def check_name_is_free(cloud: Cloud, resource_id: str, body: Mapping[str, Any]) -> None:
    """Refuse a name that somebody else has, where the name becomes part of a host that the whole world shares."""
    place = parse(resource_id)
    kind, name = place.type.lower(), place.name
    if kind not in _TAKEN:
        return
    if any(each["id"].lower() != resource_id.lower() for each in holders(cloud, kind, name)):
        raise _TAKEN[kind](name)
    if kind == "microsoft.keyvault/vaults":
        vault_bin.check(cloud, name, body)


def holders(cloud: Cloud, kind: str, name: str) -> list[Resource]:
    """The resources of a type that hold this name, in whatever group."""
    return [each for each in cloud.all(kind) if parse(each["id"]).name.lower() == name.lower()]


def availability(cloud: Cloud, namespace: str, asked: Mapping[str, Any]) -> Json:
    """What `checkNameAvailability` answers about a name."""
    kind, name = str(asked.get("type", "")).lower(), str(asked.get("name", ""))
    kind = kind if "/" in kind else _ASKED.get(namespace.lower(), kind)
    try:
        _check_name(kind, name)
        if kind in _TAKEN and holders(cloud, kind, name):
            raise _TAKEN[kind](name)
        if kind == "microsoft.keyvault/vaults":
            vault_bin.check(cloud, name, {})
    except Refusal as refusal:
        reason = "AlreadyExists" if refusal.status == 409 else "AccountNameInvalid"
        return {"nameAvailable": False, "reason": reason, "message": refusal.message}
    return {"nameAvailable": True, "reason": None, "message": ""}


_ASKED = {
    "microsoft.containerregistry": "microsoft.containerregistry/registries",
    "microsoft.keyvault": "microsoft.keyvault/vaults",
    "microsoft.storage": "microsoft.storage/storageaccounts",
}


def _refusal(status: int, code: str, text: str) -> Callable[[str], Refusal]:
    return lambda name: Refusal(status, code, text.format(name=name))


_TAKEN: Mapping[str, Callable[[str], Refusal]] = {
    "microsoft.cache/redis": _refusal(
        409, "NameNotAvailable", "An error occurred when trying to reserve the DNS name for the cache '{name}'."
    ),
    "microsoft.communication/communicationservices": _refusal(
        409, "NameReservationTaken", "The name '{name}' for the service is not available."
    ),
    "microsoft.containerregistry/registries": _refusal(
        409, "AlreadyInUse", "The registry DNS name {name}.azurecr.io is already in use."
    ),
    "microsoft.dbforpostgresql/flexibleservers": _refusal(
        409, "ServerNameAlreadyExists", "Specified server name '{name}' is already used."
    ),
    "microsoft.documentdb/databaseaccounts": _refusal(
        409, "Conflict", "DNS record for database account '{name}' under zone documents.azure.com is already taken."
    ),
    "microsoft.keyvault/vaults": _refusal(
        409,
        "VaultAlreadyExists",
        "The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that the name is "
        "already taken. If you are sure that the vault name was not taken then it is possible that a vault with the "
        "same name was recently deleted but not purged after being placed in a recoverable state.",
    ),
    "microsoft.servicebus/namespaces": _refusal(
        409, "NamespaceUnavailable", "The specified service namespace '{name}' is invalid: it is already taken."
    ),
    "microsoft.storage/storageaccounts": _refusal(
        409, "StorageAccountAlreadyTaken", "The storage account named {name} is already taken."
    ),
    "microsoft.web/sites": _refusal(409, "Conflict", "Website with given name {name} already exists."),
}

_NETWORK = (r"\w|\w[\w.-]{0,78}\w", _refusal(400, "InvalidResourceName", "Resource name {name} is invalid."))
_NAMES: Mapping[str, tuple[str, Callable[[str], Refusal]]] = {
    "microsoft.containerregistry/registries": (
        r"[A-Za-z0-9]{5,50}",
        _refusal(
            400,
            "InvalidResourceName",
            "The registry name '{name}' is invalid: it may contain alpha numeric characters only and must be between "
            "5 and 50 characters.",
        ),
    ),
    "microsoft.keyvault/vaults": (
        r"[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]",
        _refusal(
            400,
            "VaultNameNotValid",
            "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name "
            "must begin with a letter, end with a letter or digit, and not contain consecutive hyphens.",
        ),
    ),
    "microsoft.network/natgateways": _NETWORK,
    "microsoft.network/networksecuritygroups": _NETWORK,
    "microsoft.network/publicipaddresses": _NETWORK,
    "microsoft.network/virtualnetworks": _NETWORK,
    "microsoft.network/virtualnetworks/subnets": _NETWORK,
    "microsoft.storage/storageaccounts": (
        r"[a-z0-9]{3,24}",
        _refusal(
            400,
            "AccountNameInvalid",
            "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only.",
        ),
    ),
}


# locks


def check_locks(cloud: Cloud, resource_id: str, *, deleting: bool) -> None:
    """Refuse what a lock on the resource, its group or its subscription forbids; a group's deletion is its content's.

    `CanNotDelete` forbids deleting, `ReadOnly` writing too. Locks themselves are never locked.
    """
    if parse(resource_id).type.lower() == _LOCKS:
        return
    here, locked = resource_id.lower() + "/", []
    for lock in cloud.all(_LOCKS):
        scope = lock["id"].rsplit("/providers/", 1)[0]
        level = str((lock.get("properties") or {}).get("level", "")).lower()
        above = here.startswith(scope.lower() + "/")
        below = deleting and scope.lower().startswith(here)
        if (above or below) and (level == "readonly" or (deleting and level == "cannotdelete")):
            locked.append(scope)
    if locked:
        verb = "delete" if deleting else "write"
        text = f"The scope '{resource_id}' cannot perform {verb} operation because following scope(s) are locked: "
        raise Refusal(409, "ScopeLocked", f"{text}'{','.join(locked)}'. Please remove the lock and try again.")


# what others still use


def check_unused(cloud: Cloud, resource_id: str) -> None:
    """Refuse to delete what something else still names, as far as Azure minds."""
    place = parse(resource_id)
    kind = place.type.lower()
    if kind in _HOLDS and (inside := [each["id"] for each in cloud.under(resource_id, _HOLDS[kind])]):
        text = "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
        text += f"'{','.join(inside)}'. Please delete all nested resources before deleting this resource."
        raise Refusal(409, "CannotDeleteResource", text)
    if kind not in _NEEDED:
        return
    own = resource_id.lower()
    users = [
        each
        for each in cloud.under(f"/subscriptions/{place.subscription}")
        if not each["id"].lower().startswith(own)
        and _names(each.get("properties"), own)
        and not parse(each["id"]).type.lower().startswith(_MERELY_WATCHING)
    ]
    if users:
        status, code, text = _NEEDED[kind]
        named = ", ".join(parse(each["id"]).name if kind == _PLANS else each["id"] for each in users)
        raise Refusal(status, code, text.format(name=place.name, users=named))


def _names(value: Any, wanted: str) -> bool:
    """True when an id stands anywhere in a value."""
    if isinstance(value, Mapping):
        return any(_names(each, wanted) for each in value.values())
    if isinstance(value, list):
        return any(_names(each, wanted) for each in value)
    return isinstance(value, str) and value.lower() == wanted


_PLANS = "microsoft.web/serverfarms"
_MERELY_WATCHING = ("microsoft.insights/", "microsoft.resources/", "microsoft.portal/", "microsoft.authorization/")
_HOLDS = {"microsoft.network/privatednszones": "Microsoft.Network/privateDnsZones/virtualNetworkLinks"}
_NEEDED: Mapping[str, tuple[int, str, str]] = {
    "microsoft.network/networksecuritygroups": (
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        "Network security group {name} cannot be deleted because it is in use by the following resources: {users}.",
    ),
    "microsoft.network/publicipaddresses": (
        400,
        "PublicIPAddressCannotBeDeleted",
        "Public IP address {name} can not be deleted since it is still allocated to resource {users}.",
    ),
    "microsoft.network/virtualnetworks/subnets": (
        400,
        "InUseSubnetCannotBeDeleted",
        "Subnet {name} is in use by {users} and cannot be deleted. In order to delete the subnet, delete all the "
        "resources within the subnet.",
    ),
    _PLANS: (
        409,
        "Conflict",
        "Server farm '{name}' cannot be deleted because it has web app(s) {users} assigned to it.",
    ),
}


# providers and versions


def check_offer(cloud: Cloud, subscription: str, kind: str, version: str, where: str, *, writing: bool) -> None:
    """Refuse a type or a version that nobody offers, and a write to a provider that is not registered.

    `where` is the region that the request is about, empty where there is none.
    """
    known = arm_types.find(kind)
    namespace, _, rest = kind.partition("/")
    if known is None:
        if namespace.lower() not in (each.lower() for each in arm_types.NAMESPACES):
            raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        text = f"The resource type '{rest}' could not be found in the namespace '{namespace}' for api version "
        raise Refusal(404, "InvalidResourceType", f"{text}'{version}'.")
    if version.lower() not in known.api_versions:
        listed = ", ".join(reversed(known.api_versions))
        text = f"No registered resource provider found for location '{where}' and API version '{version}' for type "
        text += f"'{rest}'. The supported api-versions are '{listed}'. The supported locations are "
        raise Refusal(400, "NoRegisteredProviderFound", f"{text}'{', '.join(arm_types.regions_of(known))}'.")
    if writing and not is_registered(cloud, subscription, namespace):
        text = f"The subscription is not registered to use namespace '{namespace}'. See "
        text += "https://aka.ms/rps-not-found for how to register subscriptions."
        raise Refusal(409, "MissingSubscriptionRegistration", text)


def is_registered(cloud: Cloud, subscription: str, namespace: str) -> bool:
    """Every provider is registered until somebody unregisters it."""
    kept = cloud.get(_registration(subscription, namespace)) or {}
    return str(kept.get("registrationState", "Registered")) == "Registered"


def register(cloud: Cloud, subscription: str, namespace: str, *, registered: bool) -> None:
    """Register a provider, or unregister it."""
    state = "Registered" if registered else "Unregistered"
    cloud.put({"id": _registration(subscription, namespace), "name": namespace, "registrationState": state})


def _registration(subscription: str, namespace: str) -> str:
    return f"/subscriptions/{subscription}/{_PROVIDERS}/{namespace}"
