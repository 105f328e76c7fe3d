"""Whether a value fits a Bicep parameter: its type, what is allowed, its limits, and what is inside it."""

from typing import Any

from workspace.preflight.bicep_template import UNKNOWN, decorator, is_secure, literal
from workspace.rehearsal.bicep_syntax import Array, Declaration, Member, Object, Text, Type

_TYPES: dict[str, type] = {"string": str, "int": int, "bool": bool, "object": dict, "array": list}
_WORDS = {str: "a string", int: "an int", bool: "a bool", dict: "an object", list: "an array", float: "a number"}


def complaint(parameter: Declaration | Member, value: Any, *, whole: bool = True) -> str:
    """Why a value does not fit, without the value of a secret; or nothing.

    Where it is not `whole` only what kind of value it is counts, not what is inside.
    """
    kind = parameter.type
    if kind is None or value is None or value is UNKNOWN:
        return ""
    wanted = _TYPES.get(kind.name)
    if wanted and type(value) is not wanted:
        return f"wants {_WORDS[wanted]} and gets {_WORDS.get(type(value), 'something else')}"
    if wrong := _choice(parameter, value) or _limits(parameter, value):
        return wrong
    return _inside(kind, value) if whole else ""


def _inside(kind: Type, value: Any) -> str:
    """What is wrong with a property of an object or an item of an array, the first that is."""
    if isinstance(value, list) and kind.element:
        item = Member(kind.place, "", kind.element)
        said = ((f"item {number}", complaint(item, each)) for number, each in enumerate(value))
        return next((f"has {where}, which {wrong}" for where, wrong in said if wrong), "")
    if not isinstance(value, dict) or kind.name != "object" or UNKNOWN in value:
        return ""
    for member in kind.members:
        known = bool(member.type.name or member.type.literals)
        if member.name not in value and known and not member.type.nullable:
            return f"lacks {member.name}"
        if wrong := complaint(member, value.get(member.name)):
            return f"has {member.name}, which {wrong}"
    return ""


def _choice(parameter: Declaration | Member, value: Any) -> str:
    found = decorator(parameter, "allowed")
    items = found.arguments[0].items if found and found.arguments and isinstance(found.arguments[0], Array) else ()
    allowed = [literal(each) for each in items or (parameter.type.literals if parameter.type else ())]
    if not allowed or None in allowed or isinstance(value, list | dict) or value in allowed:
        return ""
    said = "a value" if is_secure(parameter) else repr(value)
    return f"gets {said}, which is not among {', '.join(map(str, allowed))}"


def _limits(parameter: Declaration | Member, value: Any) -> str:
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


def _limit(parameter: Declaration | Member, name: str) -> int | None:
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
