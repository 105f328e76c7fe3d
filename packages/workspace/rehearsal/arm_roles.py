"""The roles that Azure brings along, and what a list of roles or assignments can be asked for."""

import re
from collections.abc import Iterator, Sequence

from workspace.rehearsal.arm_answers import Json
from workspace.rehearsal.azurerm_types import ROLES

DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

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
