"""Rules for kustomizations as they are written: every path exists, every patch and image rule finds what it changes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_files import Kustomization, Patch, Tree
from workspace.preflight.kubernetes_scene import aims_at, pointer
from workspace.preflight.kubernetes_yaml import Document, items, mapping

SYNTAX = Rule(
    "kubernetes/syntax",
    Severity.ERROR,
    "A manifest that is not YAML, or says a key twice.",
    "Nothing that builds on the file can be applied; a key said twice silently loses one of its values.",
    "Correct the line.",
)
PATH = Rule(
    "kubernetes/path-missing",
    Severity.ERROR,
    "A kustomization that names a file or folder which does not exist.",
    "Kustomize refuses the whole overlay.",
    "Correct the path, or add the file.",
)
PATCH = Rule(
    "kubernetes/patch-idle",
    Severity.ERROR,
    "A patch that matches nothing or changes nothing.",
    "Kustomize passes over a target it does not find: an environment ran for months with the sizes of another.",
    "Correct the target, or remove the patch.",
)
IMAGE_RULE = Rule(
    "kubernetes/image-rule-idle",
    Severity.ERROR,
    "A rule under `images` that matches no container.",
    "The tag was set on a name nobody used; the same image was applied again and nothing rolled out.",
    "Write the name as the container's `image` has it, without tag.",
)
OUTSIDE = Rule(
    "kubernetes/path-outside",
    Severity.RISK,
    "A kustomization that builds on something outside the folder that was checked.",
    "What it builds cannot be known from here, and whoever checks out this folder alone cannot build it.",
    "Move what it needs below the folder, or check the folder above.",
)
RENDER = Rule(
    "kubernetes/does-not-render",
    Severity.ERROR,
    "A kustomization that Kustomize refuses.",
    "Nothing of the overlay can be applied.",
    "Build the folder with Kustomize and correct what it names.",
)
CHART = Rule(
    "kubernetes/chart-not-rendered",
    Severity.NOTE,
    "A Helm chart whose templates were not looked at.",
    "Helm fills the templates in when it installs them; until then they are no manifests, and silence is no praise.",
    "Check what `helm template` makes of the chart with each environment's values.",
)
RULES = (SYNTAX, PATH, PATCH, IMAGE_RULE, OUTSIDE, RENDER, CHART)

_LISTS = (
    "resources", "bases", "components", "patches", "patchesStrategicMerge", "patchesJson6902", "configurations", "crds",
)  # fmt: skip
_GENERATED = {"configMapGenerator": "ConfigMap", "secretGenerator": "Secret"}
_IDENTITY = {"apiVersion", "kind", "metadata"}


def check(tree: Tree, failed: list[tuple[Kustomization, str]]) -> Iterator[Finding]:
    """What is wrong with kustomizations; `failed` are those that do not render, with what Kustomize says."""
    for place, said in tree.broken:
        yield SYNTAX.at(place, f"{place.partition(':')[0]} {said}.")
    known: set[str] = {place.partition(":")[0] for place, _ in tree.broken}
    for which in tree.kustomizations.values():
        for finding in attempted((_paths, _leaving, _patches, _images), tree, which):
            known.add(which.file)
            yield finding
    for which in tree.circles():
        known.add(which.file)
        yield RENDER.at(which.file, f"{which.folder} is built on itself.")
    for chart in tree.charts:
        many = "template is" if chart.templates == 1 else "templates are"
        what = f"The chart {chart.name} is not rendered here: its {chart.templates} {many} not looked at."
        if not chart.templates:
            what = f"The chart {chart.name} is not rendered here, and it has no templates but those it fetches."
        yield CHART.at(f"{chart.file}:1", what)
    for which, said in failed:
        # What is already named above is not said a second time in Kustomize's words.
        if not known & set(tree.closure(which)):
            yield RENDER.at(which.file, f"Kustomize does not build {which.folder}: {said.rstrip('.')}.")


def bare(image: str) -> str:
    """An image name without tag and digest; the colon of a registry's port is not a tag."""
    name = image.partition("@")[0]
    start, _, tag = name.rpartition(":")
    return start if start and "/" not in tag else name


def _paths(tree: Tree, which: Kustomization) -> Iterator[Finding]:
    for path, place in which.listed(*_LISTS):
        if path.startswith("..") or tree.exists(path):
            continue
        why = "is a folder without a kustomization" if (tree.checkout.root / path).is_dir() else "does not exist"
        yield PATH.at(place, f"{which.file} names {path}, which {why}.")


def _leaving(tree: Tree, which: Kustomization) -> Iterator[Finding]:
    for path, place in tree.leaving(which):
        yield OUTSIDE.at(place, f"{which.file} builds on {path}, which is outside the folder that was checked.")


def _patches(tree: Tree, which: Kustomization) -> Iterator[Finding]:
    patches = list(tree.patches(which))
    known = _objects(tree, which) if patches else None
    if known is None:
        return
    is_making = any(each.value.get(key) for each in tree.family(which) for key in _GENERATED)
    for patch in patches:
        aims = [patch.target] if patch.target else [_identity(each) for each in patch.documents]
        for aim in aims:
            if is_making and aim.get("kind") in (None, *_GENERATED.values()):
                continue  # it may be for what Kustomize generates
            found = [each for each in known if any(aims_at(aim, each.kind, name) for name in _names(tree, each))]
            if not found:
                what = " ".join(str(aim[key]) for key in ("kind", "name") if aim.get(key))
                yield PATCH.at(patch.place, f"The patch is for {what}, which {which.folder} does not have.")
        yield from _unchanged(tree, which, patch, known)


