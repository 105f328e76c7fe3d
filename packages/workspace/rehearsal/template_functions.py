"""The functions of ARM templates that need nothing but their arguments, by lower-case name.

Two differ from Azure on purpose: `uniqueString` is stable and has Azure's form (13 characters of base 32), but not
Azure's hash; `utcNow` and `newGuid` belong to the evaluator.
"""

import base64
import hashlib
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urljoin

from workspace.rehearsal import template_dates
from workspace.rehearsal.template_expressions import ExpressionError

Function = Callable[..., Any]

_GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)(?::([^{}]*))?\}")


def text_of(value: Any) -> str:
    """A value as .NET writes it into a text: `True`, nothing for null, JSON for objects and arrays."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return compact(value)


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def find(value: Any, key: Any) -> Any:
    """The property or item; a property in another case is found too. Raises KeyError when there is none."""
    if isinstance(value, Mapping) and isinstance(key, str):
        return value[key] if key in value else _in_another_case(value, key)
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(value):
        return value[key]
    raise KeyError(key)


def _in_another_case(value: Mapping[str, Any], key: str) -> Any:
    for name, item in value.items():
        if name.lower() == key.lower():
            return item
    raise KeyError(key)


def try_get(value: Any, *keys: Any) -> Any:
    """What the path leads to, or null where it ends early."""
    for key in keys:
        try:
            value = _from_end(value, key) if isinstance(key, Mapping) else find(value, key)
        except KeyError:
            return None
    return value


def _from_end(value: Any, key: Mapping[str, Any]) -> Any:
    return find(value, len(value) - key["value"] if key.get("fromEnd") else key["value"])


def shorten(template: str, *values: Any) -> str:
    """The function `format`: holes such as `{0}`, `{0:D3}` and `{0:N2}` filled, doubled braces halved."""

    def fill(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        place = int(match[1])
        if place >= len(values):
            raise ExpressionError(f"format has no value for {match[0]}")
        return _formatted(values[place], match[2])

    return _HOLE.sub(fill, template)


def _formatted(value: Any, how: str | None) -> str:
    if not how:
        return text_of(value)
    if isinstance(value, int) and (match := re.fullmatch(r"([DdXxN])(\d*)", how)):
        digits = int(match[2] or 0)
        if match[1] in "Dd":
            return f"{value:0{digits}d}"
        return f"{value:,.{digits if match[2] else 2}f}" if match[1] == "N" else f"{value:0{digits}{match[1]}}"
    if isinstance(value, int) and re.fullmatch(r"0+", how):
        return f"{value:0{len(how)}d}"
    raise ExpressionError(f"the format '{how}' is not known to the rehearsal")


def unique_string(*values: Any) -> str:
    """Thirteen characters that are the same for the same values; not the ones Azure would make."""
    number = int.from_bytes(hashlib.sha256("-".join(map(text_of, values)).encode()).digest()[:8], "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(0, 65, 5))


def guid(*values: Any) -> str:
    """A name-based UUID of the values joined by hyphens."""
    return str(uuid.uuid5(_GUIDS, "-".join(map(text_of, values))))


def union(*values: Any) -> Any:
    """Objects merged deeply, the later wins; arrays joined without repeats."""
    if all(isinstance(value, list) for value in values):
        return [item for number, item in enumerate(_flat(values)) if item not in _flat(values)[:number]]
    if not all(isinstance(value, dict) for value in values):
        raise ExpressionError("union wants objects or arrays, not both")
    merged: dict[str, Any] = {}
    for value in values:
        merged = _merged(merged, value)
    return merged


def _flat(values: Any) -> list[Any]:
    return [item for value in values for item in value]


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    result = dict(left)
    for key, value in right.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


def intersection(first: Any, *others: Any) -> Any:
    """What all arrays, or all objects, have in common."""
    if isinstance(first, list):
        return [item for item in first if all(item in other for other in others)]
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def create_object(*values: Any) -> dict[str, Any]:
    """Keys and values in turn."""
    if len(values) % 2:
        raise ExpressionError("createObject wants a value for every key")
    return dict(zip(values[::2], values[1::2], strict=True))


def contains(holder: Any, wanted: Any) -> bool:
    """True when the array has the item, the object the key (in any case), the text the part."""
    if isinstance(holder, str):
        return text_of(wanted) in holder
    if isinstance(holder, Mapping):
        return text_of(wanted).lower() in (key.lower() for key in holder)
    return _one_of(wanted, holder)


def _one_of(wanted: Any, items: list[Any]) -> bool:
    return any(equals(item, wanted) for item in items)


def equals(left: Any, right: Any) -> bool:
    """Equal in value and in sort: `1` is not `true`."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def is_empty(value: Any) -> bool:
    """True for null and for what has no character, item or property."""
    return value is None or len(value) == 0


def to_int(value: Any) -> int:
    """A whole number from a number or a text."""
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"int cannot read '{text_of(value)}'") from error


def to_bool(value: Any) -> bool:
    """A truth value from a text or a number."""
    if isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise ExpressionError(f"bool cannot read '{value}'")
        return value.lower() == "true"
    return bool(value)


