"""What each environment would run: its overlays rendered by Kustomize, its plain manifests, and where each is from."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from workspace.clients.kustomize import Kustomize
from workspace.errors import Broken, Refused
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule
from workspace.preflight.kubernetes_files import Kustomization, Tree
from workspace.preflight.kubernetes_yaml import Document, items, mapping

Path = Sequence[str | int]
# The wheel first: it renders many folders in one go.
_KUSTOMIZE = Kustomize(engines=("pykustomize", "kubectl", "kustomize"))
_ENVIRONMENT = re.compile(
    r"(dev|development|int|test|testing|qa|uat|stg|stage|staging|sandbox|preprod|prod|prd|production|live)"
)
_PRODUCTION = {"prod", "prd", "production", "live"}
_ABOVE = {"overlays", "environments", "envs", "env", "stages"}
_KNOWN: dict[str, list[dict[str, Any]] | str] = {}
_KEPT = 2000
# A Rollout is what Argo makes of a Deployment.
_PODS_OF = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout")
Answer = list[dict[str, Any]] | Refused


@dataclass(frozen=True)
class Thing:
    """One object of an environment, and the documents and patches it comes from."""

    value: dict[str, Any]
    tree: Tree
    files: tuple[str, ...]
    parts: tuple[Kustomization, ...]

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.value.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name."""
        return str(mapping(self.value.get("metadata")).get("name", ""))

    @property
    def namespace(self) -> str:
        """Its namespace, or nothing."""
        return str(mapping(self.value.get("metadata")).get("namespace") or "")

    def __str__(self) -> str:
        # As it is written, so that a mistake of a base reads the same in every environment.
        return f"{self.kind} {self._documents[0].name if self._documents else self.name}"

    def at(self, *path: str | int) -> Any:
        """The value at a path, None when there is none."""
        value: Any = self.value
        for step in path:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else None
            else:
                value = mapping(value).get(step)
        return value

    def mapping(self, *path: str | int) -> dict[str, Any]:
        """The mapping at a path, or an empty one."""
        return mapping(self.at(*path))

    def items(self, *path: str | int) -> list[Any]:
        """The list at a path, or an empty one."""
        return items(self.at(*path))

    @cached_property
    def pod(self) -> dict[str, Any]:
        """The spec of the pods it makes, empty when it makes none."""
        return self.mapping(*self.pod_path)

    @property
    def pod_path(self) -> tuple[str, ...]:
        """Where the spec of its pods stands."""
        if self.kind == "CronJob":
            return ("spec", "jobTemplate", "spec", "template", "spec")
        return ("spec",) if self.kind == "Pod" else ("spec", "template", "spec") if self.kind in _PODS_OF else ("none",)

    @property
    def labels(self) -> dict[str, Any]:
        """The labels of its pods."""
        return self.mapping(*self.pod_path[:-1], "metadata", "labels")

    def containers(self, *, starting: bool = True) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        """Its containers, each with its path; those that only prepare come last, or not at all."""
        for key in ("containers", "initContainers") if starting else ("containers",):
            for each in items(self.pod.get(key)):
                if isinstance(each, dict):
                    yield (*self.pod_path, key, str(each.get("name", ""))), each

    def place(self, *path: str | int) -> str:
        """Where a path was last said: in a patch of the environment when it is there, else where the object stands."""
        return max([*self._operations(path), *self._found(path)], key=lambda each: each[0], default=(0, self._any))[1]

    def origin(self, *path: str | int) -> str:
        """Where the object itself stands, or as much of the path as it has: for what is missing."""
        found = [each for each in self._found(path) if each[1].partition(":")[0] not in self._patch_files]
        return max(found, key=lambda each: each[0], default=(0, self._any))[1]

    @property
    def _any(self) -> str:
        return self.files[0]

    def _found(self, path: Path) -> Iterator[tuple[int, str]]:
        for document in self._documents:
            yield document.find(path)

    @cached_property
    def _documents(self) -> list[Document]:
        known = [each for file in self.files for each in self.tree.documents.get(file, ()) if each.kind == self.kind]
        longest = max((each.name for each in known if each.name in self.name), key=len, default="")
        return [each for each in known if longest and each.name == longest]

    @cached_property
    def sources(self) -> frozenset[str]:
        """The files in which the object itself stands."""
        return frozenset(each.file for each in self._documents) - self._patch_files

    @cached_property
    def _patch_files(self) -> set[str]:
        return {file for part in self.parts for file, _ in part.listed("patches", "patchesStrategicMerge")}

    def _operations(self, path: Path) -> Iterator[tuple[int, str]]:
        wanted = [str(step) for step in path]
        for patch in (each for part in self.parts for each in self.tree.patches(part)):
            if not aims_at(patch.target, self.kind, self.name):
                continue
            for place, operation in patch.operations:
                steps = pointer(operation)
                if operation.get("op") != "test" and steps and steps == wanted[: len(steps)]:
                    yield len(wanted) + 1, place