def _unchanged(tree: Tree, which: Kustomization, patch: Patch, known: list[Document]) -> Iterator[Finding]:
    others = [each for folder in tree.family(which) for each in tree.patches(folder) if each.place != patch.place]
    for place, operation in patch.operations:
        found = [each for each in known if aims_at(patch.target, each.kind, each.name)]
        steps = pointer(operation)
        if operation.get("op") not in ("replace", "add") or any(
            _touches(one, each, steps) for one in others for each in found
        ):
            continue
        if found and all(_at(each.value, steps) == operation.get("value") for each in found):
            what = f"{found[0].kind} {found[0].name} sets {operation.get('path')} to {operation.get('value')}"
            yield PATCH.at(place, f"The patch of {what}, as it is anyway.")
    if patch.documents and not patch.operations and not patch.target:
        pairs = [(own, each) for own in patch.documents for each in known if _same(own, each)]
        is_alone = not any(_touches(one, each, []) for one in others for _, each in pairs)
        if pairs and is_alone and all(_covers(each.value, _content(own)) for own, each in pairs):
            names = ", ".join(f"{own.kind} {own.name}" for own, _ in pairs)
            yield PATCH.at(patch.place, f"The patch of {names} says only what {which.folder} builds on says anyway.")


def _touches(patch: Patch, document: Document, steps: list[str]) -> bool:
    """True when the patch changes the object at the path, above it or below it."""
    for each in patch.documents:
        aim = patch.target or _identity(each)
        if aims_at(aim, document.kind, document.name) and each.find(steps)[0] == len(steps):
            return True
    if not aims_at(patch.target, document.kind, document.name):
        return False
    ways = [pointer(operation) for _, operation in patch.operations if operation.get("op") != "test"]
    return any(way[: len(steps)] == steps[: len(way)] for way in ways)


def _images(tree: Tree, which: Kustomization) -> Iterator[Finding]:
    known = _objects(tree, which) if which.value.get("images") else None
    if known is None:
        return
    images = {bare(image) for each in known for image in _said_images(each.value)}
    entries = [each for folder in tree.family(which) for each in items(folder.value.get("images"))]
    images |= {str(each.get("newName")) for each in entries if isinstance(each, dict)}
    for index, entry in enumerate(items(which.value.get("images"))):
        name = str(mapping(entry).get("name", ""))
        if name not in images:
            used = ", ".join(sorted(images - {"None"})) or "none"
            place = which.document.find(["images", index])[1]
            yield IMAGE_RULE.at(place, f"The image rule for {name} matches no container; the images here are {used}.")


def _objects(tree: Tree, which: Kustomization) -> list[Document] | None:
    """The documents its patches may change, None when they cannot be known from files."""
    makers = [each for each in _users(tree, which) if not each.is_component] if which.is_component else [which]
    files: dict[str, None] = {}
    for maker in makers:
        family = tree.family(maker)
        if any(_is_open(tree, each) for each in family):
            return None
        changing = {path for each in family for path, _ in each.listed(*_LISTS[3:])}
        files |= dict.fromkeys(file for file in tree.closure(maker) if file not in changing)
    made = [each for file in files for each in tree.documents.get(file, ()) if each.kind and each.name]
    return [each for each in made if each.kind not in ("Kustomization", "Component")] or None


def _is_open(tree: Tree, which: Kustomization) -> bool:
    """True when it takes in what no file here holds, or what could not be read."""
    paths = [path for path, _ in which.listed("resources", "bases", "components")]
    missing = [path for path in paths if not tree.exists(path)]
    return which.is_fetching or bool(missing) or tree.broken_in(paths)


def _users(tree: Tree, which: Kustomization) -> list[Kustomization]:
    return [each for each in tree.kustomizations.values() if which in tree.family(each)]


def _names(tree: Tree, document: Document) -> Iterator[str]:
    """The names a target may use for an object: its own, and those that prefixes and suffixes make of it."""
    befores = {str(each.value.get("namePrefix") or "") for each in tree.kustomizations.values()} | {""}
    afters = {str(each.value.get("nameSuffix") or "") for each in tree.kustomizations.values()} | {""}
    for before in befores:
        for after in afters:
            yield before + document.name + after


def _identity(document: Document) -> dict[str, Any]:
    return {"kind": document.kind, "name": re.escape(document.name)} if document.name else {"kind": document.kind}


def _same(own: Document, other: Document) -> bool:
    return (own.kind, own.name) == (other.kind, other.name)


def _content(document: Document) -> dict[str, Any]:
    metadata = {key: value for key, value in mapping(document.value.get("metadata")).items() if key != "name"}
    rest = {key: value for key, value in document.value.items() if key not in _IDENTITY}
    return {**rest, "metadata": metadata}


def _said_images(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("containers", "initContainers"):
                yield from (str(mapping(one).get("image", "")) for one in items(each))
            yield from _said_images(each)
    for each in items(value):
        yield from _said_images(each)


def _at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            value = mapping(value).get(step)
    return value


def _covers(before: Any, after: Any) -> bool:
    """True when a merge of `after` leaves `before` as it is."""
    if isinstance(after, dict):
        return isinstance(before, dict) and all(_covers(before.get(key), value) for key, value in after.items())
    if isinstance(after, list) and all(isinstance(each, dict) and "name" in each for each in after):
        named: Callable[[Any], Any] = lambda each: mapping(each).get("name")  # noqa: E731 - a key, used twice
        return all(any(named(old) == named(new) and _covers(old, new) for old in items(before)) for new in after)
    return bool(before == after)