def read_json(text: str) -> Any:
    """The value that a JSON text holds."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise ExpressionError(f"json cannot read the text: {error}") from error


def as_array(value: Any) -> list[Any]:
    """The array itself, or the value in an array."""
    return value if isinstance(value, list) else [value]


def concat(*values: Any) -> Any:
    """Texts or arrays, one after the other."""
    if values and all(isinstance(value, list) for value in values):
        return _flat(values)
    if any(isinstance(value, list | dict) for value in values):
        raise ExpressionError("concat wants texts or arrays, not both")
    return "".join(map(text_of, values))


def split(text: str, by: Any) -> list[str]:
    """The parts between any of the delimiters."""
    return re.split("|".join(re.escape(each) for each in as_array(by)), text)


def substring(text: str, start: int, length: int | None = None) -> str:
    """A part of the text; refuses what lies outside."""
    stop = len(text) if length is None else start + length
    if start < 0 or stop > len(text) or stop < start:
        raise ExpressionError(f"substring({start}, {length}) lies outside the text of length {len(text)}")
    return text[start:stop]


def index_of(holder: Any, wanted: Any) -> int:
    """The first place, or -1."""
    if isinstance(holder, str):
        return holder.lower().find(str(wanted).lower())
    return next((place for place, item in enumerate(holder) if equals(item, wanted)), -1)


def last_index_of(holder: Any, wanted: Any) -> int:
    """The last place, or -1."""
    if isinstance(holder, str):
        return holder.lower().rfind(str(wanted).lower())
    return next((place for place in range(len(holder) - 1, -1, -1) if equals(holder[place], wanted)), -1)


def first(value: Any) -> Any:
    """The first item or character; null or nothing when there is none."""
    return value[0] if value else ("" if isinstance(value, str) else None)


def last(value: Any) -> Any:
    """The last item or character; null or nothing when there is none."""
    return value[-1] if value else ("" if isinstance(value, str) else None)


def pad_left(value: Any, width: int, character: str = " ") -> str:
    """The text, filled from the left."""
    return text_of(value).rjust(width, character)


def whole(value: Any) -> int:
    """A number for arithmetic; refuses anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"expected a whole number, found '{text_of(value)}'")
    return value


def divide(left: Any, right: Any) -> int:
    """The whole quotient, cut towards zero."""
    if whole(right) == 0:
        raise ExpressionError("div by zero")
    return math.trunc(whole(left) / whole(right))


def _compare(left: Any, right: Any) -> int:
    if isinstance(left, bool) or isinstance(right, bool) or isinstance(left, str) != isinstance(right, str):
        raise ExpressionError(f"'{text_of(left)}' and '{text_of(right)}' cannot be compared")
    return int(left > right) - int(left < right)


def items(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Key and value of every property, in the order of the keys."""
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def flatten(values: list[list[Any]]) -> list[Any]:
    """The items of the arrays in one array."""
    return _flat(values)


def shallow_merge(values: list[dict[str, Any]]) -> dict[str, Any]:
    """The objects merged, the later wins, nothing merged inside."""
    return {key: item for value in values for key, item in value.items()}


def _extreme(choose: Callable[[Any], Any]) -> Function:
    def pick(*values: Any) -> Any:
        numbers = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        return choose(map(whole, numbers))

    return pick


def _data_uri(value: str) -> str:
    return "data:text/plain;charset=utf8;base64," + base64.b64encode(value.encode()).decode()


PURE: dict[str, Function] = {
    "add": lambda a, b: whole(a) + whole(b),
    "array": as_array,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64tostring": lambda text: base64.b64decode(text).decode(),
    "base64tojson": lambda text: read_json(base64.b64decode(text).decode()),
    "bool": to_bool,
    "concat": concat,
    "contains": contains,
    "createarray": lambda *values: list(values),
    "createobject": create_object,
    "datauri": _data_uri,
    "datauritostring": lambda text: base64.b64decode(text.rpartition(",")[2]).decode(),
    "datetimeadd": template_dates.add,
    "datetimefromepoch": template_dates.from_epoch,
    "datetimetoepoch": template_dates.to_epoch,
    "div": divide,
    "empty": is_empty,
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "equals": equals,
    "false": lambda: False,
    "first": first,
    "flatten": flatten,
    "float": float,
    "format": shorten,
    "greater": lambda a, b: _compare(a, b) > 0,
    "greaterorequals": lambda a, b: _compare(a, b) >= 0,
    "guid": guid,
    "indexof": index_of,
    "indexfromend": lambda array, place: find(array, len(array) - place),
    "int": to_int,
    "intersection": intersection,
    "items": items,
    "join": lambda array, by: by.join(map(text_of, array)),
    "json": read_json,
    "last": last,
    "lastindexof": last_index_of,
    "length": lambda value: len(value),
    "less": lambda a, b: _compare(a, b) < 0,
    "lessorequals": lambda a, b: _compare(a, b) <= 0,
    "max": _extreme(max),
    "min": _extreme(min),
    "mod": lambda a, b: int(math.fmod(whole(a), whole(b))),
    "mul": lambda a, b: whole(a) * whole(b),
    "not": lambda value: not to_bool(value),
    "null": lambda: None,
    "objectkeys": lambda value: sorted(value),
    "padleft": pad_left,
    "range": lambda start, count: list(range(start, start + count)),
    "replace": lambda text, old, new: text.replace(old, new),
    "shallowmerge": shallow_merge,
    "skip": lambda value, count: value[max(count, 0) :],
    "split": split,
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "string": lambda value: text_of(value),
    "sub": lambda a, b: whole(a) - whole(b),
    "substring": substring,
    "take": lambda value, count: value[: max(count, 0)],
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "true": lambda: True,
    "tryget": try_get,
    "tryindexfromend": lambda array, place: try_get(array, {"value": place, "fromEnd": True}),
    "union": union,
    "uniquestring": unique_string,
    "uri": urljoin,
    "uricomponent": lambda text: quote(text, safe="!'()*-._~"),
    "uricomponenttostring": unquote,
}
