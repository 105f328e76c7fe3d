"""What the fields of an object are: the structure of built-in kinds and of those a CustomResourceDefinition brings.

A shape is one node of a JSON schema as a dictionary; a built-in shape may be shorthand: the name of a scalar type or
`@Name` for another definition. Paths in what this module says look like `.spec.ports[0].port`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

Shape = Any
Resolved = Mapping[str, Any]

ANY: Resolved = {"type": "any"}
KEY_DEFAULTS = {"protocol": "TCP"}

_SCALARS = {"string", "integer", "number", "boolean", "quantity", "int-or-string"}


class Problem(NamedTuple):
    """A place and what is wrong there."""

    path: str
    what: str


@lru_cache(maxsize=1)
def _definitions() -> dict[str, Any]:
    file = Path(__file__).parent / "generated" / "kubernetes.json"
    definitions: dict[str, Any] = json.loads(file.read_text())["definitions"]
    return definitions


@lru_cache(maxsize=4096)
def _named(shape: str) -> Resolved:
    return resolve(_definitions()[shape[1:]]) if shape.startswith("@") else {"type": shape}


def resolve(shape: Shape) -> Resolved:
    """The shape without shorthand."""
    if isinstance(shape, str):
        return _named(shape)
    if "$ref" in shape:
        return {**resolve(shape["$ref"]), **{key: value for key, value in shape.items() if key != "$ref"}}
    found: Resolved = shape
    return found


def is_open(shape: Resolved) -> bool:
    """Whether anything may stand here: no schema, or one that preserves unknown fields."""
    return shape.get("type") == "any" or bool(shape.get("x-kubernetes-preserve-unknown-fields")) or not shape


def child(shape: Resolved, name: str) -> Resolved | None:
    """The shape of one field or map entry; None when the schema has no such field."""
    if name in shape.get("properties", ()):
        return resolve(shape["properties"][name])
    extra = shape.get("additionalProperties")
    if extra is True or is_open(shape):
        return ANY
    if extra:
        return resolve(extra)
    if shape.get("x-kubernetes-embedded-resource") and name in ("apiVersion", "kind", "metadata"):
        return ANY
    return None


def items(shape: Resolved) -> Resolved:
    """The shape of a list's items."""
    return resolve(shape["items"]) if shape.get("items") else ANY


def form(shape: Resolved, value: Any) -> str:
    """How a value here is owned and merged: `fields`, `keyed` or `set` lists, or `whole`."""
    if isinstance(value, dict):
        return "whole" if shape.get("x-kubernetes-map-type") == "atomic" else "fields"
    if isinstance(value, list):
        return {"map": "keyed", "set": "set"}.get(shape.get("x-kubernetes-list-type", "atomic"), "whole")
    return "whole"


def keys_of(shape: Resolved, item: Any) -> dict[str, Any]:
    """The key fields of one item of a keyed list; a key that is left out and has no default is absent."""
    found = {}
    for key in shape.get("x-kubernetes-list-map-keys", ()):
        default = resolve(items(shape).get("properties", {}).get(key, ANY)).get("default", KEY_DEFAULTS.get(key))
        value = item.get(key, default) if isinstance(item, dict) else None
        if value is not None:
            found[key] = value
    return dict(sorted(found.items()))


def unknown(value: Any, shape: Resolved, path: str = "") -> Iterator[str]:
    """The paths of fields the schema does not have, written as the strict decoder writes them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown(item, items(shape), f"{path}[{index}]")
    if not isinstance(value, dict) or is_open(shape):
        return
    for name, item in value.items():
        if name.startswith("_"):
            continue
        inner, here = child(shape, name), f"{path}.{name}" if path else name
        if inner is None:
            yield here
        else:
            yield from unknown(item, inner, here)


def prune(value: Any, shape: Resolved) -> Any:
    """The value without the fields the schema does not have."""
    if isinstance(value, list):
        return [prune(item, items(shape)) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        inner = ANY if name.startswith("_") else child(shape, name)
        if inner is not None:
            kept[name] = prune(item, inner)
    return kept


def mistyped(value: Any, shape: Resolved, path: str = "") -> Iterator[Problem]:
    """Values of another type than the schema's, and keyed lists with missing or doubled keys; None fits anywhere."""
    if value is None or shape.get("type", "any") == "any" or _is_loose(shape):
        return
    wanted = shape["type"]
    if wanted in _SCALARS:
        if not _fits(value, wanted):
            yield Problem(path, _expected(value, wanted))
    elif wanted == "array":
        yield from _mistyped_list(value, shape, path)
    elif not isinstance(value, dict):
        yield Problem(path, f"expected map, got {_go(value)}")
    else:
        for name, item in value.items():
            inner = child(shape, name)
            if inner is not None:
                yield from mistyped(item, inner, f"{path}.{name}")


