"""Rules for what one folder of Terraform hands to another: ids that a count waits for, outputs behind a state."""

import re
from collections.abc import Iterator, Mapping

from workspace.preflight.finding import Finding
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_read import Attribute, trees
from workspace.preflight.terraform_references import UNKNOWN_COUNT, UNKNOWN_OUTPUT, is_late
from workspace.preflight.terraform_tree import Folder, Item, Tree
from workspace.preflight.terraform_values import UNKNOWN, Scope, value

_DEEPEST = 4
_NOTHING = r"(?:null\b|\"\")"
_ASKED = re.compile(rf"\bvar\.(\w+)\s*[!=]=\s*{_NOTHING}|{_NOTHING}\s*[!=]=\s*var\.(\w+)\b(?!\.)")
_SWITCH = re.compile(r"(?<![\w.!])(!?)\s*var\.(\w+)\s*(?=&&|\?|\)|$)")
_PLAIN = re.compile(r"[\w.-]+(\[(\d+|\"[^\"]*\")\])?(\.\w+)+")
_NOWHERE = Scope({}, {}, lambda *_: UNKNOWN)


def check(tree: Tree) -> Iterator[Finding]:
    """What is handed over too late, or is not there."""
    callers: dict[str, list[tuple[Folder, Item]]] = {}
    for folder in tree.folders.values():
        for call in folder.calls.values():
            callers.setdefault(folder.called(call) or "", []).append((folder, call))
    for folder in tree.folders.values():
        yield from attempted((_late,), tree, folder, callers.get(folder.path, []))
        yield from attempted((_states,), tree, folder)


# ---- counts that wait for an id


def _late(tree: Tree, folder: Folder, callers: list[tuple[Folder, Item]]) -> Iterator[Finding]:
    for item in (*folder.all("resource"), *folder.all("module"), *folder.all("data")):
        count = item.block.attributes.get("count")
        text = _written(tree, item, count) if count else ""
        asked = [first or second for first, second in _ASKED.findall(text)]
        if not asked or "||" in text:
            continue
        for caller, call in callers:
            made = next(filter(None, (_made(tree, caller, call, name) for name in asked)), "")
            if made and all(_is_on(folder, call, *each) for each in _SWITCH.findall(text)):
                what = (
                    f"count of {item.address} asks for what module.{call.block.name} of {caller.path or 'this folder'}"
                )
                yield UNKNOWN_COUNT.at(
                    item.at(count.line if count else 0), f"{what} fills with {made}, known only after creation."
                )
                break


def _written(tree: Tree, item: Item, attribute: Attribute) -> str:
    """An expression as it stands in its file."""
    meta = attribute.expression.meta
    return tree.text(item.file).removeprefix("\ufeff")[meta.start_pos : meta.end_pos]


def _made(tree: Tree, folder: Folder, holder: Item, name: str, depth: int = 0) -> str:
    """The attribute of a resource that an argument is, through outputs; empty when it is anything else."""
    attribute = holder.block.attributes.get(name)
    text = _written(tree, holder, attribute).strip() if attribute else ""
    references = attribute.references if attribute and _PLAIN.fullmatch(text) else ()
    if len(references) != 1 or depth > _DEEPEST:
        return ""
    base, *steps = [each for each in references[0].path if each != "*"]
    if base == "module" and len(steps) == 2 and steps[0] in folder.calls:
        module = tree.folders.get(folder.called(folder.calls[steps[0]]) or "")
        output = module.outputs.get(steps[1]) if module else None
        return _made(tree, module, output, "value", depth + 1) if module and output else ""
    made = folder.resources.get(f"{base}.{steps[0]}")
    if made is None or len(steps) != 2 or steps[1] in made.block.attributes or not is_late(base, steps[1]):
        return ""
    return ".".join((base, *steps))


def _is_on(folder: Folder, call: Item, turned: str, name: str) -> bool:
    """True when a switch beside the question is sure to be on in this call."""
    declared = folder.variables.get(name)
    given = call.block.attributes.get(name) or (declared.block.attributes.get("default") if declared else None)
    return given is not None and value(given.expression, _NOWHERE) is (not turned)


# ---- outputs behind a state


def _states(tree: Tree, folder: Folder) -> Iterator[Finding]:
    roots = dict(_roots_read(tree, folder))
    for item in folder.items if roots else ():
        for attribute in (each for block in item.block.walk() for each in block.attributes.values()):
            for reference in () if _may_fail(attribute) else attribute.references:
                kind, *path = reference.path
                if kind != "data" or len(path) < 4 or path[0] != "terraform_remote_state" or path[2] != "outputs":
                    continue
                root, output = roots.get(path[1]), path[3]
                if root and output != "*" and output not in root.outputs:
                    what = f"{attribute.name} reads the output {output} of {root.path or 'this folder'}"
                    place = item.at(reference.line or attribute.line)
                    yield UNKNOWN_OUTPUT.at(place, f"{what}, which declares none of that name.")


def _may_fail(attribute: Attribute) -> bool:
    """True for an expression that expects that something may not be there."""
    calls = attribute.expression.find_data("function_call")
    return bool({"try", "can"} & {str(trees(each)[0].children[0]) for each in calls})


def _roots_read(tree: Tree, folder: Folder) -> Iterator[tuple[str, Folder]]:
    """The states that a folder reads and the one root of the checkout that writes each."""
    for item in folder.all("data"):
        block = item.block
        config = block.attributes.get("config")
        if block.labels[0] != "terraform_remote_state" or not config or "defaults" in block.attributes:
            continue
        wanted = value(config.expression, _NOWHERE)
        roots = [each for each in tree.roots.values() if _writes(each, block.literal("backend"), wanted)]
        if len(roots) == 1 and not tree.is_broken(roots[0].path):
            yield block.name, roots[0]


def _writes(root: Folder, kind: str | None, wanted: object) -> bool:
    """True when a root keeps its state where another one looks, as far as both say it."""
    if not isinstance(wanted, Mapping) or not isinstance(wanted.get("key"), str):
        return False
    for _, backend in root.settings("backend"):
        said = {name: backend.literal(name) for name in ("key", "storage_account_name", "container_name", "bucket")}
        both = {name: text for name, text in said.items() if text is not None and isinstance(wanted.get(name), str)}
        return backend.name == kind and "key" in both and all(wanted[name] == text for name, text in both.items())
    return False
