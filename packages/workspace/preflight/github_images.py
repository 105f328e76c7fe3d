"""Rules for the images that workflows build and deploy, and for the age of what they run on."""

import re
from collections.abc import Iterator
from datetime import date

from workspace.preflight.ages import Age, ages, ended
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import changes, is_production
from workspace.preflight.github_expressions import expressions
from workspace.preflight.github_values import readings
from workspace.preflight.github_workflow import Job, Step, Tree

FLOATING = Rule(
    "github/image-floating",
    Severity.RISK,
    "A deploy of an image by a tag that moves.",
    "The same tag applied again rolls nothing, and what it names may have changed between two environments.",
    "Deploy the digest, or a tag that is made once: the commit or the version.",
)
REBUILT = Rule(
    "github/image-built-again",
    Severity.RISK,
    "A production job that builds the image which another environment has already tried.",
    "Bases and packages move between two builds: production runs an image that nobody tested.",
    "Build once, and hand the digest on.",
)
GONE = Rule(
    "github/retired",
    Severity.ERROR,
    "A runner or action that GitHub has switched off.",
    "The job waits for a runner that never comes, or fails before its first step.",
    "Take the successor that is named.",
)
OLD = Rule(
    "github/out-of-support",
    Severity.RISK,
    "A language version whose support has ended.",
    "What is built with it gets no security fixes; the guide's Node 18 and .NET 8 are both past their end.",
    "Take the successor that is named.",
)
AGING = Rule(
    "github/action-aging",
    Severity.NOTE,
    "An action made for a Node version that runners no longer have.",
    "GitHub runs it on a newer Node than it was made for, and says it may not work as expected.",
    "Take the successor that is named.",
)

RULES: tuple[Rule, ...] = (FLOATING, REBUILT, GONE, OLD, AGING)

_TAG = re.compile(
    r"[\w.-]+(?:/[\w.${}-]+)*:(latest|dev|develop|staging|prod|production|main|master|stable|edge)(?=$|[\s'\"])"
)
_BRANCH = re.compile(r"(?<=:)\$\{\{\s*github\.(ref_name|head_ref)\s*\}\}(?=$|[\s'\"])")
_SETUP = {
    "actions/setup-node": ("node", "node-version"),
    "actions/setup-dotnet": ("dotnet", "dotnet-version"),
    "actions/setup-python": ("python", "python-version"),
}
_IMAGE_INPUTS = ("images", "image", "imageToDeploy", "imageName")
_DEPLOYS = frozenset(("kubectl", "helm", "az"))


def check(tree: Tree, today: date) -> Iterator[Finding]:
    """Images that are not what was tried, and everything whose end has come by a day."""
    for workflow in tree.workflows:
        for job in workflow.jobs.values():
            yield from _runner(job, today)
            for step in job.own_steps:
                yield from _floating(step)
                yield from _age(step, today)
    for action in tree.actions:
        for step in action.steps:
            yield from _age(step, today)
    yield from _rebuilt(tree)


def _floating(step: Step) -> Iterator[Finding]:
    made = [each for each in changes(step.holder) if each.step == step] if isinstance(step.holder, Job) else []
    if made and step.uses:
        for name in _IMAGE_INPUTS:
            found = _TAG.search(step.given[name].text)
            if found:
                place = f"{step.holder.file}:{step.given[name].line_at(found.start())}"
                yield FLOATING.at(place, f"{found.group(0)} is deployed by a tag that moves")
    for command in step.script.commands:
        if command.program not in _DEPLOYS or not made:
            continue
        words = _with_variables(step, " ".join(command.arguments))
        image = _TAG.search(words) if re.search(r"\bimage|--image|-i\b|container", words) else None
        tag = re.search(r"(?:tag|image\.tag)=(latest|dev|staging|prod|main|master)(?=$|[\s,'\"])", words)
        branch = _BRANCH.search(words) if "image" in words and _follows_branches(step) else None
        found = image or tag or branch
        if found and any(each.line == step.line(command.row) for each in made):
            yield FLOATING.at(step.line(command.row), f"{found.group(0)} is deployed by a tag that moves")


