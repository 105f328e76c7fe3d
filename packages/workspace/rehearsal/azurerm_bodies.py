"""Between a Terraform resource and the Azure resource it stands for: write the one into the other and read it back.

The attributes that both sides know are listed in `azurerm_types`. What is written here is what the SDK clients read,
and what they or a person change is what a refresh reads back.
"""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from workspace.rehearsal.azurerm_types import TYPES
from workspace.rehearsal.azurerm_wire import UNKNOWN, Values
from workspace.rehearsal.cloud import Resource, parse

PRIVATE = "_terraform"
"""Where an Azure resource keeps what only Terraform knows about it."""

_TIERS = {"B_": "Burstable", "GP_": "GeneralPurpose", "MO_": "MemoryOptimized"}
_ACCESS = {"private": "None", "blob": "Blob", "container": "Container"}
_ABSENT = object()


def get(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where the path leads nowhere."""
    for step in path.split("."):
        value = _step(value, step)
        if value is None or value is UNKNOWN:
            return value
    return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return None


def put(value: Any, path: str, new: Any) -> None:
    """Set what stands at a dotted path, making the mappings and lists on the way."""
    first, _, rest = path.partition(".")
    key: Any = int(first) if first.isdigit() and isinstance(value, list) else first
    if isinstance(value, list):
        while len(value) <= key:
            value.append({})
    if not rest:
        value[key] = new
        return
    inner = value[key] if isinstance(value, list) else value.get(key)
    if not isinstance(inner, dict | list):
        inner = value[key] = [] if rest.split(".")[0].isdigit() else {}
    put(inner, rest, new)


def drop(value: Any, path: str) -> None:
    """Remove what stands at a dotted path, if anything does."""
    *way, last = path.split(".")
    holder = get(value, ".".join(way)) if way else value
    if isinstance(holder, dict):
        holder.pop(last, None)


def location(text: str) -> str:
    """A region as Azure writes it: `East US` is `eastus`."""
    return text.lower().replace(" ", "")


def _fields(kind: str, attributes: Mapping[str, Any]) -> dict[str, str]:
    common = {"location": "location", "tags": "tags"}
    declared = dict(TYPES[kind].fields)
    known = {name: path for name, path in common.items() if name in attributes and name not in declared}
    return {**known, **declared}


def body(kind: str, arm_id: str, attributes: Values, before: Resource | None) -> Resource:
    """The Azure resource these attributes ask for, on top of what is there."""
    made: Resource = copy.deepcopy(before) if before else {"id": arm_id, "properties": {}}
    made["name"], made["type"] = parse(arm_id).name, parse(arm_id).type
    if TYPES[kind].location and "location" not in attributes:
        made.setdefault("location", TYPES[kind].location)
    for name, target in _fields(kind, attributes).items():
        path, _, conversion = target.partition(":")
        value = get(attributes, name)
        if value is UNKNOWN or (value is None and before is None):
            continue
        if value is None:
            drop(made, path)
            continue
        put(made, path, _to_azure(conversion, value, made))
    _write_identity(made, attributes)
    return made


# Words that are no rule but a shape: `access` names who may read a container; `caa`, `category`, `rules` and `txt` are
# lists of blocks; `replication` follows the tier in the name of a storage SKU; `json` is a text that holds all of it.
# Any other word is the one key of the objects Azure makes out of a list of texts.


def _to_azure(conversion: str, value: Any, resource: Resource) -> Any:
    if not conversion:
        return copy.deepcopy(value)
    if "/" in conversion:
        return conversion.split("/")[0 if value else 1]
    match conversion:
        case "!":
            return not value
        case "gb":
            return int(value) // 1024
        case "-name":
            tier = next((each for each in _TIERS if value.startswith(each)), "")
            put(resource, "sku.tier", _TIERS.get(tier, ""))
            return value.removeprefix(tier)
        case "replication":
            return f"{get(resource, 'sku.tier')}_{value}"
        case "json":
            return json.loads(value)
        case "access":
            return _ACCESS.get(value, value)
        case "txt":
            return [{"value": [each["value"]]} for each in value]
        case "caa":
            return copy.deepcopy(value)
        case "category":
            return [_log(each) for each in value]
        case "rules":
            return [_rule(each) for each in value]
    return [{conversion: each} for each in value]


def _from_azure(conversion: str, value: Any, resource: Resource) -> Any:
    if value is None or not conversion:
        return copy.deepcopy(value)
    if "/" in conversion:
        return value == conversion.split("/")[0]
    match conversion:
        case "!":
            return not value
        case "gb":
            return int(value) * 1024
        case "-name":
            tier = get(resource, "sku.tier")
            return next((short for short, long in _TIERS.items() if long == tier), "") + value
        case "replication":
            return value.partition("_")[2]
        case "json":
            return _encoded(value)
        case "access":
            return next((ours for ours, theirs in _ACCESS.items() if theirs == value), value)
        case "txt":
            return [{"value": "".join(each.get("value", []))} for each in value]
        case "caa":
            return [{name: each.get(name) for name in ("flags", "tag", "value")} for each in value]
        case "category":
            return [_log_block(each) for each in value if each.get("enabled", True)]
        case "rules":
            return [_rule_block(each) for each in value]
    return [each.get(conversion) for each in value]


def _encoded(value: Any) -> str:
    """JSON as Terraform's own `jsonencode` writes it: sorted, without blanks, signs of HTML escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _log(block: Mapping[str, Any]) -> Values:
    named = {"category": block.get("category"), "categoryGroup": block.get("category_group")}
    return {name: value for name, value in named.items() if value} | {"enabled": True}


def _log_block(log: Mapping[str, Any]) -> Values:
    block = {"category": log.get("category")}
    return block | ({"category_group": log["categoryGroup"]} if "categoryGroup" in log else {})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.title() for each in rest)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def _rule(rule: Mapping[str, Any]) -> Values:
    properties = {_camel(name): value for name, value in rule.items() if name != "name" and value not in (None, "", [])}
    return {"name": rule["name"], "properties": properties}


