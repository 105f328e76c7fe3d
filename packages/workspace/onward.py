"""What later environments are to get: their nodes and data, written where a release is built and carried with it.

The copy of the definitions holds one file for each environment that follows, directly or not, so these files count in
the digest that names the copy and in the release. What is policy stays the checkout's: which environment follows which,
who is asked, how long a release must stand.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workspace.environment import Environment
from workspace.errors import Refused
from workspace.node import Kind, Node, Output, Part, Stage
from workspace.release import Release

FOLDER = "catalogue"
"""The folder of the kept copy in which these files are."""

_DATA = ("regions", "hosts", "names", "sizes")
_OUTPUT, _TUPLE, _MAPPING = "$output", "$tuple", "$mapping"
_SHOWN = 5


@dataclass(frozen=True)
class Catalogue:
    """An environment and every node of it."""

    environment: Environment
    nodes: tuple[Node, ...]


def files(catalogues: Iterable[Catalogue]) -> dict[str, bytes]:
    """A file by environment, as canonical JSON: equal catalogues are equal bytes. Refused where a value has no form."""
    return {f"{FOLDER}/{each.environment.name}.json": _canonical(_catalogue(each)) for each in catalogues}


def read(root: Path, place: Environment, release: Release) -> Catalogue:
    """What a release brings for an environment, from the kept copy at `root`; the policy is that of `place`.

    Refused with what to do where the copy is older than such files, or knows things that this version does not.
    """
    file = root / FOLDER / f"{place.name}.json"
    advice = f"nothing was touched. Run promote/{release.built_in} again and carry the release that it proves."
    if not file.is_file():
        raise Refused(
            f"Release {release.id} does not bring the nodes of {place.name}: it was built before releases did, or "
            f"before there was {place.name}; {advice}"
        )
    try:
        said = json.loads(file.read_bytes())
        data, nodes = _FORMATS[said["format"]](said)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"Release {release.id} brings nodes of {place.name} that this version does not understand ({error}); "
            f"{advice}"
        ) from error
    return Catalogue(replace(place, **data), nodes)


def moved_on(released: Catalogue, checkout: Catalogue) -> str:
    """In one sentence how the checkout's catalogue differs from the one that is carried; empty where it does not."""
    ours = {node.id: node for node in released.nodes}
    theirs = {node.id: node for node in checkout.nodes}
    told = {
        "added": sorted(theirs.keys() - ours.keys()),
        "gone": sorted(ours.keys() - theirs.keys()),
        "different": sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]),
        "other": [n for n in _DATA if getattr(released.environment, n) != getattr(checkout.environment, n)],
    }
    said = "; ".join(f"{how} {_listed(names)}" for how, names in told.items() if names)
    if not said:
        return ""
    place = released.environment.name
    return f"the checkout's catalogue of {place} has moved on ({said}), which takes effect with the next release"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _catalogue(catalogue: Catalogue) -> dict[str, Any]:
    place = catalogue.environment
    data = {name: _written(getattr(place, name), place.name) for name in _DATA}
    return {"format": 1, "environment": data, "nodes": [_node(node, place.name) for node in catalogue.nodes]}


def _node(node: Node, place: str) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "stage": node.stage,
        "needs": sorted(node.needs),
        "settings": _written(node.settings, f"{node.id} of {place}"),
        "owns": list(node.owns),
        "about": node.about,
        "part": node.part,
        "shares": list(node.shares),
    }


def _read_catalogue(said: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Node, ...]]:
    data = {name: _read(said["environment"][name]) for name in _DATA}
    return data, tuple(_read_node(each) for each in said["nodes"])


def _read_node(said: Mapping[str, Any]) -> Node:
    return Node(
        said["id"],
        Kind(said["kind"]),
        Stage(said["stage"]),
        needs=frozenset(said["needs"]),
        settings=_read(said["settings"]),
        owns=tuple(said["owns"]),
        about=said["about"],
        part=Part(said["part"]) if said["part"] else None,
        shares=tuple(said["shares"]),
    )


def _written(value: Any, whose: str) -> Any:
    """Plain JSON; a mapping that could be taken for one of our marks is marked itself."""
    if isinstance(value, Output):
        return {_OUTPUT: [value.node, value.path]}
    if isinstance(value, tuple):
        return {_TUPLE: [_written(each, whose) for each in value]}
    if isinstance(value, list):
        return [_written(each, whose) for each in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise Refused(f"The settings of {whose} have a key that is not text, which no release can carry.")
        plain = {key: _written(each, whose) for key, each in value.items()}
        return {_MAPPING: plain} if any(key.startswith("$") for key in plain) else plain
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and abs(value) < float("inf")):
        return value
    raise Refused(
        f"The settings of {whose} hold {type(value).__name__}, which no release can carry; make it text, a finite "
        f"number, a list or a mapping."
    )


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_OUTPUT}:
        return Output(*value[_OUTPUT])
    if value.keys() == {_TUPLE}:
        return tuple(_read(each) for each in value[_TUPLE])
    inner = value[_MAPPING] if value.keys() == {_MAPPING} else value
    return {key: _read(each) for key, each in inner.items()}


_FORMATS = {1: _read_catalogue}
