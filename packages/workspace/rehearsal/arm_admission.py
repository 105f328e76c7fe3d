"""What Resource Manager refuses at its door, whoever serves what is behind it: foreign subscriptions, types, locks."""

import re

from workspace.rehearsal import arm_rules
from workspace.rehearsal.arm_answers import Refusal
from workspace.rehearsal.arm_resources import address
from workspace.rehearsal.cloud import Cloud

_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_WRITES = ("PUT", "PATCH", "DELETE")
_POLLS = ("operationresults", "operationstatuses", "operations")
_OF_THE_PROVIDER = ("locations", "deletedvaults", "operations")


def check_subscription(mine: str, asked: str) -> None:
    """Refuse every subscription but the rehearsal's own."""
    if asked.lower() == mine.lower():
        return
    if not _GUID.match(asked):
        text = f"The provided subscription identifier '{asked}' is malformed or invalid."
        raise Refusal(400, "InvalidSubscriptionId", text)
    raise Refusal(404, "SubscriptionNotFound", f"The subscription '{asked}' could not be found.")


def canonical(cloud: Cloud, subscription: str, parts: list[str]) -> str:
    """The id below a subscription, with the subscription and the group spelled as they were made."""
    base = f"/subscriptions/{subscription}"
    if len(parts) < 2 or parts[0].lower() != "resourcegroups":
        return "/".join([base, *parts])
    group = f"{base}/resourceGroups/{parts[1]}"
    found = cloud.get(group)
    return "/".join([base, "resourceGroups", str(found["name"]) if found else parts[1], *parts[2:]])


def admit(cloud: Cloud, subscription: str, method: str, path: str, version: str) -> None:
    """Refuse a request about another subscription, a type or version nobody offers, or something that is locked."""
    parts = [part for part in path.split("/") if part]
    if len(parts) < 2 or parts[0].lower() != "subscriptions":
        return
    check_subscription(subscription, parts[1])
    below = parts[2:]
    resource_id = canonical(cloud, subscription, below)
    if "providers" in (part.lower() for part in below):
        if _is_about_the_provider(below):
            return
        place = address(resource_id)
        kind = _without_polls(place.type if place.names else f"{place.type}/{place.rest}")
        creating = method in ("PUT", "PATCH")
        where = _region_of(cloud, resource_id)
        arm_rules.check_offer(cloud, subscription, kind, version, where, writing=creating)
        if place.rest:
            return
    elif len(below) != 2:
        return
    if method in _WRITES:
        arm_rules.check_locks(cloud, resource_id, deleting=method == "DELETE")


def _without_polls(kind: str) -> str:
    """The type whose operations an address asks about, or the type itself."""
    owner, _, last = kind.rpartition("/")
    return owner if last.lower() in _POLLS else kind


def _is_about_the_provider(below: list[str]) -> bool:
    """True for what belongs to a provider as a whole: registering it, its operations, regions and deleted things."""
    lowered = [part.lower() for part in below]
    rest = lowered[lowered.index("providers") + 1 :]
    return len(rest) < 2 or rest[1] in (*_OF_THE_PROVIDER, "register", "unregister", "checknameavailability")


def _region_of(cloud: Cloud, resource_id: str) -> str:
    """The region a request is about: the resource's, else its group's."""
    found = cloud.get(resource_id) or cloud.get("/".join(resource_id.split("/")[:5])) or {}
    return str(found.get("location") or "").lower().replace(" ", "")
