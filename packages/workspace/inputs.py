"""What a node reads: the outputs of others put in place of their references, and one fingerprint for all of it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from workspace.errors import Broken
from workspace.node import Node, Output

Gives = Mapping[str, Mapping[str, Any]]


def fill(node: Node, gives: Gives) -> dict[str, Any]:
    """The node's settings with every `Output` replaced; broken when an output is not there, with what is."""
    filled: dict[str, Any] = _fill(node.settings, gives, node.id)
    return filled


def missing(node: Node, gives: Gives) -> tuple[str, ...]:
    """The nodes whose outputs are not known yet, sorted."""
    return tuple(sorted(need for need in node.all_needs if need not in gives))


def fingerprint(value: Any) -> str:
    """A short digest of any JSON-like value: equal values, in whatever order their keys come, have equal digests."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _fill(value: Any, gives: Gives, reader: str) -> Any:
    if isinstance(value, Output):
        return _look_up(value, gives, reader)
    if isinstance(value, Mapping):
        return {key: _fill(item, gives, reader) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(item, gives, reader) for item in value]
    return value


def _look_up(output: Output, gives: Gives, reader: str) -> Any:
    found: Any = gives.get(output.node, {})
    for part in output.path.split("."):
        matches = [key for key in found if str(key).lower() == part.lower()] if isinstance(found, Mapping) else []
        if not matches:
            known = ", ".join(sorted(map(str, gives.get(output.node, {})))) or "nothing"
            raise Broken(
                f"{reader} reads {output.path} of {output.node}, which gives {known}; "
                f"promote {output.node} first or correct the name in the catalogue."
            )
        found = found[matches[0]]
    return found
