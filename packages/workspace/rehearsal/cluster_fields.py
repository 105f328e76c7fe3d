"""Who owns which field: managedFields as the API server keeps them, and the merge of server-side apply.

A path is a tuple of the elements FieldsV1 uses: `f:spec`, `k:{"name":"web"}`, `v:"finalizer"`. An object is compared
through its flat form, a dictionary from path to value in which containers that may be owned stand as themselves.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal.cluster_status import Cause, Rejected

Path = tuple[str, ...]
Flat = dict[Path, Any]
Body = dict[str, Any]

_CONTAINER = "<container>"
_NOT_OWNED = {"apiVersion", "kind"}
_META_NOT_OWNED = {
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
}


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields: who, by which operation and through which subresource, owns what since when."""

    name: str
    operation: str
    version: str
    subresource: str
    fields: frozenset[Path]
    time: str

    def same_as(self, other: "Manager") -> bool:
        """Whether both are one manager; appliers are one whatever version they spoke."""
        mine, theirs = ((m.name, m.operation, m.subresource) for m in (self, other))
        return mine == theirs and (self.operation == "Apply" or self.version == other.version)

    def shown(self) -> str:
        """The manager as conflict messages name it."""
        words = json.dumps(self.name)
        if self.subresource:
            words += f" with subresource {json.dumps(self.subresource)}"
        return f"{words} using {self.version}" if self.operation == "Update" else words


def flat(value: Body, shape: schema.Shape, *, containers: bool = False) -> Flat:
    """Every field of the object that can be owned, by path; with `containers` also the maps and lists that hold them.

    Who applies owns what it said; who writes otherwise owns the maps and lists that it made, too.
    """
    found: Flat = {}
    for name, item in value.items():
        if name in _NOT_OWNED or name.startswith("_"):
            continue
        inner = schema.child(schema.resolve(shape), name) or schema.ANY
        if name == "metadata":
            item = {key: each for key, each in item.items() if key not in _META_NOT_OWNED}
            if not item:
                continue
        _descend(item, inner, (f"f:{name}",), found, listed=True, containers=containers)
    return found


def _descend(value: Any, shape: schema.Resolved, path: Path, found: Flat, *, listed: bool, containers: bool) -> None:
    kind = schema.form(shape, value)
    if kind == "whole" or not value:
        found[path] = value
        return
    if not listed or (containers and _is_made(kind, shape, path)):
        found[path] = _CONTAINER
    if kind == "fields":
        for name, item in value.items():
            inner = schema.child(shape, name) or schema.ANY
            declared = name in shape.get("properties", ())
            _descend(item, inner, (*path, f"f:{name}"), found, listed=declared, containers=containers)
    elif kind == "keyed":
        for item in value:
            here = (*path, key_element(shape, item))
            _descend(item, schema.items(shape), here, found, listed=False, containers=containers)
    else:
        for item in value:
            found[(*path, "v:" + _compact(item))] = item


# A list of Go's that is written out even when it is empty is there before anybody fills it.
_ALWAYS_THERE = {"f:containers"}


def _is_made(kind: str, shape: schema.Resolved, path: Path) -> bool:
    if kind == "fields":
        return bool(shape.get("additionalProperties"))
    return path[-1] not in _ALWAYS_THERE


def key_element(shape: schema.Resolved, item: Any) -> str:
    """The path element of one item of a keyed list."""
    return "k:" + _compact(schema.keys_of(shape, item))


def merged(live: Any, wanted: Any, shape: schema.Resolved) -> Any:
    """The live value with everything an applied configuration says."""
    kind = schema.form(shape, wanted)
    if kind == "whole" or not isinstance(live, type(wanted)):
        return wanted
    if kind == "fields":
        whole = dict(live)
        for name, item in wanted.items():
            inner = schema.child(shape, name) or schema.ANY
            whole[name] = merged(live[name], item, inner) if name in live else item
        return whole
    if kind == "set":
        return [*live, *(item for item in wanted if item not in live)]
    return _merged_items(live, wanted, shape)


def _merged_items(live: list[Any], wanted: list[Any], shape: schema.Resolved) -> list[Any]:
    """Items merged by key; in the wanted order when nobody else has items, else new ones at the end."""
    before = {key_element(shape, item): item for item in live}
    after = {key_element(shape, item): item for item in wanted}
    inner = schema.items(shape)
    result = {key: merged(before[key], item, inner) if key in before else item for key, item in after.items()}
    if before.keys() <= after.keys():
        return list(result.values())
    return [result.get(key, before.get(key)) for key in dict.fromkeys([*before, *after])]


def without(value: Any, path: Path, shape: schema.Resolved) -> Any:
    """The value without what the path names."""
    head, rest = path[0], path[1:]
    if head.startswith("f:") and isinstance(value, dict):
        name = head[2:]
        if name not in value:
            return value
        kept = {key: item for key, item in value.items() if key != name or rest}
        if rest:
            kept[name] = without(value[name], rest, schema.child(shape, name) or schema.ANY)
        return kept
    if isinstance(value, list):
        return _without_item(value, head, rest, shape)
    return value


def _without_item(value: list[Any], head: str, rest: Path, shape: schema.Resolved) -> list[Any]:
    kept = []
    for item in value:
        named = "v:" + _compact(item) if head.startswith("v:") else key_element(shape, item)
        if named != head:
            kept.append(item)
        elif rest:
            kept.append(without(item, rest, schema.items(shape)))
    return kept