def _with_variables(step: Step, words: str) -> str:
    """The words of a command with the variables of the workflow filled in."""
    holders = [step.piece["env"]]
    if isinstance(step.holder, Job):
        holders += [step.holder.piece["env"], step.holder.workflow.piece["env"]]
    values = {name: value.text for each in reversed(holders) for name, value in each.items}
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values.get(found[1] or found[2], found[0]), words)


def _follows_branches(step: Step) -> bool:
    """True when a branch starts the job, so that the name of the ref is no version."""
    workflow = step.holder.workflow if isinstance(step.holder, Job) else None
    push = workflow.starts.get("push") if workflow else None
    return push is not None and not push["tags"]


def _rebuilt(tree: Tree) -> Iterator[Finding]:
    found = [
        (job, step, built)
        for workflow in tree.workflows
        for job in workflow.jobs.values()
        for step, built in _builds(job)
    ]
    told: set[str] = set()
    for job, step, built in found:
        if not is_production(job) or (not changes(job) and not job.environment):
            continue
        others = [other for other, _, same in found if same == built and other is not job and not is_production(other)]
        others = [each for each in others if each.workflow.root == job.workflow.root]
        if others and step.place_in_file not in told:
            told.add(step.place_in_file)
            where = f"{others[0].id} of {others[0].file}" if others[0].file != job.file else others[0].id
            yield REBUILT.at(step.place_in_file, f"the production job {job.id} builds {built} again, as {where} did")


def _builds(job: Job) -> Iterator[tuple[Step, str]]:
    """The images that a job builds and pushes, by their Dockerfile or folder."""
    for step in job.own_steps:
        if step.action == "docker/build-push-action" and step.given["push"].text not in ("", "false"):
            yield step, step.given["file"].text or step.given["context"].text or "the image"
        for command in step.script.commands:
            docker = command.program == "docker" and (command.has("build") or command.has("buildx", "build"))
            azure = command.program == "az" and command.has("acr", "build")
            if docker or azure:
                file = command.option("-f", "--file") or (command.arguments[-1] if command.arguments else "")
                pushed = azure or "--push" in command.arguments or _pushes(job)
                if pushed and file:
                    yield step, file


def _pushes(job: Job) -> bool:
    return any(each.program == "docker" and each.has("push") for step in job.own_steps for each in step.script.commands)


def _runner(job: Job, today: date) -> Iterator[Finding]:
    runner = job.piece["runs-on"]
    labels = [piece for _, piece in runner.walk()]
    if any("self-hosted" in each.text for each in labels) or runner.is_mapping:
        return
    if any("matrix." in each.text for each in labels):
        labels += [piece for _, piece in job.piece["strategy"]["matrix"].walk()]
    for each in labels:
        age = ended("github-runner", each.text, today)
        if age:
            yield _said(GONE, f"{job.file}:{each.line}", f"the runner {each.text}", age)


def _age(step: Step, today: date) -> Iterator[Finding]:
    _, _, version = step.uses.partition("@")
    # Parts of one action, as actions/cache/restore, have one version.
    action = "/".join(step.action.split("/")[:2])
    age = ended(action, version, today) if any(each.product == action for each in ages()) else None
    if age:
        yield _said(GONE if age.gone else AGING, step.place_in_file, step.uses, age)
    product, key = _SETUP.get(step.action, ("", ""))
    piece = step.given[key] if key else None
    if not piece:
        return
    text = piece.text
    if expressions(text):
        # Of several versions, as in a matrix, the oldest is there to be tried.
        found = readings(step.holder, step, text) if isinstance(step.holder, Job) else ()
        text = found[0] if len(found) == 1 else ""
    for place, line in enumerate(text.splitlines()):
        wanted = re.sub(r"\.x$|\.x(?=\.)|^v", "", line.strip())
        wanted += ".0" if product == "dotnet" and wanted.isdecimal() else ""
        old = ended(product, wanted, today)
        if old:
            yield _said(OLD, f"{step.holder.file}:{piece.line_of(place)}", f"{product} {wanted}", old)


def _said(rule: Rule, place: str, what: str, age: Age) -> Finding:
    ends = {GONE: "is gone", OLD: "has had no support"}.get(rule, "was made for a Node that runners have not had")
    return rule.at(place, f"{what} {ends} since {age.ends}; take {age.instead}")
