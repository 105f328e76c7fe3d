"""Rules for .gitmodules, and for workflows that need what it names."""

import posixpath
import re
from collections.abc import Iterator

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_workflow import Job, Step, Submodule, Tree

BROKEN = Rule(
    "github/submodule-incomplete",
    Severity.ERROR,
    "A .gitmodules that git cannot use: a section without path or url, a line it cannot read, a forbidden value.",
    "`git submodule update` ends there, and with it every checkout that asks for submodules.",
    "Give each section one path and one url.",
)
ADDRESS = Rule(
    "github/submodule-address",
    Severity.ERROR,
    "A submodule whose address a runner cannot use, or that holds a password.",
    "About 24 fixes were for private submodules and tokens, five credential helpers on one day.",
    "Use https:// without a password; the checkout step brings the token.",
)
KEYED = Rule(
    "github/submodule-needs-key",
    Severity.NOTE,
    "A submodule fetched over ssh, or relative to wherever this repository was cloned from.",
    "An https checkout with a token cannot fetch over ssh without a key, and a fork looks for a neighbour it lacks.",
    "Use https://, or give actions/checkout an ssh-key.",
)
PATH = Rule(
    "github/submodule-path",
    Severity.ERROR,
    "A submodule whose folder is not there, lies outside, or belongs to another one as well.",
    "A folder that git does not register stays empty: what is deployed from it fails after the steps before.",
    "Register it with `git submodule add`, or remove the section.",
)
FOLLOWS = Rule(
    "github/submodule-follows-branch",
    Severity.NOTE,
    "A submodule that follows a branch.",
    "With --remote the same commit of the workspace deploys other code tomorrow.",
    "Leave branch out, and let the recorded commit decide.",
)
REMOTE = Rule(
    "github/submodule-moved-by-workflow",
    Severity.RISK,
    "A workflow that takes the newest commit of a submodule instead of the recorded one.",
    "What was reviewed and what is deployed are then two things.",
    "Use `git submodule update --init` without --remote.",
)
LEFT_OUT = Rule(
    "github/submodules-left-out",
    Severity.ERROR,
    "A job that needs files of a submodule and does not check it out.",
    "The owners' deploy checked out without submodules: infra/ was empty, and its first script was not found.",
    "Set submodules: true (or recursive) on actions/checkout, with a token that may read them.",
)

RULES: tuple[Rule, ...] = (BROKEN, ADDRESS, KEYED, PATH, FOLLOWS, REMOTE, LEFT_OUT)

_FETCHES = re.compile(r"git\s+(-\S+\s+\S+\s+)*submodule\s+(update|init|foreach)|git clone")


def check(tree: Tree) -> Iterator[Finding]:
    """What git cannot fetch, and what workflows miss without it."""
    for unread in tree.unread:
        if unread.file == ".gitmodules":
            yield BROKEN.at(f"{unread.file}:{unread.line}", f"the file {unread.what}")
    for place, each in enumerate(tree.submodules):
        yield from _section(each)
        yield from _address(each)
        yield from _folder(tree, each, tree.submodules[:place])
        branch, line = each.key("branch")
        if branch:
            yield FOLLOWS.at(f"{each.file}:{line}", f"the submodule {each.name} follows the branch {branch}")
    for workflow in tree.workflows:
        for job in workflow.jobs.values():
            for step in job.own_steps:
                yield from _remote(step)
            yield from _left_out(tree, job)


def _section(each: Submodule) -> Iterator[Finding]:
    for key in ("path", "url"):
        if not each.key(key)[0]:
            yield BROKEN.at(f"{each.file}:{each.line}", f"the submodule {each.name} has no {key}")
    update, line = each.key("update")
    if update.startswith("!"):
        yield BROKEN.at(f"{each.file}:{line}", f"the submodule {each.name} has a command as update, which git refuses")


