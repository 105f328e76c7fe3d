"""Rules about arguments: what a resource or data source sets must be what the plugin takes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workspace.preflight import shared
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.terraform_facts import SCHEMA_MAJOR, arguments
from workspace.preflight.terraform_read import Block
from workspace.preflight.terraform_tree import Folder, Item, Tree

UNKNOWN_ARGUMENT = Rule(
    "terraform/unknown-argument",
    Severity.ERROR,
    "A resource or data source sets an argument or block that the plugin does not take.",
    "azurerm 4 renamed arguments in every module; about 16 fixes between 22 and 28 December.",
    "Use the argument of the pinned major, or remove it.",
)
MISSING_ARGUMENT = Rule(
    "terraform/missing-argument",
    Severity.ERROR,
    "A resource or data source leaves out an argument or block that the plugin requires.",
    "Terraform refuses the root when it is planned.",
    "Set it.",
)
RULES = (UNKNOWN_ARGUMENT, MISSING_ARGUMENT)

Schema = Mapping[str, Any]
_META = {"count", "for_each", "depends_on", "provider"}
_META_BLOCKS = {"lifecycle", "dynamic", "provisioner", "connection"}


def check(tree: Tree) -> Iterator[Finding]:
    """What the plugin would refuse in the resources and data sources of every folder."""
    for item, schema in judged(tree):
        yield from _complaints(item, item.block, schema, item.address)


def judged(tree: Tree) -> Iterator[tuple[Item, Schema]]:
    """The resources and data sources whose type the schema knows, in folders that pin the schema's major."""
    for folder in tree.folders.values():
        if majors(tree, folder) == {SCHEMA_MAJOR}:
            for kind in ("resource", "data"):
                for item in folder.all(kind):
                    schema = arguments(kind, item.block.labels[0]) if len(item.block.labels) == 2 else None
                    if schema:
                        yield item, schema


def majors(tree: Tree, folder: Folder) -> set[str | None]:
    """The majors of the plugin that a folder is used with: its own, or those of all who call it where it says none."""
    own = _major(folder)
    return {own} if own else {_major(tree.folders[each]) for each in tops(tree, folder)}


def tops(tree: Tree, folder: Folder) -> set[str]:
    """The folders that nobody calls and that call this one, directly or through others; itself where nobody does."""
    callers = shared.once(tree.checkout, _callers)
    above, found = [folder.path], set[str]()
    for path in above:
        found |= set() if path in callers else {path}
        above += [each for each in callers.get(path, ()) if each not in above]
    return found


def _callers(checkout: Checkout) -> Mapping[str, list[str]]:
    """The folders that call each folder."""
    found: dict[str, list[str]] = {}
    for folder in shared.once(checkout, Tree).folders.values():
        for path in {folder.called(each) for each in folder.calls.values()} - {None}:
            found.setdefault(str(path), []).append(folder.path)
    return found


def _major(folder: Folder) -> str | None:
    for _, block in folder.settings("required_providers"):
        attribute = block.attributes.get("azurerm")
        texts = [str(each.children[0]) for each in attribute.expression.find_data("string_part")] if attribute else []
        found = [match[1] for text in texts if (match := re.match(r"[~>=\s]*(\d+)(?:\.|$)", text))]
        if found:
            return found[0]
    return None


def _complaints(item: Item, block: Block, schema: Schema, path: str) -> Iterator[Finding]:
    attributes, blocks = schema.get("attributes", {}), schema.get("blocks", {})
    for name, attribute in block.attributes.items():
        problem = "" if name in _META else _problem(name, attributes, blocks)
        if problem:
            yield UNKNOWN_ARGUMENT.at(item.at(attribute.line), f"{path}.{name}: {problem}.")
    for name, inner in _inner(block):
        if name in blocks:
            yield from _complaints(item, inner, blocks[name][3], f"{path}.{name}")
        elif name in attributes and _fields(attributes[name][0]) is not None:
            yield from _field_complaints(item, inner, _fields(attributes[name][0]) or {}, f"{path}.{name}")
        else:
            yield UNKNOWN_ARGUMENT.at(item.at(inner.line), f"{path}.{name}: the plugin knows no such block.")
    yield from _missing(item, block, schema, path)


def _problem(name: str, attributes: Schema, blocks: Schema) -> str:
    if name not in attributes:
        return "is a block, not an argument" if name in blocks else "the plugin knows no such argument"
    return "" if set(attributes[name][1]) & {"r", "o"} else "only the plugin sets it"


def _inner(block: Block) -> Iterator[tuple[str, Block]]:
    for each in block.blocks:
        if each.kind == "dynamic":
            yield from ((each.name, content) for content in each.blocks if content.kind == "content")
        elif each.kind not in _META_BLOCKS:
            yield each.kind, each


def _fields(type_: Any) -> Mapping[str, Any] | None:
    """The fields of a list of objects, which may be written as blocks; None for any other type."""
    while isinstance(type_, list) and type_[0] in ("list", "set"):
        type_ = type_[1]
    return type_[1] if isinstance(type_, list) and type_[0] == "object" else None


def _field_complaints(item: Item, block: Block, fields: Mapping[str, Any], path: str) -> Iterator[Finding]:
    for name, attribute in block.attributes.items():
        if name not in fields:
            place = item.at(attribute.line)
            yield UNKNOWN_ARGUMENT.at(place, f"{path}.{name}: the plugin knows no such argument.")


def _missing(item: Item, block: Block, schema: Schema, path: str) -> Iterator[Finding]:
    there = {name for name, _ in _inner(block)}
    required = [name for name, (_, marks) in schema.get("attributes", {}).items() if "r" in marks]
    wanted = [name for name, (_, least, _, _) in schema.get("blocks", {}).items() if least]
    for name in (*required, *wanted):
        if name not in block.attributes and name not in there:
            yield MISSING_ARGUMENT.at(item.at(block.line), f"{path}.{name} is required and not set.")
