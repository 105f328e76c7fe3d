"""The stand-in for the random plugin: the same resources, kept in Terraform's state only."""

import base64
import secrets
import string
import uuid
from collections.abc import Mapping
from typing import Any

from workspace.rehearsal.azurerm_wire import UNKNOWN, Attribute, Block, ProviderError, Schemas, Values

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_CLASSES = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": _SPECIAL,
}
_KEPT = Attribute(["map", "string"], optional=True)


def _characters(is_secret: bool) -> Block:
    wanted = {name: Attribute("bool", optional=True, computed=True) for name in _CLASSES}
    least = {f"min_{name}": Attribute("number", optional=True, computed=True) for name in _CLASSES}
    made = {
        "id": Attribute("string", computed=True),
        "keepers": _KEPT,
        "length": Attribute("number", required=True),
        "override_special": Attribute("string", optional=True),
        "result": Attribute("string", computed=True, sensitive=is_secret),
        **wanted,
        **least,
    }
    if is_secret:
        made["bcrypt_hash"] = Attribute("string", computed=True, sensitive=True)
    return Block(made, version=3 if is_secret else 2)


_RESOURCES: Mapping[str, Block] = {
    "random_password": _characters(is_secret=True),
    "random_string": _characters(is_secret=False),
    "random_id": Block(
        {
            "b64_std": Attribute("string", computed=True),
            "b64_url": Attribute("string", computed=True),
            "byte_length": Attribute("number", required=True),
            "dec": Attribute("string", computed=True),
            "hex": Attribute("string", computed=True),
            "id": Attribute("string", computed=True),
            "keepers": _KEPT,
            "prefix": Attribute("string", optional=True),
        }
    ),
    "random_integer": Block(
        {
            "id": Attribute("string", computed=True),
            "keepers": _KEPT,
            "max": Attribute("number", required=True),
            "min": Attribute("number", required=True),
            "result": Attribute("number", computed=True),
            "seed": Attribute("string", optional=True),
        }
    ),
    "random_uuid": Block(
        {
            "id": Attribute("string", computed=True),
            "keepers": _KEPT,
            "result": Attribute("string", computed=True),
        }
    ),
}


class Random:
    """The provider; it keeps nothing, every value stands in Terraform's state."""

    name = "hashicorp/random"
    schemas = Schemas(Block({}), _RESOURCES, {})

    def configure(self, peer: str, config: Values) -> None:
        """There is nothing to configure."""

    def validate(self, kind: str, config: Values) -> None:
        """Refuse a length that cannot be."""
        length = config.get("length")
        if isinstance(length, int | float) and length < 1:
            raise ProviderError("Invalid Attribute Value", f"length must be at least 1, got: {length}", "length")

    def read(self, peer: str, kind: str, state: Values) -> Values | None:
        """What is in the state is all there is."""
        return state

    def plan(
        self, peer: str, kind: str, prior: Values | None, proposed: Values, config: Values
    ) -> tuple[Values, list[list[str | int]]]:
        """New values on creation; any change of an argument replaces the resource."""
        planned = dict(proposed)
        defaults = _defaults(kind, planned)
        planned |= {name: value for name, value in defaults.items() if planned.get(name) is None}
        if prior is None:
            for name, attribute in _RESOURCES[kind].attributes.items():
                if attribute.computed and planned.get(name) is None:
                    planned[name] = UNKNOWN
            return planned, []
        arguments = (name for name, each in _RESOURCES[kind].attributes.items() if each.required or each.optional)
        return planned, [[name] for name in arguments if prior.get(name) != planned.get(name)]

    def apply(
        self, peer: str, kind: str, prior: Values | None, planned: Values | None, config: Values
    ) -> Values | None:
        """Roll the dice once."""
        if planned is None or prior is not None:
            return planned
        return planned | _rolled(kind, planned)

    def import_(self, peer: str, kind: str, resource_id: str) -> Values:
        """Take a known value over."""
        state = dict.fromkeys(_RESOURCES[kind].attributes)
        return state | {"id": "none" if kind == "random_password" else resource_id, "result": resource_id}

    def look_up(self, peer: str, kind: str, config: Values) -> Values:
        """There are no data sources."""
        raise ProviderError(f"{kind} is no data source")


def _defaults(kind: str, planned: Values) -> Values:
    if kind not in ("random_password", "random_string"):
        return {}
    return dict.fromkeys(_CLASSES, True) | {f"min_{name}": 0 for name in _CLASSES}


def _rolled(kind: str, planned: Values) -> Values:
    if kind in ("random_password", "random_string"):
        return _text(kind, planned)
    if kind == "random_integer":
        low, high = int(planned["min"]), int(planned["max"])
        result = low + secrets.randbelow(high - low + 1)
        return {"id": str(result), "result": result}
    if kind == "random_uuid":
        made = str(uuid.uuid4())
        return {"id": made, "result": made}
    return _bytes(planned)


def _text(kind: str, planned: Values) -> Values:
    sets = {name: letters for name, letters in _CLASSES.items() if planned.get(name)}
    if "special" in sets and planned.get("override_special"):
        sets["special"] = planned["override_special"]
    if not sets:
        raise ProviderError("Create Random String Error", "at least one class of characters must be allowed")
    chosen = [secrets.choice(sets[name]) for name in sets for _ in range(int(planned.get(f"min_{name}") or 0))]
    anything = "".join(sets.values())
    chosen += [secrets.choice(anything) for _ in range(int(planned["length"]) - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    result = "".join(chosen)
    if kind == "random_string":
        return {"id": result, "result": result}
    return {"id": "none", "result": result, "bcrypt_hash": "$2a$10$rehearsal"}


def _bytes(planned: Values) -> Values:
    raw = secrets.token_bytes(int(planned["byte_length"]))
    prefix = planned.get("prefix") or ""
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    texts: dict[str, Any] = {"b64_std": base64.b64encode(raw).decode(), "b64_url": url, "hex": raw.hex()}
    texts["dec"] = str(int.from_bytes(raw, "big"))
    return {name: prefix + value for name, value in texts.items()} | {"id": url}
