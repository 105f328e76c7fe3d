"""Rules about what Terraform code names: variables, locals, outputs, modules, versions, and the words about them."""

import posixpath
import re
from collections.abc import Iterator, Set

from workspace.preflight import shared
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_facts import arguments
from workspace.preflight.terraform_read import Attribute, Block, Reference
from workspace.preflight.terraform_schema import tops
from workspace.preflight.terraform_tree import Folder, Item, Tree
from workspace.preflight.terraform_units import Units

UNDECLARED = Rule(
    "terraform/undeclared",
    Severity.ERROR,
    "A variable, local, resource, data source or module is read that its folder does not declare.",
    "Terraform refuses the whole root when it is planned, after everything before it was applied.",
    "Declare it in the same folder, or correct the name.",
)
TWICE = Rule(
    "terraform/declared-twice",
    Severity.ERROR,
    "A variable, local, output, resource, data source, module, provider or backend is declared twice in one folder.",
    "Terraform refuses the whole folder; two branches that each added the same variable merge without a conflict.",
    "Remove one of the two; only a file called override.tf or ending in _override.tf is merged into another.",
)
UNKNOWN_OUTPUT = Rule(
    "terraform/unknown-output",
    Severity.ERROR,
    "An output is read that the called module, or the root behind a state, does not have.",
    "A workflow once read an output name that did not exist as an empty address and deployed with it.",
    "Add the output to the module, or read one that it has.",
)
MODULE_INPUT = Rule(
    "terraform/module-input",
    Severity.ERROR,
    "A module call sets what the module does not declare, or leaves out what it requires.",
    "Terraform refuses the root when it is initialised or planned.",
    "Make the call and the module's variables agree.",
)
NO_MODULE = Rule(
    "terraform/no-module",
    Severity.ERROR,
    "A module call names a folder that holds no Terraform.",
    "Init fails before any plan.",
    "Correct `source`, or bring the folder back.",
)
UNUSED = Rule(
    "terraform/unused",
    Severity.RISK,
    "A variable or local is declared and never read.",
    "Whoever sets it believes something happens; the old chain's machine size was such a variable.",
    "Use it or remove it, with the data that set it.",
)
UNPINNED = Rule(
    "terraform/unpinned",
    Severity.RISK,
    "The engine, a provider or a module is used without a version that keeps the next major out.",
    "The jump from azurerm 3 to 4 renamed arguments in every module and cost about 16 fixes.",
    'Write required_version, and `version = "~> X.Y"` for each provider and module; `ref=` for a module from git.',
)
UNDESCRIBED = Rule(
    "terraform/undescribed",
    Severity.NOTE,
    "A variable has no type or description, or an output has no description.",
    "Without a type a wrong value is found by Azure instead of by Terraform.",
    "Write the type and one sentence.",
)
README = Rule(
    "terraform/readme",
    Severity.NOTE,
    "A module's README does not name one of its inputs or outputs.",
    "The owners' papers and code disagreed on what runs; people on call read the paper.",
    "Add the missing line to the README.",
)
UNKNOWN_COUNT = Rule(
    "terraform/unknown-count",
    Severity.ERROR,
    "`count` or `for_each` depends on what is known only after something is created.",
    "The first plan of a new environment fails; with module cycles this cost about 11 fixes.",
    "Decide by a variable, or use keys that are written out and ids as values only.",
)
RULES = (
    UNDECLARED,
    TWICE,
    UNKNOWN_OUTPUT,
    MODULE_INPUT,
    NO_MODULE,
    UNUSED,
    UNPINNED,
    UNDESCRIBED,
    README,
    UNKNOWN_COUNT,
)

_ALWAYS_THERE = {"each", "count", "self", "path", "terraform"}
_OF_A_CALL = {"source", "version", "providers", "count", "for_each", "depends_on"}
# `check` has data sources of its own; the others name what is gone or not yet there.
_ADDRESSES = {"moved", "removed", "import", "check"}
_ONCE = ("variable", "output", "resource", "data", "ephemeral", "module", "provider")
_ONCE_IN_ALL = ("required_providers", "backend", "cloud")


def check(tree: Tree) -> Iterator[Finding]:
    """What is wrong with names, versions and descriptions, folder by folder."""
    for folder in tree.folders.values():
        if not tree.is_broken(folder.path):
            if folder.path not in shared.once(tree.checkout, Units).written_into:
                yield from attempted((_undeclared,), tree, folder)
            yield from attempted((_unused,), tree, folder)
        yield from attempted((_calls, _versions, _readme), tree, folder)
        yield from attempted((_twice, _words, _counts), folder)


# ---- what is read


def _read(folder: Folder, but: Set[str] = _ADDRESSES) -> Iterator[tuple[Item, Attribute, Reference, frozenset[str]]]:
    """Every reference in a folder but in blocks of some kinds, with the names that `dynamic` blocks around it bind."""
    for item in folder.items:
        if item.block.kind not in but:
            yield from ((item, *each) for each in _read_in(item.block, frozenset()))


