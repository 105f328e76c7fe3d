"""What Resource Manager offers here: all that our definitions use, told of as Azure's published list has it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from workspace.rehearsal import arm_types
from workspace.rehearsal.arm_types import TYPES, Style
from workspace.rehearsal.azurerm_types import TYPES as STACKS
from workspace.rehearsal.cloud import parse

ROOT = Path(__file__).parent.parent.parent
BELOW = {
    "key_vault_id": "KeyVault/vaults",
    "storage_account_id": "Storage/storageAccounts",
    "private_dns_zone_id": "Network/privateDnsZones",
    "user_assigned_identity_id": "ManagedIdentity/userAssignedIdentities",
    "namespace_id": "ServiceBus/namespaces",
    "topic_id": "ServiceBus/namespaces/x/topics",
    "server_id": "DBforPostgreSQL/flexibleServers",
    "kubernetes_cluster_id": "ContainerService/managedClusters",
}


def test_every_type_and_version_in_our_bicep_is_offered() -> None:
    text = "".join(each.read_text() for each in (ROOT / "packages/app/infrastructure").rglob("*.bicep"))
    used = set(re.findall(r"'(Microsoft\.[A-Za-z]+(?:/[A-Za-z]+)+)@([0-9a-z-]+)'", text))
    assert len(used) > 25
    assert {each for each in used if each[1] not in _offered(each[0])} == set()


@pytest.mark.parametrize("kind", sorted(STACKS))
def test_every_type_of_our_stacks_is_offered(kind: str) -> None:
    template = STACKS[kind].id.replace("{group}", "/subscriptions/s/resourceGroups/g")
    for name, owner in BELOW.items():
        template = template.replace(f"{{{name}}}", f"/subscriptions/s/resourceGroups/g/providers/Microsoft.{owner}/x")
    plain = re.sub(r"\{\w+\}", "x", template)
    place = parse(plain if plain.startswith("/subscriptions/") else f"/subscriptions/s/{plain}")
    assert _offered(place.type), place.type


def _offered(kind: str) -> tuple[str, ...]:
    known = arm_types.find(kind)
    return known.api_versions if known else ()


def published(samples: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The published operations on whole resources, by type and method."""
    found = {}
    for each in json.loads((samples / "contract/dev/arm-operations.json").read_text())["operations"]:
        rest = re.sub(r"\{\w+\}", "x", each["path"]).rpartition("/providers/")[2].split("/")
        kind = "/".join([rest[0], *rest[1::2]]).lower()
        if "/providers/" in each["path"] and len(rest) % 2 and each["method"] in ("PUT", "DELETE"):
            found[kind, each["method"]] = each
    return found


def test_what_takes_its_time_here_may_take_its_time_in_azure(samples: Path) -> None:
    known = published(samples)
    compared, wrong = 0, []
    for name, each in TYPES.items():
        for method, style in (("PUT", each.writes), ("DELETE", each.deletes)):
            operation = known.get((name.lower(), method))
            if operation is None or style is Style.AT_ONCE:
                continue
            compared += 1
            status = 202 if style in (Style.LOCATION, Style.BOTH) or method == "DELETE" else each.creates
            if not operation["lro"] or status not in operation["status"]:
                wrong.append(f"{method} {name}: {style.name} with {status}, published {operation['status']}")
    assert wrong == []
    assert compared == 33


def test_the_versions_that_are_published_are_offered(samples: Path) -> None:
    known = published(samples)
    told = {(kind, each["api_version"]) for (kind, _), each in known.items() if arm_types.find(kind)}
    assert {each for each in told if each[1] not in _offered(each[0])} == set()
    assert len(told) > 40
