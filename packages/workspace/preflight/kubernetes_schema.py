"""Rules for objects against the strict schemas of the Kubernetes versions that the clusters run."""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_yaml import mapping

SCHEMA = Rule(
    "kubernetes/schema",
    Severity.ERROR,
    "An object that the API server's schema refuses.",
    "A misspelt field is dropped in silence or refused when everything before it has been applied.",
    "Correct the field as the API reference has it.",
)
API = Rule(
    "kubernetes/api-removed",
    Severity.ERROR,
    "An API version that the clusters no longer serve.",
    "The object cannot be applied after the cluster's upgrade.",
    "Use the version that is served.",
)
RULES = (SCHEMA, API)
# Supported upstream today; a version that the checkout gives its clusters joins them.
SUPPORTED = ("1.35", "1.36")
_VERSION = re.compile(r"kubernetes_?version\"?\s*[=:]\s*[\"'](1\.\d+)", re.IGNORECASE)
_GONE = {"PodSecurityPolicy": "Pod Security Admission, by labels of the Namespace"}
_SHORT = {"apps", "batch", "autoscaling", "policy"}
_LONG = {"rbac": "rbac.authorization", "flowcontrol": "flowcontrol.apiserver"}
_TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip


def check(scene: Scene, versions: tuple[str, ...]) -> Iterator[Finding]:
    """What the schema of these versions says against the objects of an environment."""
    for thing in scene.things:
        yield from attempted((_check,), scene, thing, versions)


def available() -> str:
    """Who knows the schemas, empty when nobody here does."""
    return "kubernetes-validate" if importlib.util.find_spec("kubernetes_validate") else ""


def versions(checkout: Checkout) -> tuple[str, ...]:
    """The versions that the checkout gives its clusters, and those above them that are supported today."""
    files = checkout.matching("*.tf", "*.tfvars", "*.tfvars.json", "*.bicep", "*.hcl")
    files = tuple(each for each in files if not each.endswith((".tftest.hcl", ".test.bicep")))
    said = {each for file in files for each in _VERSION.findall(checkout.found(file))}
    own = {each for each in said if _folder(each).is_dir()}
    return tuple(sorted(own | {each for each in SUPPORTED if each >= min(own, default="")}))


def _check(scene: Scene, thing: Thing, wanted: tuple[str, ...]) -> Iterator[Finding]:
    api = str(thing.value.get("apiVersion", ""))
    if mapping(thing.value.get("sops")).get("mac"):
        return  # encrypted: what reaches the API server is not what stands here
    for version in wanted:
        schema = _schema(version, api, thing.kind)
        if schema is None:
            served = _served(version, api, thing.kind)
            if served:
                what = f"{thing} is of {api}, which Kubernetes {version} does not serve; it has {served}."
                yield scene.find(API, thing.origin("apiVersion"), what)
                return
            continue
        found = list(_misfits(version, schema, thing.value, ()))
        for path, what in found:
            where = ".".join(map(str, path)) or "its top"
            yield scene.find(SCHEMA, thing.place(*path), f"{thing} at {where}: {what} (Kubernetes {version}).")
        if found:
            return


@functools.cache
def _folder(version: str) -> Path:
    found = importlib.util.find_spec("kubernetes_validate")
    base = Path(found.origin).parent if found and found.origin else Path("/nonexistent")
    return base / "kubernetes-json-schema" / f"v{version}.0-local-strict"


@functools.cache
def _definitions(version: str) -> dict[str, Any]:
    return dict(json.loads((_folder(version) / "_definitions.json").read_text())["$defs"])


@functools.cache
def _schema(version: str, api: str, kind: str) -> Any:
    group, _, number = api.rpartition("/")
    if not re.fullmatch(r"\w+", kind) or not _is_builtin(group):
        return None
    file = _folder(version) / f"{kind.lower()}-{group.partition('.')[0]}{'-' if group else ''}{number}.json"
    return json.loads(file.read_text()) if file.is_file() else None


@functools.cache
def _served(version: str, api: str, kind: str) -> str:
    """What takes the place of a built-in kind whose version is gone, empty when the kind is nobody's."""
    group = api.rpartition("/")[0]
    if not _is_builtin(group) or not re.fullmatch(r"\w+", kind):
        return ""
    names = [each.stem.split("-")[1:] for each in sorted(_folder(version).glob(f"{kind.lower()}-*.json"))]
    return ", ".join("/".join((*map(_whole, each[:-1]), each[-1])) for each in names) or _GONE.get(kind, "")


def _whole(group: str) -> str:
    """A group as manifests write it: the schemas' files have only its first word."""
    return group if group in _SHORT else f"{_LONG.get(group, group)}.k8s.io"


def _is_builtin(group: str) -> bool:
    return "." not in group or (group.endswith(".k8s.io") and group != "gateway.networking.k8s.io")


def _misfits(version: str, schema: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, str]]:
    if "$ref" in schema:
        schema = _definitions(version)[schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        if all(any(_misfits(version, each, value, path)) for each in schema["oneOf"]):
            yield path, f"{_shown(value)} is neither a number nor a text"
        return
    types = schema.get("type", ())
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(value, each) for each in types):
        yield path, f"{_shown(value)} is not of type {next(iter(types))}"
    elif "enum" in schema and value not in schema["enum"] and value is not None:
        yield path, f"{_shown(value)} is none of {', '.join(map(str, schema['enum']))}"
    elif isinstance(value, dict):
        yield from _misfits_of_fields(version, schema, value, path)
    elif isinstance(value, list) and "items" in schema:
        for index, each in enumerate(value):
            name = each.get("name", index) if isinstance(each, dict) else index
            yield from _misfits(version, schema["items"], each, (*path, name))


def _misfits_of_fields(version: str, schema: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, str]]:
    fields, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield path, f"{name} is missing"
    for key, each in value.items():
        if key in fields:
            yield from _misfits(version, fields[key], each, (*path, key))
        elif others is False and fields:
            near = get_close_matches(str(key), fields, n=1)
            yield (*path, key), f"there is no field {key}" + (f", but {near[0]}" if near else "")
        elif isinstance(others, dict):
            yield from _misfits(version, others, each, (*path, key))


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _shown(value: Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, (dict, list, str)) else json.dumps(value)