def _read_in(block: Block, bound: frozenset[str]) -> Iterator[tuple[Attribute, Reference, frozenset[str]]]:
    if block.kind == "dynamic":
        named = block.attributes.get("iterator")
        bound |= {named.word if named else block.name}
    # What is said of plugins, as in configuration_aliases, are names of theirs.
    for attribute in block.attributes.values() if block.kind != "required_providers" else ():
        yield from ((attribute, reference, bound) for reference in attribute.references)
    for inner in block.blocks:
        yield from _read_in(inner, bound)


def _undeclared(tree: Tree, folder: Folder) -> Iterator[Finding]:
    for item, attribute, reference, bound in _read(folder):
        base, name = reference.path[0], reference.path[1]
        place = item.at(reference.line or attribute.line)
        if base == "module" and name in folder.calls:
            yield from _output(tree, folder, reference, place)
        elif base not in _ALWAYS_THERE and base not in bound and not _is_declared(folder, reference.path):
            yield UNDECLARED.at(
                place, f"{attribute.name} reads {_called(reference)}, which {_where(folder)} does not declare."
            )


def _called(reference: Reference) -> str:
    return ".".join(reference.path[: 3 if reference.path[0] in ("data", "ephemeral") else 2])


def _where(folder: Folder) -> str:
    return folder.path or "this folder"


def _is_declared(folder: Folder, path: tuple[str, ...]) -> bool:
    if path[0] == "var":
        return path[1] in folder.variables
    if path[0] == "local":
        return path[1] in folder.locals
    if path[0] in ("data", "ephemeral"):
        return any(each.address == ".".join(path[1:3]) for each in folder.all(path[0]))
    return path[0] != "module" and ".".join(path[:2]) in folder.resources


def _output(tree: Tree, folder: Folder, reference: Reference, place: str) -> Iterator[Finding]:
    call = folder.calls[reference.path[1]]
    called = folder.called(call)
    module = tree.folders.get(called or "")
    # The first step into what `for_each` makes is a key, even where it is written as a name is.
    inside = reference.path[3 if "for_each" in call.block.attributes else 2 :]
    steps = [each for each in inside if each != "*"]
    if module is None or not steps or tree.is_broken(module.path):
        return
    if steps[0] not in module.outputs:
        yield UNKNOWN_OUTPUT.at(
            place, f"module.{call.block.name} has no output {steps[0]}; {module.path} declares none."
        )


def _unused(tree: Tree, folder: Folder) -> Iterator[Finding]:
    used = [(item, reference.path[:2]) for item, _, reference, _ in _read(folder, frozenset())]
    # A validation that reads its own variable is no use of it.
    read = {path for item, path in used if item.block.kind != "variable" or item.block.name != path[1]}
    beside = shared.once(tree.checkout, Units).reads_beside(folder.path)
    if beside is None:
        return
    read |= {(*each.split("."),) for each in beside}
    for name, item in folder.variables.items():
        if ("var", name) not in read:
            yield UNUSED.at(item.place, f"The variable {name} is declared and never read in {_where(folder)}.")
    for name, (item, attribute) in folder.locals.items():
        if ("local", name) not in read:
            yield UNUSED.at(item.at(attribute.line), f"The local {name} is set and never read in {_where(folder)}.")


# ---- what is declared


def _twice(folder: Folder) -> Iterator[Finding]:
    declared: dict[tuple[str, ...], str] = {}
    for item in (each for each in folder.items if not each.is_override):
        for thing, place in _things(item):
            if thing in declared:
                what = f"{' '.join((thing[0], '.'.join(thing[1:]))).strip()} is declared here and at {declared[thing]}."
                yield TWICE.at(place, what)
            declared.setdefault(thing, place)


