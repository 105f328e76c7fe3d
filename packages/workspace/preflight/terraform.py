"""Terraform definitions, read before anything is touched: every root, module and data file of a checkout."""

from collections.abc import Iterable, Iterator

from workspace.preflight import (
    shared,
    terraform_azure,
    terraform_environments,
    terraform_passed,
    terraform_references,
    terraform_safety,
    terraform_schema,
    terraform_terragrunt,
)
from workspace.preflight.across_environments import canonical, opened
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Checked, Finding, Report, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_tree import Tree
from workspace.preflight.terraform_units import Units

UNREADABLE = Rule(
    "terraform/unreadable",
    Severity.ERROR,
    "A Terraform file or data file cannot be parsed.",
    "About 14 fixes were for syntax, merge markers among them; everything in the folder is unknown until it is mended.",
    "Correct the file at the line named.",
)
_FAMILIES = (
    terraform_references,
    terraform_schema,
    terraform_environments,
    terraform_safety,
    terraform_azure,
    terraform_terragrunt,
)
RULES: tuple[Rule, ...] = (UNREADABLE, *(rule for family in _FAMILIES for rule in family.RULES))


def check(checkout: Checkout) -> Report:
    """What was looked at and what would fail; files that cannot be read are findings, and the rest is still read."""
    tree = shared.once(checkout, Tree)
    found = [
        UNREADABLE.at(f"{file}:{line}" if line else file, f"{file} cannot be read: {reason}.")
        for file, line, reason in tree.unreadable
    ]
    found += attempted([*(family.check for family in _FAMILIES), terraform_passed.check], tree)
    return Report.of([Report(_checked(tree), tuple(_together(found)))])


def _together(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; those of one place that differ by nothing but the environment's word are told with it left open.

    A name that is made from the environment's would otherwise make one mistake of a module as many as environments.
    """
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for each in findings:
        (own,) = each.environments if len(each.environments) == 1 else ("",)
        what = opened(each.what, canonical(own)) if canonical(own) else each.what
        alike.setdefault((each.rule.id, each.place, what), []).append(each)
    for (_, place, what), same in alike.items():
        if len({each.what for each in same}) == 1:
            yield from same
        else:
            everywhere = dict.fromkeys(where for each in same for where in each.environments)
            yield same[0].rule.at(place, what, *everywhere)


def _checked(tree: Tree) -> tuple[Checked, ...]:
    resources = sum(len(folder.all("resource")) + len(folder.all("data")) for folder in tree.folders.values())
    judged = len(list(terraform_schema.judged(tree)))
    written = len(tree.checkout.matching("*.tf.json"))
    units = len(shared.once(tree.checkout, Units).all)
    in_units = (Checked("Terragrunt units", units, "python-hcl2"),) if units else ()
    in_json = (Checked("Terraform files in JSON, read for their syntax alone", written),) if written else ()
    return (
        Checked("Terraform and data files", tree.files, "python-hcl2"),
        *in_json,
        *in_units,
        Checked("resources and data sources against the plugin's schema", judged, "azurerm 5.2 schema"),
        Checked("resources and data sources that the schema does not hold", resources - judged),
        Checked("Terraform roots in an environment", len({(each.root, each.environment) for each in tree.instances})),
        Checked("resources with an environment's values", len(tree.instances)),
    )
