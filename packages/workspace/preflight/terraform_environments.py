"""Rules about roots, their data, and where they keep state: environments are data, each with a state of its own."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator

from workspace.preflight import shared
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_data import Data
from workspace.preflight.terraform_tree import Folder, Item, Tree
from workspace.preflight.terraform_units import Units

DATA_UNDECLARED = Rule(
    "terraform/data-undeclared",
    Severity.ERROR,
    "A data file sets a variable that its root does not declare, or belongs to no root at all.",
    "Terraform only warns, so a renamed variable silently falls back to its default.",
    "Correct the name, declare the variable, or remove the line or file.",
)
DATA_MISSING = Rule(
    "terraform/data-missing",
    Severity.ERROR,
    "A required variable has a value in some environments and none in another, or comes from nowhere at all.",
    "The plan stops, or asks a question nobody answers, in the environment that was forgotten.",
    "Give the value in the data file, or a default in the root.",
)
ENVIRONMENTS_DIFFER = Rule(
    "terraform/environments-differ",
    Severity.RISK,
    "An environment leaves an optional variable to its default while others set it, or has no data for a stack at all.",
    "The same fix was found again in each environment, because environments were not the same.",
    "Set the same variables in every environment, or remove the odd one.",
)
STATE = Rule(
    "terraform/state",
    Severity.ERROR,
    "A root has no remote state, or shares its state's key with another root or environment.",
    "Two environments in one state destroy each other; staging's records once landed in dev's state.",
    "Add a backend and give the key when it is initialised, one for each root and environment.",
)
COPIED = Rule(
    "terraform/copied",
    Severity.RISK,
    "A root holds a copy of what a module, or the root of another environment, declares.",
    "An unaligned range was fixed on three days, once per copy.",
    "Call the module; keep only data per environment.",
)
OTHER_STATE = Rule(
    "terraform/other-state",
    Severity.RISK,
    "A folder reads another stack's state, or looks up what another stack of this checkout makes.",
    "Before the other stack exists no plan is possible, or only one of invented values; about 26 fixes.",
    "Take the value as a variable that the other stack's output fills.",
)
RULES = (DATA_UNDECLARED, DATA_MISSING, ENVIRONMENTS_DIFFER, STATE, COPIED, OTHER_STATE)

_WIRED = re.compile(r"^\|\s*([\w/-]+)\s*\|\s*([\w.-]+)\s*\|\s*([\w/-]+)\s*\|\s*([\w.-]+)\s*\|\s*$", re.MULTILINE)
_HEADER = re.compile(r"^\|\s*stack\s*\|\s*variable\s*\|\s*from stack\s*\|\s*output\s*\|\s*$", re.MULTILINE)


# What says where a state lies, the name of the state first.
_KEYS = {
    "azurerm": ("key", "storage_account_name", "container_name"),
    "s3": ("key", "bucket"),
    "gcs": ("prefix", "bucket"),
    "consul": ("path", "address"),
    "http": ("address",),
    "pg": ("schema_name", "conn_str"),
}
_SWITCHED = re.compile(r"workspace\s+(select|new)\b|TF_WORKSPACE|-backend-config[= ]+[\"']?key=")
_SCRIPTS = ("*.sh", "*.ps1", "*.yml", "*.yaml", "*Makefile", "*justfile", "*.mk")
# Roots that show a module or test it; nobody keeps what they make.
_SHOWN = re.compile(r"(^|/)(examples?|tests?|fixtures|samples?)(/|$)")


def check(tree: Tree) -> Iterator[Finding]:
    """What is wrong with data, states and copies, root by root."""
    for file in tree.homeless:
        yield DATA_UNDECLARED.at(file, f"No Terraform root is found for {file}.")
    for path, root in tree.roots.items():
        if not tree.is_broken(path):
            yield from attempted((_undeclared, _missing, _local_state), tree, root)
        yield from attempted((_differing, _copies_of_modules), tree, root)
    yield from attempted((_without_file, _unwired, _shared_keys, _copied_roots, _lookups), tree)


# ---- data


def _undeclared(tree: Tree, root: Folder) -> Iterator[Finding]:
    for data in (each for each in tree.said if each.root == root.path):
        for name in data.values:
            if name not in root.variables:
                what = f"{name} is set for {root.path}, which declares no such variable."
                yield DATA_UNDECLARED.at(_line(tree, data, name), what, data.environment)


def _line(tree: Tree, data: Data, name: str) -> str:
    wanted = f'"{name}"' if data.file.endswith(".json") else name
    return tree.checkout.line(data.file, wanted)


def _missing(tree: Tree, root: Folder) -> Iterator[Finding]:
    every = tree.data_of(root.path)
    for name, variable in root.variables.items():
        without = [data for data in every if name not in data.values]
        if len(without) < len(every) and "default" not in variable.block.attributes:
            for data in without:
                yield DATA_MISSING.at(
                    data.file, f"{root.path} requires {name}, and {data.environment} does not set it.", data.environment
                )


def _differing(tree: Tree, root: Folder) -> Iterator[Finding]:
    path = root.path
    every = tree.data_of(path)
    for name, variable in root.variables.items():
        without = [data for data in every if name not in data.values]
        if "default" in variable.block.attributes and 0 < len(without) < len(every):
            having = ", ".join(data.environment for data in every if data not in without)
            for data in without:
                what = f"{name} of {path} is set in {having} and left to its default in {data.environment}."
                yield ENVIRONMENTS_DIFFER.at(data.file, what, data.environment)


def _without_file(tree: Tree) -> Iterator[Finding]:
    """Environments that have data for most roots two others share, and none for one of them."""
    roots = {each: {data.root for data in tree.data if data.environment == each} for each in tree.environments}
    for environment, own in roots.items():
        for path in sorted(tree.roots):
            having = [other for other, theirs in roots.items() if path in theirs and _are_alike(own, theirs)]
            if len(having) >= 2 and (environment, path) not in tree.spoken:
                folder = next(posixpath.dirname(data.file) for data in tree.data if data.environment == environment)
                what = f"{environment} has no data for {path}, which {' and '.join(having)} have."
                yield ENVIRONMENTS_DIFFER.at(folder, what, environment)


def _are_alike(own: set[str], theirs: set[str]) -> bool:
    return 2 * len(own & theirs) > len(theirs)


# ---- what stacks give each other, where a table says so


def _unwired(tree: Tree) -> Iterator[Finding]:
    """Required variables that neither data nor the table of wiring fills, and rows of the table that match nothing."""
    for file in tree.checkout.matching("*.md"):
        text = tree.text(file)
        if not _HEADER.search(text):
            continue
        rows = [row for row in _WIRED.findall(text) if row[:2] != ("stack", "variable")]
        below = posixpath.dirname(file)
        named = {posixpath.basename(path): root for path, root in tree.roots.items() if path.startswith(below)}
        for row in rows:
            yield from _row(tree, file, row, named)
        for stack, root in named.items():
            if not tree.is_broken(root.path):
                wired = {variable.partition(".")[0] for to, variable, _, _ in rows if to == stack}
                yield from _from_nowhere(tree, root, wired)


def _row(tree: Tree, file: str, row: tuple[str, str, str, str], named: dict[str, Folder]) -> Iterator[Finding]:
    stack, variable, source, output = row
    place = tree.checkout.line(file, f"| {stack} | {variable} |")
    to, giver = named.get(stack), named.get(posixpath.basename(source))
    if to and not tree.is_broken(to.path) and variable.partition(".")[0] not in to.variables:
        yield DATA_UNDECLARED.at(place, f"{variable} is handed to {to.path}, which declares no such variable.")
    if giver and not tree.is_broken(giver.path) and output.partition(".")[0] not in giver.outputs:
        yield DATA_MISSING.at(place, f"{stack} takes {output} of {source}, and {giver.path} has no such output.")


def _from_nowhere(tree: Tree, root: Folder, wired: set[str]) -> Iterator[Finding]:
    given = wired.union(*(data.values for data in tree.data_of(root.path)))
    of_provider = {
        reference.path[1]
        for item in root.all("provider")
        for block in item.block.walk()
        for attribute in block.attributes.values()
        for reference in attribute.references
        if reference.path[0] == "var"
    }
    for name, item in root.variables.items():
        if name not in given | of_provider and "default" not in item.block.attributes:
            yield DATA_MISSING.at(
                item.place, f"{root.path} requires {name}, and no data file and no other stack's output fills it."
            )


# ---- state


def _local_state(tree: Tree, root: Folder) -> Iterator[Finding]:
    kinds = [block.labels[0] for _, block in root.settings("backend") if block.labels]
    if _SHOWN.search(root.path) or root.path in shared.once(tree.checkout, Units).kept:
        return
    if (not kinds and not any(root.settings("cloud"))) or kinds == ["local"]:
        place = next((item.place for item in root.all("terraform")), root.items[0].place if root.items else root.path)
        yield STATE.at(
            place, f"{root.path} keeps its state on the disk of whoever applies it: it has no remote backend."
        )


def _shared_keys(tree: Tree) -> Iterator[Finding]:
    keys: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for path, root in tree.roots.items():
        for item, block in root.settings("backend"):
            first, *others = _KEYS.get(block.name, ("key",))
            key = block.literal(first)
            if key is None:
                continue
            place = item.at(block.attributes[first].line)
            keys[(block.name, key, *(block.literal(each) or "" for each in others))].append((path, place))
            environments = [data.environment for data in tree.data_of(path)]
            if len(environments) > 1 and not _has_workspaces(tree, root):
                yield STATE.at(place, f"{path} writes {key} for all of {', '.join(environments)}.", *environments)
    for (_, key, *_), users in keys.items():
        for path, place in users[1:]:
            yield STATE.at(place, f"{path} keeps its state under {key}, and so does {users[0][0]}.")


def _has_workspaces(tree: Tree, root: Folder) -> bool:
    """Whether each environment has a state of its own behind the one key, or another key when it is initialised."""
    blocks = [block for item in root.items for block in item.block.walk()]
    read = (each.path for block in blocks for attribute in block.attributes.values() for each in attribute.references)
    if ("terraform", "workspace") in read:
        return True
    return any(_SWITCHED.search(tree.checkout.found(file)) for file in tree.checkout.matching(*_SCRIPTS))


# ---- copies


def _shape(item: Item) -> frozenset[str]:
    return frozenset((*item.block.attributes, *(each.kind for each in item.block.blocks)))


def _copies_of_modules(tree: Tree, root: Folder) -> Iterator[Finding]:
    for address, item in root.resources.items():
        for path in sorted(tree.called & set(tree.folders), key=str):
            original = tree.folders[str(path)].resources.get(address)
            if original and len(_shape(item)) > 3 and _shape(item) == _shape(original):
                yield COPIED.at(item.place, f"{address} of {root.path} is a copy of the one in {path}.")
                break


def _copied_roots(tree: Tree) -> Iterator[Finding]:
    seen: dict[frozenset[tuple[str, frozenset[str]]], str] = {}
    for path, root in sorted(tree.roots.items()):
        shape = frozenset((address, _shape(item)) for address, item in root.resources.items())
        if len(shape) < 2:
            continue
        if shape in seen:
            place = next(iter(root.resources.values())).file
            yield COPIED.at(place, f"{path} declares the same {len(shape)} resources as {seen[shape]}.")
        seen.setdefault(shape, path)


# ---- other states


def _lookups(tree: Tree) -> Iterator[Finding]:
    makers = {
        item.block.labels[0]: folder.path for folder in tree.folders.values() for item in folder.resources.values()
    }
    for folder in tree.folders.values():
        for item in folder.all("data"):
            type_ = item.block.labels[0]
            if type_ == "terraform_remote_state":
                yield OTHER_STATE.at(item.place, f"data.{item.address} reads the state of another stack.")
            elif makers.get(type_, folder.path) != folder.path and not _is_foreign(tree, item):
                yield OTHER_STATE.at(item.place, f"data.{item.address} looks up what {makers[type_]} makes.")


def _is_foreign(tree: Tree, item: Item) -> bool:
    """Whether a lookup is sure to find something that nobody here makes: all names are known, and none is the same."""
    asked = [each.get("name") for each in tree.lookups if each.item is item]
    made = [each.get("name") for each in tree.instances if each.type == item.block.labels[0]]
    known = bool(asked and made) and all(isinstance(each, str) for each in (*asked, *made))
    return known and not {each.lower() for each in asked} & {each.lower() for each in made}
