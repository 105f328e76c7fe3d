"""Where deleted vaults are kept until they are purged: they hold their name, with everything in them.

A deleted vault is a resource of its own, `…/providers/Microsoft.KeyVault/locations/{region}/deletedVaults/{name}`, with
the vault and its secrets inside it, so whichever tool deletes a vault, or its group, finds the same here.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from workspace.rehearsal.arm_answers import Json, Refusal
from workspace.rehearsal.cloud import Cloud, Resource, parse

VAULTS = "Microsoft.KeyVault/vaults"
DELETED = "Microsoft.KeyVault/locations/deletedVaults"
_DAYS = 90
_TAKEN = (
    "A vault with the same name already exists in deleted state. You need to either recover or purge existing key "
    "vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete."
)


def throw_away(cloud: Cloud, vault: Resource) -> None:
    """Delete a vault: it goes into the bin with all it holds."""
    properties = vault.get("properties") or {}
    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=int(properties.get("softDeleteRetentionInDays") or _DAYS))
    place, region = parse(vault["id"]), str(vault.get("location") or "").lower().replace(" ", "")
    told = {
        "vaultId": vault["id"],
        "location": region,
        "tags": vault.get("tags") or {},
        "deletionDate": _moment(now),
        "scheduledPurgeDate": _moment(ends),
    }
    if properties.get("enablePurgeProtection"):
        told["purgeProtectionEnabled"] = True
    inside = list(cloud.under(vault["id"]))
    cloud.put(
        {
            "id": f"/subscriptions/{place.subscription}/providers/Microsoft.KeyVault/locations/{region}/deletedVaults/"
            + place.name,
            "name": place.name,
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": told,
            "_vault": vault,
            "_inside": inside,
        }
    )
    cloud.delete(vault["id"])


def throw_away_all(cloud: Cloud, group_id: str) -> None:
    """What happens to the vaults of a group that is deleted."""
    for vault in cloud.under(group_id, VAULTS):
        throw_away(cloud, vault)


def found(cloud: Cloud, name: str, region: str = "") -> Resource | None:
    """The deleted vault called so, in this region when one is given."""
    return next(
        (
            each
            for each in cloud.all(DELETED)
            if parse(each["id"]).name.lower() == name.lower()
            and (not region or each["properties"]["location"] == region.lower())
        ),
        None,
    )


def listed(cloud: Cloud) -> Iterator[Resource]:
    """Every deleted vault."""
    return cloud.all(DELETED)


def check(cloud: Cloud, name: str, body: Mapping[str, Any]) -> None:
    """Refuse to make a vault whose name a deleted one holds, unless the request is to recover it."""
    mode = str((body.get("properties") or {}).get("createMode") or "").lower()
    kept = found(cloud, name)
    if kept is not None and mode != "recover":
        raise Refusal(409, "ConflictError", _TAKEN)
    if kept is None and mode == "recover":
        text = f"A soft deleted vault with the given name '{name}' does not exist. Ensure that the name for the vault "
        text += "that is being attempted to recover is in a recoverable state."
        raise Refusal(404, "SoftDeletedVaultDoesNotExist", text)


def recover(cloud: Cloud, vault_id: str) -> Resource | None:
    """Put a deleted vault back with all it held; None when there is none of that name."""
    kept = found(cloud, parse(vault_id).name)
    if kept is None:
        return None
    cloud.delete(kept["id"])
    for each in (kept["_vault"], *kept["_inside"]):
        rest = each["id"][len(kept["_vault"]["id"]) :]
        cloud.put({**each, "id": vault_id + rest})
    return cloud.get(vault_id)


def check_purge(kept: Resource) -> None:
    """Refuse to purge what purge protection keeps."""
    if kept["properties"].get("purgeProtectionEnabled"):
        text = "Operation 'DeletedVaultPurge' is not allowed because purge protection is enabled for this vault. Key "
        text += "Vault service will automatically purge it after the retention period has passed."
        raise Refusal(405, "MethodNotAllowed", text)


def purge(cloud: Cloud, kept: Resource) -> None:
    """Let go of a deleted vault for good; its name is free again."""
    cloud.delete(kept["id"])


def missing() -> Refusal:
    """No vault of that name is deleted."""
    return Refusal(404, "ResourceNotFound", "The specified resource does not exist.")


def _moment(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(kept: Resource) -> Json:
    """A deleted vault as clients see it."""
    return {name: value for name, value in kept.items() if not name.startswith("_")}
