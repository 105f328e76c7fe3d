"""The families of rules: what there is, and the module of each, which is imported only when it is asked."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, cast

from workspace.errors import Refused
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Report, Rule, Severity
from workspace.preflight.guard import FAILED, failure


class Family(Protocol):
    """A module of rules."""

    RULES: tuple[Rule, ...]

    def check(self, checkout: Checkout) -> Report:
        """What was looked at in a checkout and what was found."""


FAMILIES: Mapping[str, str] = {
    "terraform": "roots, modules, data files: references, arguments, values, states, secrets",
    "kubernetes": "manifests and kustomizations, rendered for each environment and as they are written",
    "docker": "Dockerfiles: bases, stages, what is copied, ports against the manifests that call them",
    "bicep": "templates, modules and parameter files",
    "azure": "what Azure refuses late or has retired: quota, regions, tiers, sizes, versions, base images",
}
"""Each family's name, which is its module's name as well, and what it reads; the slowest first."""

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


def looked(name: str, checkout: Checkout) -> Report:
    """What one family finds; whatever goes wrong in it is a finding."""
    module = family(name)
    try:
        report = module.check(checkout)
    except Exception as error:
        report = Report(findings=(failure(error, module.check),))
    return Report.of([report, Report(findings=tuple(_unreadable(checkout)))])


def _unreadable(checkout: Checkout) -> Iterator[Finding]:
    for folder, why in checkout.closed:
        yield CLOSED.at(folder, f"{folder} was not looked at: {why}.")
    for file, (line, why) in checkout.garbled.items():
        yield GARBLED.at(f"{file}:{line}", f"{file} {why}.")
