"""The parameters of a template: what was given, checked as Azure checks it before anything is deployed."""

from collections.abc import Callable, Mapping
from typing import Any

from workspace.rehearsal.template_expressions import TemplateError

Given = Mapping[str, Any]
Definition = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "secureobject": (dict,),
    "array": (list,),
}
_EXPECTED = {
    "string": "String, Uri",
    "securestring": "String, Uri",
    "int": "Integer",
    "bool": "Boolean",
    "object": "Object",
    "secureobject": "Object",
    "array": "Array",
}
_ACTUAL = {str: "String", int: "Integer", bool: "Boolean", dict: "Object", list: "Array", float: "Float"}


def is_secure(definition: Definition) -> bool:
    """True for the types whose values Azure never shows."""
    return str(definition.get("type", "")).lower() in ("securestring", "secureobject")


def invalid(message: str) -> TemplateError:
    """What Azure says of a template that does not pass validation."""
    return TemplateError("InvalidTemplate", f"Deployment template validation failed: '{message}'.")


def refuse_unknown(definitions: Mapping[str, Definition], given: Given) -> None:
    """Refuse values for which the template has no parameter."""
    known = {name.lower() for name in definitions}
    unknown = [name for name in given if name.lower() not in known]
    if unknown:
        raise invalid(
            "The following parameters were supplied, but do not correspond to any parameters defined in the template: "
            f"'{', '.join(unknown)}'. The parameters defined in the template are: '{', '.join(definitions)}'. "
            "Please see https://aka.ms/arm-pass-parameter-values for usage details."
        )


def check(name: str, value: Any, definition: Definition, resolve: Callable[[Definition], Definition]) -> Any:
    """The value, if it fits the definition; `resolve` follows a `$ref` to a type of one's own."""
    definition = resolve(definition)
    if value is None and definition.get("nullable"):
        return None
    kind = str(definition.get("type", "")).lower()
    if kind not in _TYPES:
        raise invalid(f"The template parameter '{name}' has an unknown type '{definition.get('type')}'")
    if not isinstance(value, _TYPES[kind]) or (kind == "int" and isinstance(value, bool)):
        raise invalid(
            f"Template parameter JToken type is not valid. Expected '{_EXPECTED[kind]}'. "
            f"Actual '{_ACTUAL.get(type(value), 'Null')}'. The parameter is '{name}'. "
            "Please see https://aka.ms/resource-manager-parameter-files for usage details."
        )
    _check_allowed(name, value, definition)
    _check_limits(name, value, definition)
    _check_inside(name, value, definition, resolve)
    return value


def _check_allowed(name: str, value: Any, definition: Definition) -> None:
    allowed = definition.get("allowedValues")
    if not allowed:
        return
    wrong = [v for v in value if v not in allowed] if isinstance(value, list) and value not in allowed else None
    if wrong if wrong is not None else value not in allowed:
        shown = "***" if is_secure(definition) else value
        raise invalid(
            f"The provided value '{shown}' for the template parameter '{name}' is not valid. The value '{shown}' is "
            f"not part of the allowed value(s): '{','.join(map(str, allowed))}'"
        )


def _check_limits(name: str, value: Any, definition: Definition) -> None:
    sized = not isinstance(value, int)
    size = len(value) if sized else value
    what, suffix = ("Length of the value", "Length") if sized else ("The value", "Value")
    least, most = definition.get(f"min{suffix}"), definition.get(f"max{suffix}")
    if least is not None and size < least:
        raise invalid(
            f"The provided value for the template parameter '{name}' is not valid. "
            f"{what} should be greater than or equal to '{least}'"
        )
    if most is not None and size > most:
        raise invalid(
            f"The provided value for the template parameter '{name}' is not valid. "
            f"{what} should be less than or equal to '{most}'"
        )


def _check_inside(name: str, value: Any, definition: Definition, resolve: Callable[[Definition], Definition]) -> None:
    if isinstance(value, list) and isinstance(definition.get("items"), Mapping):
        for place, item in enumerate(value):
            check(f"{name}[{place}]", item, definition["items"], resolve)
    if not isinstance(value, dict):
        return
    for key, inner in (definition.get("properties") or {}).items():
        if key in value:
            check(f"{name}.{key}", value[key], inner, resolve)
        elif not resolve(inner).get("nullable"):
            raise invalid(f"The template parameter '{name}' has no property '{key}', which its type requires")