def managers_of(live: Body | None) -> list[Manager]:
    """The object's managers."""
    entries = (live or {}).get("metadata", {}).get("managedFields", [])
    return [
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
            frozenset(_paths(entry.get("fieldsV1", {}))),
            entry.get("time", ""),
        )
        for entry in entries
    ]


def written(managers: Iterable[Manager]) -> list[Body]:
    """The managers as managedFields: appliers first, then the others by age."""
    ordered = sorted((m for m in managers if m.fields), key=lambda m: (m.operation != "Apply", m.time, m.name))
    return [_entry(manager) for manager in ordered]


def _entry(manager: Manager) -> Body:
    entry: Body = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(manager.fields),
    }
    return {**entry, "subresource": manager.subresource} if manager.subresource else entry


def updated(live: Flat, new: Flat, managers: list[Manager], writer: Manager) -> list[Manager]:
    """The managers after a plain write: what it changed is the writer's, what it removed is nobody's."""
    changed = frozenset(path for path, value in new.items() if path not in live or live[path] != value)
    removed = frozenset(live.keys() - new.keys())
    if not changed and not removed:
        return managers
    kept = []
    mine = writer
    for manager in managers:
        if manager.same_as(writer):
            mine = replace(writer, fields=manager.fields)
        else:
            kept.append(replace(manager, fields=manager.fields - changed - removed))
    fields = (mine.fields | changed) - removed
    return [*kept, replace(writer, fields=fields)] if fields else kept


@dataclass(frozen=True)
class Applied:
    """What an apply makes of an object, and who owns what afterwards."""

    body: Body
    managers: list[Manager]


def applied(live: Body, wanted: Body, shape: schema.Shape, writer: Manager, *, force: bool) -> Applied:
    """Merge an applied configuration into the live object, or reject it with every conflict.

    Fields the applier owned and does not say any more are removed unless another manager owns them too.
    """
    resolved = schema.resolve(shape)
    managers = managers_of(live)
    before = next((m for m in managers if m.same_as(writer)), None)
    others = [m for m in managers if not m.same_as(writer)]
    mine = replace(writer, fields=frozenset(flat(wanted, shape)))
    body = merged(live, wanted, resolved)
    if before is not None:
        body = _pruned(body, before.fields, [*others, mine], resolved)
    old, new = flat(live, shape), flat(body, shape)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    clashes = [(m, path) for m in others for path in sorted(m.fields & changed)]
    if clashes and not force:
        raise _conflict(clashes)
    removed = old.keys() - new.keys()
    others = [replace(m, fields=m.fields - changed - removed) for m in others]
    if before is not None and before.fields == mine.fields and old == new:
        mine = before
    return Applied(body, [*others, mine])


def _pruned(body: Body, before: frozenset[Path], owners: list[Manager], shape: schema.Resolved) -> Body:
    kept = _with_parents(path for owner in owners for path in owner.fields)
    # What the metadata holds beside its owned fields (its name) belongs to the server.
    doomed = sorted(_with_parents(before) - kept - {("f:metadata",)}, key=len)
    gone: list[Path] = []
    for path in doomed:
        if any(path[: len(parent)] == parent for parent in gone):
            continue
        gone.append(path)
        body = without(body, path, shape)
    return body


def _with_parents(paths: Iterable[Path]) -> set[Path]:
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def _conflict(clashes: list[tuple[Manager, Path]]) -> Rejected:
    causes = [Cause(shown(path), f"conflict with {m.shown()}", "FieldManagerConflict") for m, path in clashes]
    details = {"causes": [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]}
    return Rejected(409, "Conflict", _conflict_words(clashes), details)


def _conflict_words(clashes: list[tuple[Manager, Path]]) -> str:
    if len(clashes) == 1:
        manager, path = clashes[0]
        return f"Apply failed with 1 conflict: conflict with {manager.shown()}: {shown(path)}"
    lines = []
    for name in sorted({manager.shown() for manager, _ in clashes}):
        lines.append(f"conflicts with {name}:")
        lines += [f"- {shown(path)}" for manager, path in clashes if manager.shown() == name]
    return f"Apply failed with {len(clashes)} conflicts: " + "\n".join(lines)


def shown(path: Path) -> str:
    """`.spec.template.spec.containers[name="web"].image`."""
    words = ""
    for element in path:
        if element.startswith("f:"):
            words += f".{element[2:]}"
        elif element.startswith("v:"):
            words += f"[={element[2:]}]"
        else:
            words += schema.key_text(json.loads(element[2:]))
    return words


def _tree(paths: Iterable[Path]) -> Body:
    """Paths as the nested FieldsV1 document; a path that is owned and has children carries a dot."""
    root: Body = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _undotted(root)


def _undotted(node: Body) -> Body:
    if node.keys() == {"."}:
        return {}
    return {key: _undotted(inner) for key, inner in node.items()}


def _paths(tree: Mapping[str, Any], prefix: Path = ()) -> Iterable[Path]:
    if not tree and prefix:
        yield prefix
    for key, inner in tree.items():
        if key == ".":
            yield prefix
        else:
            yield from _paths(inner, (*prefix, key))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