def _things(item: Item) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a block declares that may be declared once, each with its place."""
    if item.block.kind == "locals":
        yield from ((("local", name), item.at(each.line)) for name, each in item.block.attributes.items())
    elif item.block.kind == "terraform":
        yield from (((each.kind,), item.at(each.line)) for each in item.block.blocks if each.kind in _ONCE_IN_ALL)
    elif item.block.kind in _ONCE:
        yield item.thing, item.place


# ---- module calls


def _calls(tree: Tree, folder: Folder) -> Iterator[Finding]:
    for name, call in folder.calls.items():
        called = folder.called(call)
        if called is None:
            continue
        module = tree.folders.get(called)
        if module is None:
            if not tree.is_broken(called) and not tree.is_elsewhere(called):
                yield NO_MODULE.at(call.place, f"module.{name} comes from {called}, which holds no Terraform files.")
        elif not tree.is_broken(called):
            yield from _inputs(call, module)


def _inputs(call: Item, module: Folder) -> Iterator[Finding]:
    given = {name: each for name, each in call.block.attributes.items() if name not in _OF_A_CALL}
    for name, attribute in given.items():
        if name not in module.variables:
            yield MODULE_INPUT.at(
                call.at(attribute.line), f"module.{call.block.name} sets {name}, which {module.path} does not declare."
            )
    for name, variable in module.variables.items():
        if name not in given and "default" not in variable.block.attributes:
            yield MODULE_INPUT.at(
                call.place, f"module.{call.block.name} does not set {name}, which {module.path} requires."
            )


# ---- versions


def _versions(tree: Tree, folder: Folder) -> Iterator[Finding]:
    engine = [item for item in folder.all("terraform") if "required_version" in item.block.attributes]
    place = (
        folder.all("terraform")[0].place if folder.all("terraform") else folder.items[0].place if folder.items else ""
    )
    if folder.path in tree.roots and not engine:
        yield UNPINNED.at(place, f"{_where(folder)} does not say which Terraform it needs (required_version).")
    required = dict(_required(folder))
    for name, (where, version) in required.items():
        if not _keeps_out(version) and not _is_kept_out_above(tree, folder, name):
            said = f"takes {version!r}" if version else "names no version"
            yield UNPINNED.at(where, f"{_where(folder)} {said} of the provider {name}, so its next major gets in.")
    for name, item in _providers(folder).items():
        if name not in required and name != "terraform" and folder.path in tree.roots:
            yield UNPINNED.at(
                item.place, f"{_where(folder)} uses the provider {name} without requiring a version of it."
            )
    for name, call in folder.calls.items():
        source = call.block.literal("source") or ""
        if folder.called(call) is None and source and not _is_pinned(source, call.block.literal("version") or ""):
            yield UNPINNED.at(call.place, f"module.{name} comes from {source} without a version.")


def _required(folder: Folder) -> Iterator[tuple[str, tuple[str, str]]]:
    for item, block in folder.settings("required_providers"):
        for name, attribute in block.attributes.items():
            text = [match for match in _texts(attribute) if re.match(r"[~<>=!\d ]", match)]
            yield name, (item.at(attribute.line), text[0] if text else "")


def _is_kept_out_above(tree: Tree, folder: Folder, provider: str) -> bool:
    """True when all who call a module keep the provider's next major out: Terraform takes what suits all of them."""
    above = [dict(_required(tree.folders[each])) for each in tops(tree, folder) - {folder.path}]
    versions = [each.get(provider, ("", ""))[1] for each in above]
    return bool(versions) and all(map(_keeps_out, versions))


def _texts(attribute: Attribute) -> list[str]:
    return list(attribute.texts)[::-1]


def _keeps_out(version: str) -> bool:
    parts = [each.strip() for each in version.split(",")]
    return any(re.match(r"~>\s*\d+\.\d+|=?\s*\d|<", each) for each in parts)


def _providers(folder: Folder) -> dict[str, Item]:
    items = [*folder.all("provider"), *folder.all("data"), *folder.all("resource")]
    return {each.block.labels[0].partition("_")[0]: each for each in reversed(items) if each.block.labels}


def _is_pinned(source: str, version: str) -> bool:
    if source.startswith(("git::", "git@", "github.com/", "bitbucket.org/", "hg::")) or ".git" in source:
        return "ref=" in source
    if "://" in source or "::" in source:
        return True
    return _keeps_out(version)


# ---- words


def _words(folder: Folder) -> Iterator[Finding]:
    for kind, wanted in (("variable", ("type", "description")), ("output", ("description",))):
        for item in folder.all(kind):
            missing = [each for each in wanted if each not in item.block.attributes]
            if missing:
                yield UNDESCRIBED.at(item.place, f"The {kind} {item.block.name} has no {' and no '.join(missing)}.")


def _readme(tree: Tree, folder: Folder) -> Iterator[Finding]:
    file = posixpath.join(folder.path, "README.md")
    if folder.path not in tree.called or file not in tree.checkout.files:
        return
    text = tree.text(file)
    for kind, items in (("input", folder.variables), ("output", folder.outputs)):
        for name in items:
            if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                yield README.at(file, f"The README does not name the {kind} {name}.")


# ---- counts


def _counts(folder: Folder) -> Iterator[Finding]:
    for item in (*folder.all("resource"), *folder.all("module"), *folder.all("data")):
        for name in ("count", "for_each"):
            attribute = item.block.attributes.get(name)
            if attribute and (name == "count" or _makes_set(attribute)):
                yield from _late(folder, item, attribute)


def _makes_set(attribute: Attribute) -> bool:
    return any(str(call.children[0].children[0]) == "toset" for call in attribute.expression.find_data("function_call"))  # type: ignore[union-attr]


def _late(folder: Folder, item: Item, attribute: Attribute) -> Iterator[Finding]:
    for reference in attribute.references:
        made = folder.resources.get(".".join(reference.path[:2]))
        steps = [each for each in reference.path[2:] if each != "*"]
        if made and steps and is_late(made.block.labels[0], steps[0]) and steps[0] not in made.block.attributes:
            yield UNKNOWN_COUNT.at(
                item.at(attribute.line),
                f"{attribute.name} of {item.address} reads {'.'.join(reference.path)}, known only after creation.",
            )


def is_late(type_: str, name: str) -> bool:
    """True for an attribute that only the creation of a resource tells."""
    schema = arguments("resource", type_)
    return name == "id" or bool(schema and "c" in schema["attributes"].get(name, ("", ""))[1])