def _address(each: Submodule) -> Iterator[Finding]:
    url, line = each.key("url")
    place = f"{each.file}:{line}"
    said = re.sub(r"//[^/@\s]+@", "//…@", url)
    if re.match(r"\w+://[^/@\s]+:[^/@\s]+@", url):
        yield ADDRESS.at(place, f"the address of {each.name} holds a password ({said})")
    elif re.match(r"(git|http|ftp|file)://", url) or (url.startswith("/") and not url.startswith("//")):
        why = (
            "no runner has that folder"
            if url.startswith(("/", "file"))
            else "hosts no longer serve it, or anyone may change it"
        )
        yield ADDRESS.at(place, f"{each.name} is fetched from {said}: {why}")
    elif url.startswith(("./", "../")):
        yield KEYED.at(place, f"{each.name} is fetched from {said}, relative to where this repository was cloned from")
    elif re.match(r"ssh://|[\w.-]+@[\w.-]+:", url):
        yield KEYED.at(place, f"{each.name} is fetched over ssh ({said})")


def _folder(tree: Tree, each: Submodule, before: tuple[Submodule, ...]) -> Iterator[Finding]:
    written, line = each.key("path")
    place = f"{each.file}:{line}"
    if not written:
        return
    twin = next((other for other in before if other.path == each.path), None)
    if twin:
        yield PATH.at(place, f"{each.name} and {twin.name} both have the path {each.path}")
    elif each.path.startswith(("/", "..")) or written.startswith("/"):
        yield PATH.at(place, f"the path of {each.name} leaves the repository: {written}")
    elif not (tree.checkout.root / each.path).is_dir() and not _is_export(tree):
        yield PATH.at(
            place, f"the folder {each.path} of {each.name} is not there: git has registered no such submodule"
        )


def _is_export(tree: Tree) -> bool:
    """True for files without git's notes: what exports them leaves empty folders out, and so those of submodules."""
    root = tree.checkout.root
    return not (root / ".git").exists() and not any(
        (root / each.path).is_dir() for each in tree.submodules if each.path
    )


def _remote(step: Step) -> Iterator[Finding]:
    for command in step.script.commands:
        if command.program == "git" and "submodule" in command.verbs and "--remote" in command.arguments:
            yield REMOTE.at(step.line(command.row), f"`{command.said}` takes the newest commit, not the recorded one")


def _left_out(tree: Tree, job: Job) -> Iterator[Finding]:
    links = [each for each in tree.submodules if each.path]
    checkouts = [each for each in job.own_steps if each.action == "actions/checkout"]
    if job.workflow.root or not links or not checkouts or any(each.given["submodules"] for each in checkouts):
        return
    if any(each.given["path"] or each.given["repository"] for each in checkouts):
        return
    if any(_FETCHES.search(each.text.text) or "submodule" in each.uses for each in job.steps):
        return
    for step in job.own_steps:
        for place, path in _used(step):
            link = tree.submodule(path)
            if link and not posixpath.normpath(path).startswith(".."):
                said = f"the job {job.id} uses {path}, which lies in the submodule {link.name}, and checks out none"
                yield LEFT_OUT.at(place, said)
                return


def _used(step: Step) -> Iterator[tuple[str, str]]:
    """The paths that a step works in, hands over or names in its script."""
    folder = step.folder.text
    if folder:
        yield f"{step.holder.file}:{step.folder.line}", folder
    if step.uses.startswith("./"):
        yield step.place_in_file, step.uses
    for name, value in step.given.items:
        if (
            re.search(r"path|file|folder|context|location|manifests|template|directory|project", name)
            and "cache" not in step.action
        ):
            yield from (
                (f"{step.holder.file}:{value.line}", each.strip()) for each in value.text.splitlines() if "/" in each
            )
    for command in step.script.commands:
        for word in command.arguments if command.program not in ("echo", "printf", "grep", "mkdir", "rm") else ():
            path = word.partition("=")[2] or word
            if re.fullmatch(r"[\w./-]+", path) and ("/" in path or command.program == "cd"):
                yield step.line(command.row), posixpath.join(folder, path)
