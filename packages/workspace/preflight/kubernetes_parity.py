"""Rules for parity: environments have the same objects, which differ only where the workspace says that they may.

What may differ is data of the checkout: a `differences.yaml` with entries of `object`, `paths` and `why`. Without one
nobody knows what is meant, and nothing is compared.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workspace import manifests
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_yaml import Document, items, mapping, read_yaml

UNDECLARED = Rule(
    "kubernetes/undeclared-difference",
    Severity.RISK,
    "Environments that differ where nobody said that they may.",
    "What staging proves says nothing about prod when prod runs something else: fixes of one were missed in two.",
    "Put it into the base, or declare the path in differences.yaml and say why.",
)
IDLE = Rule(
    "kubernetes/difference-idle",
    Severity.RISK,
    "A declared difference that no environment makes use of.",
    "It hides the next real one.",
    "Remove the path from differences.yaml.",
)
RULES = (UNDECLARED, IDLE)

_STEP = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Declared:
    """A path at which objects may differ, and where that is said."""

    thing: str
    path: str
    place: str

    def allows(self, thing: str, path: str) -> bool:
        """True for a path of such an object, or below it."""
        if self.thing not in ("*", thing, thing.partition(" ")[0]):
            return False
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        return path == self.path or path.startswith((f"{self.path}.", f"{self.path}["))


def declared(checkout: Checkout) -> tuple[Declared, ...] | None:
    """What the checkout says may differ; None when it says nothing."""
    files = checkout.matching("differences.yaml", "*/differences.yaml")
    return tuple(each for file in files for each in _read(checkout, file)) or None


def _read(checkout: Checkout, file: str) -> Iterator[Declared]:
    documents, _ = read_yaml(checkout.found(file))
    for node, value in documents:
        document = Document(file, node, value)
        for index, entry in enumerate(map(mapping, items(mapping(value).get("differences")))):
            for number, path in enumerate(items(entry.get("paths"))):
                place = document.find(("differences", index, "paths", number))[1]
                yield Declared(str(entry.get("object")), str(path), place)


def check(scenes: Sequence[Scene], allowed: Sequence[Declared] | None) -> Iterator[Finding]:
    """What differs between environments and is not declared, and what is declared and does not differ."""
    environments = [each for each in scenes if each.environment and each.things]
    if allowed is None or len(environments) < 2 or not all(each.whole for each in environments):
        return
    used: set[Declared] = set()
    shared = set.intersection(*({(thing.kind, thing.name) for thing in each.things} for each in environments))
    known = {each.environment: _by_name(each, shared) for each in environments}
    first, *others = environments
    for scene in others:
        yield from _missing(first, scene, known)
        for name, before in known[first.environment].items():
            thing = known[scene.environment].get(name, before)
            for path in manifests.differences(before.value, thing.value):
                by = [each for each in allowed if each.allows(name, path)]
                used |= set(by)
                if not by:
                    what = f"{thing} differs from {first.environment} in {path}."
                    yield scene.find(UNDECLARED, _place(thing, before, path), what)
    for each in allowed:
        if each not in used:
            yield IDLE.at(each.place, f"{each.thing} is the same in all environments at {each.path}.")


def _by_name(scene: Scene, shared: Collection[tuple[str, str]]) -> Mapping[str, Thing]:
    """The objects by kind and name; a name that not all environments have is taken to hold its environment's."""
    found = {}
    for each in scene.things:
        is_shared = (each.kind, each.name) in shared
        name = each.name if is_shared else each.name.replace(scene.environment, "{env}")
        found[f"{each.kind} {name}"] = each
    return found


def _missing(first: Scene, scene: Scene, known: Mapping[str, Mapping[str, Thing]]) -> Iterator[Finding]:
    here, there = known[scene.environment], known[first.environment]
    for one, other, where in ((there, here, scene), (here, there, first)):
        for name, thing in one.items():
            if name not in other:
                yield where.find(UNDECLARED, thing.origin(), f"{thing} is missing in {where.environment}.")


def _place(thing: Thing, before: Thing, path: str) -> str:
    """Where the environment says it; where the other one does when this one says nothing."""
    steps: list[Any] = _STEP.findall(path)
    is_left = thing.place(*steps) == thing.origin(*steps) and before.place(*steps) != before.origin(*steps)
    return before.place(*steps) if is_left or not thing.at(steps[0]) else thing.place(*steps)
