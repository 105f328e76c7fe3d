"""The families of rules: what there is, and the module of each, which is imported only when it is asked."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

from workspace.errors import Refused
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Report, Rule, Severity
from workspace.preflight.guard import FAILED, failure

Facts = Mapping[str, Any]
"""What whoever asks knows of each environment, as plain data that JSON can hold."""


class Family(Protocol):
    """A module of rules."""

    RULES: tuple[Rule, ...]
    check: Callable[..., Report]
    """What was looked at in a checkout and what was found; a family that compares facts takes `facts`, too."""


FAMILIES: Mapping[str, str] = {
    "terraform": "roots, modules, data files: references, arguments, values, states, secrets",
    "kubernetes": "manifests and kustomizations, rendered for each environment and as they are written",
    "across": "what Terraform, Bicep, Kubernetes and workflows declare, and what they name of each other",
    "github": "workflows, local actions and .gitmodules: triggers, gates, waits, lost failures, secrets, pins",
    "docker": "Dockerfiles: bases, stages, what is copied, ports against the manifests that call them",
    "bicep": "templates, modules and parameter files",
    "azure": "what Azure refuses late or has retired: quota, regions, tiers, sizes, versions, base images",
}
"""Each family's name, which is its module's name as well, and what it reads; the slowest first."""

BESIDE: Mapping[str, str] = {
    "kubernetes": "terraform",
    "bicep": "terraform",
    "across": "terraform",
    "azure": "terraform",
}
"""Families that read what another has read: they look in its process, after it."""

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "across": ("ownership", "names", "dns", "tls", "secrets", "graph", "images", "parity", "catalogue"),
}
"""The first words of the ids of a family's rules, where these are not the family's name."""

CLOSED = Rule(
    "preflight/not-opened",
    Severity.RISK,
    "A folder that cannot be opened.",
    "What stands in it was not looked at, and silence would look like a clean bill.",
    "Give the user that checks the right to read it, or check as another user.",
)
GARBLED = Rule(
    "preflight/not-utf-8",
    Severity.ERROR,
    "A definition that is not written in UTF-8.",
    "Terraform and Kubernetes' YAML refuse the file, although an editor shows it as if nothing were wrong.",
    "Save the file as UTF-8 without a byte order mark.",
)
OWN = "preflight"
OWN_RULES = (FAILED, CLOSED, GARBLED)
"""What preflight says about itself and about files, whatever the family."""


def family(name: str) -> Family:
    """The module of a family; Refused with those there are."""
    if name not in FAMILIES:
        raise Refused(f"There is no family of rules {name}; there are {', '.join(FAMILIES)}.")
    return cast(Family, importlib.import_module(f"workspace.preflight.{name}"))


def rules(names: Iterable[str] = ()) -> Mapping[str, tuple[Rule, ...]]:
    """The rules by family, all of them or those of some families; what preflight says about itself comes last."""
    return {**{each: family(each).RULES for each in names or FAMILIES}, OWN: OWN_RULES}


def owner(word: str) -> str:
    """The family of a subject, which is the first word of a rule's id; the word itself where there is none."""
    return next((family for family, its in SUBJECTS.items() if word in its), word)


def looked(name: str, checkout: Checkout, facts: Facts | None = None) -> Report:
    """What one family finds; whatever goes wrong in it is a finding. Facts go to the families that compare them."""
    module = family(name)
    given = {"facts": facts} if facts and "facts" in inspect.signature(module.check).parameters else {}
    try:
        report = module.check(checkout, **given)
    except Exception as error:
        report = Report(findings=(failure(error, module.check),))
    return Report.of([report, Report(findings=tuple(_unreadable(checkout)))])


def _unreadable(checkout: Checkout) -> Iterator[Finding]:
    for folder, why in checkout.closed:
        yield CLOSED.at(folder, f"{folder} was not looked at: {why}.")
    for file, (line, why) in checkout.garbled.items():
        yield GARBLED.at(f"{file}:{line}", f"{file} {why}.")
