"""Whether a value fits a Bicep parameter: its type, what is allowed, its limits."""

from typing import Any

from workspace.preflight.bicep_files import decorator, is_secure, literal
from workspace.rehearsal.bicep_syntax import Array, Declaration, Object, Text

_TYPES: dict[str, type] = {"string": str, "int": int, "bool": bool, "object": dict, "array": list}
_WORDS = {str: "a string", int: "an int", bool: "a bool", dict: "an object", list: "an array", float: "a number"}


def complaint(parameter: Declaration, value: Any) -> str:
    """Why a value does not fit, without the value of a secret; or nothing."""
    kind = parameter.type
    if kind is None or value is None:
        return ""
    wanted = _TYPES.get(kind.name)
    if wanted and type(value) is not wanted:
        return f"wants {_WORDS[wanted]} and gets {_WORDS.get(type(value), 'something else')}"
    return _choice(parameter, value) or _limits(parameter, value)


def _choice(parameter: Declaration, value: Any) -> str:
    found = decorator(parameter, "allowed")
    items = found.arguments[0].items if found and found.arguments and isinstance(found.arguments[0], Array) else ()
    allowed = [literal(each) for each in items or (parameter.type.literals if parameter.type else ())]
    if not allowed or None in allowed or isinstance(value, list | dict) or value in allowed:
        return ""
    said = "a value" if is_secure(parameter) else repr(value)
    return f"gets {said}, which is not among {', '.join(map(str, allowed))}"


def _limits(parameter: Declaration, value: Any) -> str:
    sized = isinstance(value, str | list)
    if not sized and type(value) is not int:
        return ""
    size, what = (len(value), "Length") if sized else (value, "Value")
    unit = ("characters" if isinstance(value, str) else "items") if sized else ""
    least, most = (_limit(parameter, f"{side}{what}") for side in ("min", "max"))
    if least is not None and size < least:
        return f"gets {size} {unit}".strip() + f" where at least {least} are wanted"
    if most is not None and size > most:
        return f"gets {size} {unit}".strip() + f" where at most {most} are allowed"
    return ""


def _limit(parameter: Declaration, name: str) -> int | None:
    found = decorator(parameter, name)
    value = literal(found.arguments[0]) if found and found.arguments else None
    return value if type(value) is int else None


def written(node: Any) -> Any:
    """What an expression is without being computed: a literal, or an empty object or array for its type; else None."""
    if isinstance(node, Object):
        return {}
    if isinstance(node, Text) and node.plain is None:
        return None
    return literal(node)
