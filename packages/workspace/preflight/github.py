"""Rules for GitHub workflows and .gitmodules: what starts when, what it changes, and which failure nobody would see."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from workspace.preflight import (
    github_engines,
    github_failures,
    github_images,
    github_references,
    github_submodules,
    github_triggers,
    github_trust,
    github_waits,
)
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Checked, Finding, Report, Rule, Severity, with_others
from workspace.preflight.github_changes import changes
from workspace.preflight.github_workflow import Tree

RULES: tuple[Rule, ...] = (
    *github_references.RULES,
    *github_triggers.RULES,
    *github_waits.RULES,
    *github_failures.RULES,
    *github_trust.RULES,
    *github_images.RULES,
    *github_engines.RULES,
    *github_submodules.RULES,
)


def check(checkout: Checkout, today: date | None = None) -> Report:
    """What is wrong with the workflows and submodules of a checkout; `today` decides what has aged."""
    tree = Tree(checkout)
    findings = [
        *github_references.check(tree),
        *github_triggers.check(tree),
        *github_waits.check(tree),
        *github_failures.check(tree),
        *github_trust.check(tree),
        *github_images.check(tree, today or datetime.now(UTC).date()),
        *github_engines.check(tree),
        *github_submodules.check(tree),
    ]
    return Report.of([Report(_checked(tree), tuple(_gathered(findings)))])


def _gathered(findings: list[Finding]) -> Iterator[Finding]:
    """The findings; what is no error and true of many places of a file is told at the first, with their number."""
    known: dict[tuple[str, str, str, tuple[str, ...]], list[Finding]] = {}
    for each in findings:
        if each.rule.severity is Severity.ERROR:
            yield each
        else:
            known.setdefault((each.rule.id, each.file, each.what, each.environments), []).append(each)
    for (_, _, what, environments), same in known.items():
        first = min(same, key=lambda each: each.line)
        places = len({each.line for each in same})
        yield first.rule.at(first.place, with_others(what, places), *environments)


def _checked(tree: Tree) -> tuple[Checked, ...]:
    jobs = [job for workflow in tree.workflows for job in workflow.jobs.values()]
    scripts = [step for job in jobs for step in job.own_steps if step.text]
    return (
        Checked("GitHub workflows and actions", len(tree.workflows) + len(tree.actions)),
        Checked("jobs, of which deploy " + str(sum(bool(changes(each)) for each in jobs)), len(jobs)),
        Checked("scripts of steps", len(scripts), "tree-sitter-bash"),
        Checked("submodules", len(tree.submodules)),
    )
