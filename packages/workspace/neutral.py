"""Rendered Kubernetes objects without what belongs to one environment, so that two environments' can be compared.

What may differ is data of the definitions: the entries of a `differences.yaml`, each with an `object`, its `paths` and
`why`. An object is a kind, or a kind and a name in which `{env}` stands for the environment; `*` is every object; a
path that ends in `*` stands for all that begins like it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from workspace import manifests

_FILE = "differences.yaml"
_NAMES = ("name", "containerPort", "port", "type")


def content(objects: Iterable[Mapping[str, Any]], environment: str, root: Path, overlay: str) -> str:
    """The digest of an overlay's objects, the environment's own data left out; empty where nobody said what that is.

    The overlay is a folder below the root; the nearest `differences.yaml` above it counts.
    """
    file = next((each / _FILE for each in (root / overlay).parents if (each / _FILE).is_file()), None)
    if file is None or not file.is_relative_to(root):
        return ""
    declared = [
        (str(entry["object"]), str(path))
        for entry in yaml.safe_load(file.read_text()).get("differences") or ()
        for path in entry["paths"]
    ]
    return manifests.content(_without(each, environment, declared) for each in objects)


def _without(thing: Mapping[str, Any], environment: str, declared: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    name = str((thing.get("metadata") or {}).get("name", ""))
    kind = str(thing.get("kind"))
    called = {"*", kind, f"{kind} {name}", f"{kind} {name.replace(environment, '{env}')}"}
    paths = [path for object_, path in declared if object_ in called]
    kept: Mapping[str, Any] = _pruned(thing, "", lambda at: any(_is_at(at, path) for path in paths))
    return kept


def _pruned(value: Any, at: str, drops: Callable[[str], bool]) -> Any:
    """The value without the places that are dropped, and without what is empty then."""
    if isinstance(value, Mapping):
        below = {key: f"{at}.{key}" if at else str(key) for key in value}
        kept = {key: _pruned(item, below[key], drops) for key, item in value.items() if not drops(below[key])}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        names = [_called(each) for each in value]
        pairs = zip(value, names, strict=True)
        return [_pruned(each, f"{at}[{name}]", drops) for each, name in pairs if not drops(f"{at}[{name}]")]
    return value


def _called(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[key]) for key in _NAMES if key in item), "")


def _is_at(at: str, path: str) -> bool:
    if path.endswith("*"):
        return at.startswith(path[:-1])
    return at == path or at.startswith((f"{path}.", f"{path}["))
