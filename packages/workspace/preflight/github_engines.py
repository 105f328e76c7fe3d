"""A rule for the Terraform that a workflow installs, against what the roots say that its steps work in."""

import posixpath
import re
from collections.abc import Iterator

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import placed, terraform_folder
from workspace.preflight.github_expressions import expressions
from workspace.preflight.github_values import readings
from workspace.preflight.github_workflow import Job, Step, Tree
from workspace.preflight.terraform_read import Unreadable, read

ENGINE = Rule(
    "github/terraform-version",
    Severity.ERROR,
    "A Terraform installed for a root whose required_version does not take it.",
    "The first command stops with Unsupported Terraform Core version: the pin was raised in one of the two places.",
    "Make terraform_version of the step and required_version of the root agree.",
)
RULES: tuple[Rule, ...] = (ENGINE,)

Version = tuple[int, int, int]
_SETUP = "hashicorp/setup-terraform"
_ASKED = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+|x|\*))?")
_PART = re.compile(r"(>=|<=|!=|~>|>|<|=|)\s*v?(\d+(?:\.\d+){0,2})")
# No minor of Terraform has had as many patches.
_PATCHES = 60


def check(tree: Tree) -> Iterator[Finding]:
    """The versions that workflows install and the roots after them refuse."""
    for workflow in tree.workflows:
        for job in workflow.jobs.values():
            setup: Step | None = None
            told: set[str] = set()
            for step in job.own_steps:
                if step.action == _SETUP:
                    setup, told = step, set()
                for folder in _folders(step) if setup else ():
                    if setup and folder not in told:
                        told.add(folder)
                        yield from _judged(tree, job, setup, folder)


def _folders(step: Step) -> Iterator[str]:
    """The folders in which a step runs Terraform, as far as they are written out."""
    for command, folder in placed(step):
        if command.program == "terraform" and command.verbs:
            found = terraform_folder(command, folder)
            if found and not re.search(r"[$*]|\{\{", found):
                yield found


def _judged(tree: Tree, job: Job, setup: Step, folder: str) -> Iterator[Finding]:
    given = setup.given["terraform_version"]
    text = given.text.strip()
    if expressions(text):
        found = readings(job, setup, text)
        text = found[0] if len(found) == 1 else ""
    asked = _ASKED.fullmatch(text)
    wanted = _required(tree, posixpath.normpath(posixpath.join(job.workflow.root, folder)))
    if asked and wanted and not any(_takes(wanted, each) for each in _versions(asked)):
        what = f"Terraform {text} is installed, and {folder}, where {job.id} runs it, requires {wanted}"
        yield ENGINE.at(f"{job.file}:{given.line}", what)


def _versions(asked: re.Match[str]) -> Iterator[Version]:
    """The versions that may be installed: the one that is written out, or every patch of a minor."""
    major, minor, patch = int(asked[1]), int(asked[2]), asked[3] or "x"
    for number in (int(patch),) if patch.isdecimal() else range(_PATCHES):
        yield major, minor, number


def _required(tree: Tree, folder: str) -> str:
    """What the files of a root require of Terraform, all their conditions together; nothing where none is written."""
    found = []
    for file in tree.checkout.matching(f"{folder}/*.tf"):
        if posixpath.dirname(file) != folder:
            continue
        try:
            blocks = read(tree.checkout.found(file)).inner("terraform")
        except Unreadable:
            return ""
        found += [each.literal("required_version") or "" for each in blocks if "required_version" in each.attributes]
    return ", ".join(found) if all(found) else ""


def _takes(wanted: str, version: Version) -> bool:
    """Whether conditions take a version; true where one cannot be read."""
    return all(_takes_part(part.strip(), version) for part in wanted.split(","))


def _takes_part(part: str, version: Version) -> bool:
    found = _PART.fullmatch(part)
    if not found:
        return True
    numbers = [int(each) for each in found[2].split(".")]
    low = (*numbers, 0, 0)[:3]
    if found[1] == "~>":
        return len(numbers) < 2 or (version >= low and list(version[: len(numbers) - 1]) == numbers[:-1])
    return {
        ">=": version >= low,
        "<=": version <= low,
        "!=": version != low,
        ">": version > low,
        "<": version < low,
    }.get(found[1], version == low)
