"""The three plain patches of the cluster API: JSON patch, JSON merge patch, strategic merge patch."""

import copy
from typing import Any

from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal.cluster_status import Rejected, bad_request

Body = dict[str, Any]

_DIRECTIVES = ("$patch", "$retainKeys")


def merge(live: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    whole = dict(live) if isinstance(live, dict) else {}
    for name, item in patch.items():
        if item is None:
            whole.pop(name, None)
        else:
            whole[name] = merge(whole.get(name), item)
    return whole


def strategic(live: Any, patch: Any, shape: schema.Resolved) -> Any:
    """A strategic merge: as a merge patch, but lists with a merge key are merged item by item."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {name: item for name, item in patch.items() if name != "$patch"}
    whole = dict(live) if isinstance(live, dict) else {}
    if "$retainKeys" in patch:
        whole = {name: item for name, item in whole.items() if name in patch["$retainKeys"]}
    for name, item in patch.items():
        if name in _DIRECTIVES or name.startswith("$setElementOrder/"):
            continue
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.split("/", 1)[1]
            whole[field] = [each for each in whole.get(field, []) if each not in item]
        elif item is None or (isinstance(item, dict) and item.get("$patch") == "delete"):
            whole.pop(name, None)
        else:
            inner = schema.child(shape, name) or schema.ANY
            whole[name] = _strategic_item(whole.get(name), item, inner)
    return whole


def _strategic_item(live: Any, item: Any, shape: schema.Resolved) -> Any:
    if isinstance(item, list) and "merge" in shape.get("x-kubernetes-patch-strategy", ""):
        return _strategic_list(live if isinstance(live, list) else [], item, shape)
    return strategic(live, item, shape)


def _strategic_list(live: list[Any], patch: list[Any], shape: schema.Resolved) -> list[Any]:
    key = shape.get("x-kubernetes-patch-merge-key")
    if key is None:
        return [*live, *(item for item in patch if item not in live)]
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    whole = list(live)
    for item in patch:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        place = next((index for index, each in enumerate(whole) if each.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            whole = [each for each in whole if each.get(key) != item[key]]
        elif place is None:
            whole.append(strategic({}, item, schema.items(shape)))
        else:
            whole[place] = strategic(whole[place], item, schema.items(shape))
    return whole


def operations(live: Body, patch: list[Body]) -> Body:
    """RFC 6902: the operations one after the other, all or none."""
    if not isinstance(patch, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    result: Any = copy.deepcopy(live)
    for each in patch:
        try:
            result = _operate(result, each)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            said = (
                f"the server rejected our request due to an error in our request: {each.get('op')} {each.get('path')}"
            )
            raise Rejected(422, "Invalid", said, {}) from error
    whole: Body = result
    return whole


def _operate(document: Any, operation: Body) -> Any:
    op, parts = operation["op"], _pointer(operation["path"])
    if op == "test":
        if _at(document, parts) != operation.get("value"):
            raise ValueError("test failed")
        return document
    if op in ("move", "copy"):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_at(document, source))
        if op == "move":
            _remove(document, source)
        return _add(document, parts, value)
    if op == "remove":
        _remove(document, parts)
        return document
    if op == "replace":
        _at(document, parts)
        if parts and isinstance(_at(document, parts[:-1]), list):
            _remove(document, parts)
    elif op != "add":
        raise ValueError(f"unknown operation {op}")
    return _add(document, parts, copy.deepcopy(operation.get("value")))


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(document: Any, parts: list[str]) -> Any:
    for part in parts:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    parent, last = _at(document, parts[:-1]), parts[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value
    return document


def _remove(document: Any, parts: list[str]) -> None:
    parent, last = _at(document, parts[:-1]), parts[-1]
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