@dataclass(frozen=True)
class Scene:
    """All objects of one environment; not `whole` when some of it could not be rendered.

    `shared` are those that belong to no environment; they can be seen from here.
    """

    environment: str
    things: tuple[Thing, ...]
    shared: tuple[Thing, ...] = ()
    whole: bool = True

    @property
    def is_production(self) -> bool:
        """True when people depend on it."""
        return self.environment in _PRODUCTION

    def of(self, *kinds: str) -> list[Thing]:
        """The objects of these kinds."""
        return [each for each in self.things if each.kind in kinds]

    def apart(self, *kinds: str) -> list[Thing]:
        """The objects of these kinds, each once, although several overlays of the environment bring it."""
        return list({(each.kind, each.namespace, each.name): each for each in reversed(self.of(*kinds))}.values())[::-1]

    def one(self, kind: str, name: Any, namespace: str | None = None) -> Thing | None:
        """The object of that name; in that namespace when one is given."""
        wanted = (each for each in self._by_name.get((kind, str(name)), ()) if namespace in (None, each.namespace))
        return next(iter(wanted), None)

    @cached_property
    def workloads(self) -> list[Thing]:
        """The objects that make pods."""
        return [each for each in self.things if each.pod]

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[Thing]]:
        found: dict[tuple[str, str], list[Thing]] = {}
        for each in (*self.things, *self.shared):
            found.setdefault((each.kind, each.name), []).append(each)
        return found

    def find(self, rule: Rule, place: str, what: str) -> Finding:
        """A finding in this environment."""
        return rule.at(place, what, *([self.environment] if self.environment else []))


def scenes(tree: Tree) -> tuple[list[Scene], list[tuple[Kustomization, str]]]:
    """Every environment of a checkout, and the kustomizations that do not render, each with what Kustomize says."""
    found: dict[str, list[Thing]] = {}
    failed: list[tuple[Kustomization, str]] = []
    torn: set[str] = set()
    answers = render([tree])
    for part, folders in tree.parts:
        answer = answers.get(digest(tree, part), "")
        if isinstance(answer, str):
            failed += [(part, answer)] if answer else []
            torn.add(_environment(folders, [part.value]))
            continue
        parts = tuple(tree.family(part))
        files = tuple(tree.closure(part))
        environment = _environment(folders, answer)
        found.setdefault(environment, []).extend(Thing(each, tree, files, parts) for each in answer)
    for file in tree.loose:
        values = [each.value for each in tree.documents[file] if each.kind and isinstance(each.value, dict)]
        things = [Thing(each, tree, (file,), ()) for each in values]
        found.setdefault(_environment([file.rpartition("/")[0]], values), []).extend(things)
    torn |= {_environment([place.rpartition("/")[0]], []) for place, _ in tree.broken}
    is_alone = set(found) == {""} and not torn
    shared = tuple(found.get("", ()))
    made = []
    for name in sorted(found):
        # A base that no environment builds on is no place where anything could be missing.
        is_whole = name not in torn if name else is_alone
        made.append(Scene(name, tuple(found[name]), shared if name else (), is_whole))
    return made, failed


def render(trees: Sequence[Tree]) -> Mapping[str, list[dict[str, Any]] | str]:
    """What Kustomize makes of each part of these trees, by the part's digest, or what it says against it.

    All is rendered in one go, and what did not change is not rendered twice. What would be fetched from elsewhere is
    left out.
    """
    if len(_KNOWN) > _KEPT:
        _KNOWN.clear()
    wanted = {digest(tree, part): (tree, part) for tree in trees for part in tree.local}
    new = {key: found for key, found in wanted.items() if key not in _KNOWN}
    folders = {key: (tree.checkout.root / part.folder).resolve() for key, (tree, part) in new.items()}
    try:
        answers: Mapping[Any, Answer] = _KUSTOMIZE.render_all(list(folders.values())) if new else {}
    except (Refused, Broken) as error:
        answers = {place: Refused(str(error)) for place in folders.values()}
    for key, (tree, _) in new.items():
        answer = answers[folders[key]]
        _KNOWN[key] = _said(answer, tree.checkout) if isinstance(answer, Refused) else answer
    return {key: _KNOWN[key] for key in wanted}


def aims_at(target: Mapping[str, Any], kind: str, name: str) -> bool:
    """True when a patch with this target changes such an object; names are patterns, as Kustomize takes them."""
    wanted = str(target.get("name") or ".*")
    try:
        is_named = wanted == name or bool(re.fullmatch(wanted, name))
    except re.error:
        is_named = False
    return bool(target) and str(target.get("kind") or kind) == kind and is_named


def pointer(operation: Mapping[str, Any]) -> list[str]:
    """The steps of an operation's path."""
    steps = str(operation.get("path", "")).split("/")[1:]
    return [each.replace("~1", "/").replace("~0", "~") for each in steps]


def _environment(folders: Sequence[str], values: Sequence[Mapping[str, Any]]) -> str:
    """The environment of what is reached by these folders: said by their paths, else by what is in it."""
    for steps in (folder.split("/") for folder in folders):
        for step in reversed(steps):
            if _ENVIRONMENT.fullmatch(step):
                return step
        for before, step in pairwise(steps):
            if before in _ABOVE:
                return step
    for value in values:
        metadata = mapping(value.get("metadata"))
        label = mapping(metadata.get("labels")).get("environment") or mapping(metadata.get("labels")).get("env")
        space = str(metadata.get("namespace") or value.get("namespace") or "").rpartition("-")[2]
        if label or _ENVIRONMENT.fullmatch(space):
            return str(label or space)
    return ""


def _said(refusal: Refused, checkout: Checkout) -> str:
    text = str(refusal).replace(f"{checkout.root.resolve()}/", "")
    return text.partition(": ")[2].removeprefix("Error: ")[:400] or text


def digest(tree: Tree, part: Kustomization) -> str:
    """What a part is made of, wherever the checkout stands."""
    files = "".join(f"{file}\0{tree.checkout.found(file)}\0" for file in tree.closure(part))
    return hashlib.sha256(f"{part.folder}\0{files}".encode()).hexdigest()