def _mistyped_list(value: Any, shape: Resolved, path: str) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, f"expected list, got {_go(value)}")
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        here = f"{path}[{index}]"
        if shape.get("x-kubernetes-list-type") == "map" and isinstance(item, dict):
            keys = keys_of(shape, item)
            for missing in [each for each in shape["x-kubernetes-list-map-keys"] if each not in keys]:
                said = f'associative list with keys has an element that omits key field "{missing}"'
                yield Problem(path, f"element {index}: {said}")
            here = path + key_text(keys)
            if here in seen:
                yield Problem(path, f"duplicate entries for key {key_text(keys)}")
            seen.add(here)
        yield from mistyped(item, items(shape), here)


def key_text(keys: Mapping[str, Any]) -> str:
    """`[containerPort=80,protocol="TCP"]`."""
    return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"


def missing(value: Any, shape: Resolved, path: str = "") -> Iterator[str]:
    """The paths of required fields that are absent."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from missing(item, items(shape), f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    for name in shape.get("required", ()):
        if value.get(name) is None:
            yield f"{path}.{name}" if path else name
    for name, item in value.items():
        inner = child(shape, name)
        if inner is not None and not name.startswith("_"):
            yield from missing(item, inner, f"{path}.{name}" if path else name)


def outside_limits(value: Any, shape: Resolved, path: str = "") -> Iterator[Problem]:
    """Where a custom resource breaks its schema's enums, patterns, lengths and bounds."""
    if isinstance(value, list):
        if len(value) > shape.get("maxItems", len(value)):
            yield Problem(path, f"Too many: {len(value)}: must have at most {shape['maxItems']} items")
        if len(value) < shape.get("minItems", 0):
            said = f"Invalid value: {len(value)}: {path} in body should have at least {shape['minItems']} items"
            yield Problem(path, said)
        for index, item in enumerate(value):
            yield from outside_limits(item, items(shape), f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = child(shape, name)
            if inner is not None and item is not None and not name.startswith("_"):
                yield from outside_limits(item, inner, f"{path}.{name}" if path else name)
    else:
        yield from _scalar_limits(value, shape, path)


def _scalar_limits(value: Any, shape: Resolved, path: str) -> Iterator[Problem]:
    shown = json.dumps(value)
    if "enum" in shape and value not in shape["enum"]:
        allowed = ", ".join(json.dumps(each) for each in shape["enum"])
        yield Problem(path, f"Unsupported value: {shown}: supported values: {allowed}")
    if isinstance(value, str):
        if "pattern" in shape and not re.search(shape["pattern"], value):
            yield Problem(path, f"Invalid value: {shown}: {path} in body should match '{shape['pattern']}'")
        if len(value) > shape.get("maxLength", len(value)):
            yield Problem(path, f"Too long: may not be more than {shape['maxLength']} bytes")
        if len(value) < shape.get("minLength", 0):
            said = f"{path} in body should be at least {shape['minLength']} chars long"
            yield Problem(path, f"Invalid value: {shown}: {said}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        for bound, word in (("minimum", "greater"), ("maximum", "less")):
            if bound in shape and (value < shape[bound] if bound == "minimum" else value > shape[bound]):
                said = f"{path} in body should be {word} than or equal to {shape[bound]}"
                yield Problem(path, f"Invalid value: {shown}: {said}")


def filled(value: Any, shape: Resolved) -> Any:
    """The value with the schema's defaults where fields are absent."""
    if isinstance(value, list):
        return [filled(item, items(shape)) for item in value]
    if not isinstance(value, dict):
        return value
    whole = dict(value)
    for name, inner in shape.get("properties", {}).items():
        default = resolve(inner).get("default") if isinstance(inner, dict) else None
        if name not in whole and default is not None:
            whole[name] = json.loads(json.dumps(default))
    return {name: filled(item, child(shape, name) or ANY) for name, item in whole.items()}


def _is_loose(shape: Resolved) -> bool:
    return bool(shape.get("x-kubernetes-int-or-string") or shape.get("x-kubernetes-preserve-unknown-fields"))


def _fits(value: Any, wanted: str) -> bool:
    if wanted == "boolean":
        return isinstance(value, bool)
    if wanted == "string":
        return isinstance(value, str)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted in ("integer", "number"):
        return number
    return number or isinstance(value, str)


def _expected(value: Any, wanted: str) -> str:
    if wanted in ("integer", "number"):
        return f"expected numeric (int or float), got {_go_type(value)}"
    return f"expected {'boolean' if wanted == 'boolean' else 'string'}, got {_go(value)}"


def _go(value: Any) -> str:
    if isinstance(value, dict):
        return "&" + _go_value(value)
    return f"&value.valueUnstructured{{Value:{_go_value(value)}}}"


def _go_value(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_value(each)}" for key, each in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(_go_value(each) for each in value) + "}"
    return json.dumps(value)


def _go_type(value: Any) -> str:
    return {dict: "map[string]interface {}", list: "[]interface {}", bool: "bool"}.get(type(value), "string")