def _rule_block(rule: Mapping[str, Any]) -> Values:
    return {"name": rule.get("name"), **{_snake(name): each for name, each in rule.get("properties", {}).items()}}


def _write_identity(resource: Resource, attributes: Values) -> None:
    blocks = attributes.get("identity")
    if not blocks or blocks is UNKNOWN:
        if blocks == []:
            resource.pop("identity", None)
        return
    wanted = blocks[0]
    kept = resource.get("identity") or {}
    made = {"type": wanted["type"]}
    if "SystemAssigned" in wanted["type"]:
        made |= {name: kept[name] for name in ("principalId", "tenantId") if name in kept}
    ids = [each for each in wanted.get("identity_ids") or [] if each is not UNKNOWN]
    if ids:
        made["userAssignedIdentities"] = {each: {} for each in ids}
    resource["identity"] = made


def attributes_in(kind: str, resource: Resource, names: Mapping[str, Any]) -> Values:
    """What the Azure resource says about the attributes both sides know, by attribute path."""
    read: Values = {}
    for name, target in _fields(kind, names).items():
        path, _, conversion = target.partition(":")
        value = get(resource, path)
        read[name] = _from_azure(conversion, value, resource)
    if "identity" in names:
        read["identity"] = _read_identity(resource)
    if isinstance(read.get("location"), str):
        read["location"] = location(read["location"])
    return read


def _read_identity(resource: Resource) -> list[Values]:
    identity = resource.get("identity")
    if not isinstance(identity, dict) or identity.get("type") in (None, "None"):
        return []
    ids = sorted(identity.get("userAssignedIdentities") or {}) or None
    block = {"type": identity["type"], "identity_ids": ids}
    return [{**block, "principal_id": identity.get("principalId", ""), "tenant_id": identity.get("tenantId", "")}]


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: order of plain lists, empty against absent and case of ids do not count."""
    if one in (None, [], {}, "") and other in (None, [], {}, ""):
        return True
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and _sorted(one) == _sorted(other)
    if isinstance(one, str) and isinstance(other, str) and one.startswith("/subscriptions/"):
        return one.lower() == other.lower()
    return bool(one == other)


def _sorted(values: list[Any]) -> list[str]:
    return sorted(repr(sorted(each.items())) if isinstance(each, dict) else repr(each) for each in values)
