"""Rules for what a workflow names: jobs, outputs, inputs, files, artifacts and contexts that must exist."""

import difflib
import posixpath
import re
from collections.abc import Iterator

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import OTHER, PROD, rendered
from workspace.preflight.github_expressions import (
    CONTEXTS,
    FUNCTIONS,
    STATUS,
    Call,
    Expression,
    Operation,
    Reference,
    condition,
    expressions,
    walk,
)
from workspace.preflight.github_shell import LOOPS, Command
from workspace.preflight.github_values import asked, readings
from workspace.preflight.github_workflow import Action, Job, Step, Tree, Workflow
from workspace.preflight.github_yaml import Piece

UNREADABLE = Rule(
    "github/unreadable",
    Severity.ERROR,
    "A workflow, local action or .gitmodules that cannot be read.",
    "About 14 fixes were for syntax, merge markers among them; GitHub leaves such a workflow out without a word.",
    "Correct the line named.",
)
SHAPE = Rule(
    "github/shape",
    Severity.ERROR,
    "A workflow whose parts GitHub refuses: no trigger, a job without runner, a step without action or script.",
    "GitHub refuses the whole file, so every job in it is missing, the right ones too.",
    "Give the part what it lacks, or take one of the two things away that exclude each other.",
)
EXPRESSION = Rule(
    "github/expression",
    Severity.ERROR,
    "An expression that cannot be read, or that asks for a function or context that does not exist.",
    "Unterminated templates were among the syntax fixes; GitHub refuses the whole workflow.",
    "Correct the expression.",
)
CONTEXT = Rule(
    "github/context-not-there",
    Severity.ERROR,
    "A context that GitHub does not offer at that place: secrets in an if, env in a job's if, matrix before it exists.",
    "GitHub refuses the whole workflow; the place decides which contexts exist.",
    "Hand the value through env, an output or an input, or move the condition to a step.",
)
ALWAYS = Rule(
    "github/condition-always-holds",
    Severity.ERROR,
    "A condition that is a text and therefore always holds: `${{ a }} && ${{ b }}`.",
    "Only what stands inside one ${{ }} is worked out; the rest makes a text, and a text that is not empty is true.",
    "Put the whole condition into one ${{ }}, or leave the braces out.",
)
JOB = Rule(
    "github/unknown-job",
    Severity.ERROR,
    "A need of a job that does not exist, that waits in a circle, or that is read without being a need.",
    "Circular job dependencies were one of the repairs made on live environments; an unlisted need reads as empty.",
    "Name a job of the same workflow under needs.",
)
OUTPUT = Rule(
    "github/unknown-output",
    Severity.ERROR,
    "An output that no job, step or action gives.",
    "An output name that did not exist was read as an empty address, without any error.",
    "Name an output that is declared and written, or write it to $GITHUB_OUTPUT.",
)
INPUT = Rule(
    "github/unknown-input",
    Severity.ERROR,
    "An input or secret that a workflow or local action does not declare, or that it requires and does not get.",
    "GitHub refuses the call of a workflow with an unknown or missing input; a local action reads it as empty.",
    "Declare it where it is read, or hand over what is declared.",
)
KEY = Rule(
    "github/unknown-key",
    Severity.RISK,
    "A key of matrix or env that nothing defines.",
    "It reads as empty: an image without tag, a folder without name, a condition that never holds.",
    "Define it, or correct its spelling.",
)
FILE = Rule(
    "github/missing-file",
    Severity.ERROR,
    "A local action, workflow, script, folder or manifest that is not in the checkout.",
    "Folders were moved and path names stayed: deploys ended at that step, after everything before it was applied.",
    "Correct the path, or check out what holds it before.",
)
ARTIFACT = Rule(
    "github/artifact",
    Severity.ERROR,
    "An artifact that is fetched and never kept, or kept twice under one name.",
    "The job that fetches it fails after the jobs before it changed something; since v4 a second upload is refused.",
    "Let both sides name the same artifact; add a matrix value to the name where a job runs several times.",
)

RULES: tuple[Rule, ...] = (
    UNREADABLE, SHAPE, EXPRESSION, CONTEXT, ALWAYS, JOB, OUTPUT, INPUT, KEY, FILE, ARTIFACT,
)  # fmt: skip

_JOB_CONTEXTS = frozenset(("github", "needs", "strategy", "matrix", "vars", "inputs"))
_STEP_CONTEXTS = _JOB_CONTEXTS | {"job", "runner", "env", "secrets", "steps"}
_AT_JOB: dict[str, frozenset[str]] = {
    "if": frozenset(("github", "needs", "vars", "inputs")),
    "name": _JOB_CONTEXTS,
    "runs-on": _JOB_CONTEXTS,
    "concurrency": _JOB_CONTEXTS,
    "timeout-minutes": _JOB_CONTEXTS,
    "continue-on-error": _JOB_CONTEXTS,
    "env": _JOB_CONTEXTS | {"secrets"},
    "environment": _STEP_CONTEXTS - {"secrets"},
    "strategy": frozenset(("github", "needs", "vars", "inputs")),
    "with": _JOB_CONTEXTS,
    "secrets": _JOB_CONTEXTS | {"secrets"},
    "outputs": _STEP_CONTEXTS,
}
_AT_WORKFLOW = {
    "run-name": frozenset(("github", "inputs", "vars")),
    "concurrency": frozenset(("github", "inputs", "vars")),
    "env": frozenset(("github", "secrets", "inputs", "vars")),
}
_SCRIPTS = frozenset(("bash", "sh", "source", ".", "python", "python3", "node", "pwsh"))
_FILE_OPTIONS = {
    "kubectl": ("-f", "--filename", "-k", "--kustomize"),
    "az": ("--template-file", "-f"),
    "terraform": ("-var-file",),
    "tofu": ("-var-file",),
    "helm": ("-f", "--values"),
}
_FILE_INPUTS = {
    "docker/build-push-action": ("file", "context"),
    "azure/arm-deploy": ("template",),
    "azure/bicep-deploy": ("template-file", "parameters-file"),
    "azure/k8s-deploy": ("manifests",),
    # An api_location that is not there is no mistake: the action takes it that there is no API.
    "azure/static-web-apps-deploy": ("app_location",),
}
_MAKES = re.compile(
    r"(^|\s)(>>?\s+(?![\"']?\$\{?GITHUB_|/dev/)|(mkdir|curl|wget|git clone|unzip|tar|cp|mv)\s)",
)
_THIS_COMMIT = frozenset(("", "${{ github.ref }}", "${{ github.sha }}"))
_OURS = frozenset(("actions", "azure", "docker", "hashicorp", "github"))
_PROGRAMS = frozenset((
    "python", "python3", "node", "npx", "npm", "pnpm", "yarn", "make", "jq", "go", "pwsh", "ruby", "awk", "sed",
    "dotnet", "bash", "sh", "source", ".", "task", "just", "cargo", "perl", "uv", "poetry", "printf", "eval",
))  # fmt: skip
_MADE = re.compile(
    r"(^|/)(dist|build|out|output|target|node_modules|bin|obj|publish|artifacts?|tmp|coverage|\.next)(/|$)"
)


def check(tree: Tree) -> Iterator[Finding]:
    """What the workflows of a checkout name and nothing has."""
    for each in tree.unread:
        if each.file != ".gitmodules":
            yield UNREADABLE.at(f"{each.file}:{each.line}" if each.line else each.file, f"the file {each.what}")
    for workflow in tree.workflows:
        yield from _shape(workflow)
        yield from _expressions(workflow)
        yield from _calls(workflow)
        yield from _artifacts(workflow)
        for job in workflow.jobs.values():
            yield from _needs(job)
            yield from _outputs(job)
            yield from _keys(job)
            yield from _files(tree, job)
    for action in tree.actions:
        yield from _action(action)


def _shape(workflow: Workflow) -> Iterator[Finding]:
    file = workflow.file
    if not workflow.events:
        said = "an `on` that names no event" if workflow.piece["on"] else "no `on`"
        yield SHAPE.at(f"{file}:{workflow.piece['on'].line}", f"the workflow has {said}: nothing starts it")
    if not workflow.jobs:
        yield SHAPE.at(f"{file}:{workflow.piece['jobs'].line}", "the workflow has no jobs")
    for job in workflow.jobs.values():
        if not job.piece.is_mapping:
            yield SHAPE.at(job.at, f"the job {job.id} is empty")
            continue
        if not job.uses and not job.piece["runs-on"]:
            yield SHAPE.at(job.at, f"the job {job.id} has neither runs-on nor uses")
        if job.uses and job.piece["steps"]:
            yield SHAPE.at(job.at, f"the job {job.id} has both uses and steps")
        if not job.uses and not job.own_steps and job.piece["runs-on"]:
            yield SHAPE.at(job.at, f"the job {job.id} has no steps")
        yield from _steps(job.own_steps, f"the job {job.id}")


def _steps(steps: tuple[Step, ...], holder: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for step in steps:
        run, uses = bool(step.piece["run"]), bool(step.piece["uses"])
        if run == uses:
            said = "both run and uses" if run else "neither run nor uses"
            yield SHAPE.at(step.place_in_file, f"a step of {holder} has {said}")
        name = step.id.lower()
        if name and name in seen:
            yield SHAPE.at(step.place_in_file, f"{holder} has two steps with the id {step.id}")
        seen.add(name)


def _expressions(workflow: Workflow) -> Iterator[Finding]:
    for path, piece in workflow.piece.walk():
        if path[0] in ("name", "on") or (len(path) == 4 and path[0] == "jobs" and path[2] == "outputs"):
            if path[0] != "on" and path[0] != "name":
                yield from _judged(workflow.file, piece, expressions(piece.text), path)
            continue
        is_condition = path[-1:] == ("if",) and (len(path) == 3 or (len(path) == 5 and path[2] == "steps"))
        if is_condition:
            said = condition(piece.text)
            yield from _judged(workflow.file, piece, (said,), path)
            if isinstance(said.tree, Operation) and said.tree.sign == "text":
                text = " ".join(piece.text.split())
                yield ALWAYS.at(f"{workflow.file}:{piece.line}", f"the condition `{text}` is a text and always holds")
        else:
            yield from _judged(workflow.file, piece, expressions(piece.text), path)


def _judged(file: str, piece: Piece, found: tuple[Expression, ...], path: tuple[str, ...]) -> Iterator[Finding]:
    allowed = _allowed(path)
    for each in found:
        place = f"{file}:{piece.line_at(each.start)}"
        said = " ".join(each.source.split())[:60]
        if each.tree is None:
            yield EXPRESSION.at(place, f"`{said}` cannot be read: {each.mistake}")
            continue
        for part in walk(each.tree):
            if isinstance(part, Call) and part.name.lower() not in FUNCTIONS:
                yield EXPRESSION.at(place, f"`{said}` calls {part.name}, which is no function of GitHub")
            if isinstance(part, Call) and part.name.lower() in STATUS and path[-1:] != ("if",):
                yield CONTEXT.at(place, f"`{said}` calls {part.name}(), which exists in an if only")
            if isinstance(part, Reference):
                name = part.names[0].lower()
                if name not in CONTEXTS:
                    yield EXPRESSION.at(place, f"`{said}` reads {part.names[0]}, which is no context; a text needs '…'")
                elif name not in allowed:
                    yield CONTEXT.at(place, f"`{said}` reads {name}, which does not exist in {_where(path)}")


def _allowed(path: tuple[str, ...]) -> frozenset[str]:
    if path[0] in _AT_WORKFLOW:
        return _AT_WORKFLOW[path[0]]
    if path[0] != "jobs" or len(path) < 3:
        return CONTEXTS
    if path[2] == "steps" and len(path) > 4:
        return _STEP_CONTEXTS - {"secrets"} if path[4] == "if" else _STEP_CONTEXTS
    if path[2] == "environment" and (len(path) == 3 or path[3] == "name"):
        return _JOB_CONTEXTS
    return _AT_JOB.get(path[2], CONTEXTS)


def _where(path: tuple[str, ...]) -> str:
    if path[0] != "jobs":
        return f"`{path[0]}` of the workflow"
    return f"`{path[4]}` of a step" if path[2] == "steps" else f"`{path[2]}` of a job"


def _needs(job: Job) -> Iterator[Finding]:
    for each in job.piece["needs"].parts:
        if each.text not in job.workflow.jobs and not expressions(each.text):
            yield JOB.at(
                f"{job.file}:{each.line}", f"the job {job.id} needs {each.text}, which is no job of this workflow"
            )
    if any(each.id == job.id for each in job.before):
        yield JOB.at(f"{job.file}:{job.piece['needs'].line}", f"the job {job.id} waits for itself, in a circle")
    for place, reference in _read(job, "needs"):
        if len(reference.names) > 1 and reference.names[1] != "*" and reference.names[1] not in job.needs:
            said = ".".join(reference.names)
            yield JOB.at(place, f"the job {job.id} reads {said} and does not need {reference.names[1]}: it is empty")


def _read(job: Job, context: str) -> Iterator[tuple[str, Reference]]:
    """What a job reads of a context, and where."""
    for path, piece in job.piece.walk():
        is_condition = path[-1:] == ("if",) and len(path) in (1, 3)
        for each in (condition(piece.text),) if is_condition else expressions(piece.text):
            for reference in each.references:
                if reference.starts(context):
                    yield f"{job.file}:{piece.line_at(each.start)}", reference


def _outputs(job: Job) -> Iterator[Finding]:
    for place, reference in _read(job, "needs"):
        if len(reference.names) < 4 or reference.names[2].lower() != "outputs" or "*" in reference.names[:4]:
            continue
        giver = job.workflow.jobs.get(reference.names[1])
        if not giver or giver.id not in job.needs:
            continue
        given = _given(giver)
        if given is not None and reference.names[3].lower() not in given:
            said = ".".join(reference.names)
            yield OUTPUT.at(place, f"{said} is read, but the job {giver.id} gives {_listed(given)}")
    yield from _step_outputs(job)


def _given(job: Job) -> set[str] | None:
    if job.uses:
        called = job.workflow.tree.called(job.workflow.root, job.uses)
        return (
            {name.lower() for name, _ in called.events["workflow_call"]["outputs"].items}
            if (called and "workflow_call" in called.events)
            else None
        )
    return {name.lower() for name, _ in job.piece["outputs"].items}


def _step_outputs(job: Job) -> Iterator[Finding]:
    steps = {each.id.lower(): each for each in job.own_steps if each.id}
    for path, piece in job.piece.walk():
        is_condition = path[-1:] == ("if",) and len(path) == 3
        for each in (condition(piece.text),) if is_condition else expressions(piece.text):
            for reference in each.references:
                if not reference.starts("steps") or len(reference.names) < 2 or reference.names[1] == "*":
                    continue
                place, said = f"{job.file}:{piece.line_at(each.start)}", ".".join(reference.names)
                step = steps.get(reference.names[1].lower())
                here = int(path[1]) if path[:1] == ("steps",) and len(path) > 2 else len(job.own_steps)
                if step is None:
                    yield OUTPUT.at(place, f"{said} is read, but the job {job.id} has no step with that id")
                elif step.place >= here:
                    yield OUTPUT.at(place, f"{said} is read before that step has run")
                elif len(reference.names) > 3 and reference.names[2].lower() == "outputs":
                    given = _written(job, step)
                    if given is not None and reference.names[3] != "*" and reference.names[3].lower() not in given:
                        yield OUTPUT.at(place, f"{said} is read, but that step gives {_listed(given)}")


def _written(job: Job, step: Step) -> set[str] | None:
    """The outputs of a step in small letters; None where nobody can tell."""
    action = job.workflow.tree.action(job.workflow.root, step.uses)
    if action:
        return {name.lower() for name, _ in action.piece["outputs"].items} if action.is_composite else None
    text = step.piece["run"].text
    if not text or not step.is_bash or step.script.is_broken or any(map(_is_opaque, step.script.commands)):
        return None
    if "GITHUB_OUTPUT" not in text and "::set-output" not in text:
        return None if "${{" in text else set()
    if re.search(r"""["'\s](\$\{?\w|\$\{\{|%s)[^=\n]*=[^\n]*GITHUB_OUTPUT""", text):
        return None
    names = re.findall(r"""(?:^|[\s"'(])([A-Za-z_][\w-]*)(?:=|<<)""", text) + re.findall(r"name=([\w-]+)", text)
    return {each.lower() for each in names}


def _is_opaque(command: Command) -> bool:
    """True when a command may write outputs that nobody can see in the step."""
    return command.program in _PROGRAMS or any("/" in each for each in command.own[:1])


def _calls(workflow: Workflow) -> Iterator[Finding]:
    tree = workflow.tree
    for job in workflow.jobs.values():
        called = tree.called(workflow.root, job.uses)
        if called:
            yield from _called(job, called)
        for step in job.own_steps:
            action = tree.action(workflow.root, step.uses)
            if action:
                yield from _handed(
                    step.place_in_file, f"the action {step.uses}", step.given, action.piece["inputs"], "input", job.file
                )
    declared = {event: {name.lower() for name, _ in workflow.inputs(event).items} for event in workflow.events}
    if not {"workflow_dispatch", "workflow_call"} & set(declared):
        return
    known = declared.get("workflow_dispatch", set()) | declared.get("workflow_call", set())
    for path, piece in workflow.piece.walk():
        if path[0] == "on":
            continue
        is_condition = path[-1:] == ("if",) and len(path) in (3, 5)
        for each in (condition(piece.text),) if is_condition else expressions(piece.text):
            for reference in each.references:
                name = _input(reference)
                if name and name.lower() not in known:
                    place = f"{workflow.file}:{piece.line_at(each.start)}"
                    yield INPUT.at(
                        place, f"{'.'.join(reference.names)} is read, but the workflow declares {_listed(known)}"
                    )


def _input(reference: Reference) -> str:
    names = reference.names
    if reference.starts("inputs") and len(names) == 2 and names[1] != "*":
        return names[1]
    return names[3] if reference.starts("github", "event", "inputs") and len(names) == 4 and names[3] != "*" else ""


def _called(job: Job, called: Workflow) -> Iterator[Finding]:
    place = f"{job.file}:{job.piece['uses'].line}"
    if "workflow_call" not in called.events:
        yield INPUT.at(place, f"the job {job.id} calls {called.file}, which has no workflow_call among its triggers")
        return
    declared = called.events["workflow_call"]
    yield from _handed(place, called.file, job.piece["with"], declared["inputs"], "input", job.file)
    if job.piece["secrets"].text == "inherit":
        return
    yield from _handed(place, called.file, job.piece["secrets"], declared["secrets"], "secret", job.file)


def _handed(place: str, what: str, given: Piece, declared: Piece, word: str, file: str) -> Iterator[Finding]:
    names = {name.lower() for name, _ in declared.items}
    for name, value in given.items:
        if name.lower() not in names:
            yield INPUT.at(f"{file}:{value.line}", f"{what} gets the {word} {name} and declares {_listed(names)}")
    handed = {name.lower() for name, _ in given.items}
    for name, value in declared.items:
        if value["required"].is_true and not value["default"] and name.lower() not in handed:
            yield INPUT.at(place, f"{what} requires the {word} {name} and does not get it")


def _keys(job: Job) -> Iterator[Finding]:
    keys = _matrix(job)
    for place, reference in _read(job, "matrix"):
        name = reference.names[1] if len(reference.names) > 1 else "*"
        if keys is not None and name != "*" and name.lower() not in keys:
            yield KEY.at(place, f"matrix.{name} is read, but the matrix of {job.id} has {_listed(keys)}")
    known = _variables(job)
    for place, reference in _read(job, "env"):
        name = reference.names[1] if len(reference.names) > 1 else "*"
        if name == "*" or name.upper() in known:
            continue
        # Actions may set variables that nobody can see here; only a slip of the pen is sure.
        close = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.85)
        if close:
            yield KEY.at(place, f"env.{name} is read and nothing sets it; {close[0]} is set")


def _matrix(job: Job) -> set[str] | None:
    """The keys of a job's matrix in small letters; None where they are made in the run."""
    found = job.piece["strategy"]["matrix"]
    if not found:
        return set()
    if not found.is_mapping or expressions(found["include"].text):
        return None
    included = (name for each in found["include"].parts for name, _ in each.items)
    return {name.lower() for name, _ in found.items if name not in ("include", "exclude")} | {
        each.lower() for each in included
    }


def _variables(job: Job) -> set[str]:
    holders = [job.workflow.piece["env"], job.piece["env"], *(each.piece["env"] for each in job.own_steps)]
    found = {name.upper() for each in holders for name, _ in each.items}
    for step in job.steps:
        found |= {each.upper() for each in re.findall(r"\b([A-Za-z_]\w*)(?:=|<<)", step.piece["run"].text)}
    return found


def _files(tree: Tree, job: Job) -> Iterator[Finding]:
    root = job.workflow.root
    if job.uses.startswith("./") and not tree.called(root, job.uses) and tree.is_there(f"{root}{job.uses}") is False:
        yield FILE.at(f"{job.file}:{job.piece['uses'].line}", f"the workflow {job.uses} is not in the checkout")
    if not _checks_out(job):
        return
    made, told = "", set[int]()
    for step in job.own_steps:
        # What a step's own condition names, as hashFiles('…') != '', is asked for before.
        known = f"{made}\n{step.piece['if'].text}"
        yield from _local_action(tree, root, step, made)
        folder, line = step.folder.text, step.folder.line
        gone = _gone_folders(tree, job, step, known)
        if gone and line not in told:
            told.add(line)  # the folder of all steps of a job stands in one line
            yield FILE.at(f"{job.file}:{line}", f"the folder {_and(gone)} of `{step.name}` is not in the checkout")
        elif not gone and not _is_open(folder):
            yield from _named_files(tree, job, folder, step, known)
        yield from _handed_files(tree, job, step, known)
        made += f"\n{step.piece['run'].text}\n" + "\n".join(value.text for _, value in step.given.walk())


def _gone_folders(tree: Tree, job: Job, step: Step, made: str) -> list[str]:
    folder, root = step.folder.text, job.workflow.root
    if "${{" in folder:
        return _gone_for_some(tree, root, job, step, folder, made)
    return [folder] if folder and _gone(tree, f"{root}{folder}", made, folder) else []


def _checks_out(job: Job) -> bool:
    """True when the checkout itself lies at the job's root, whole, and nothing else is put there."""
    steps = [each for each in job.own_steps if each.action == "actions/checkout"]
    others = any(each.action == "actions/download-artifact" and not each.given["path"].text for each in job.own_steps)
    same = [each for each in steps if each.given["repository"].text in ("", "${{ github.repository }}")]
    own = [each for each in same if not each.given["path"]]
    whole = all(not each.given["sparse-checkout"] and each.given["ref"].text in _THIS_COMMIT for each in own)
    return bool(own) and whole and not others and len(steps) == len(own)


def _is_open(path: str) -> bool:
    return any(each in path for each in ("$", "*", "~", "{", "`", "%", "<")) or path.startswith("/")


def _was_made(path: str, made: str) -> bool:
    """True when a step before may have made it: it is named there, or its folder is one that builds make."""
    parts = [each for each in posixpath.normpath(path).split("/") if each not in (".", "..")]
    fetched = bool(parts) and "git clone" in made and parts[0] in made
    return bool(_MADE.search(path)) or not parts or parts[-1] in made or fetched


def _local_action(tree: Tree, root: str, step: Step, made: str) -> Iterator[Finding]:
    if step.uses.startswith("./") and not tree.action(root, step.uses) and not _was_made(step.uses, made):
        there = tree.is_there(f"{root}{step.uses}")
        names = ("action.yml", "action.yaml", "Dockerfile")
        if there is False or (there and not any(tree.is_there(f"{root}{step.uses}/{each}") for each in names)):
            said = "has no action.yml" if there else "is not in the checkout"
            yield FILE.at(step.place_in_file, f"the action {step.uses} {said}")


def _handed_files(tree: Tree, job: Job, step: Step, made: str) -> Iterator[Finding]:
    """What an action reads of the checkout."""
    built = step.given["skip_app_build"].is_true
    for name in _FILE_INPUTS.get(step.action, ()) if not built else ():
        piece = step.given[name]
        for row, line in enumerate(piece.text.splitlines()):
            path = line.strip().removeprefix("/") if name == "app_location" else line.strip()
            if not path or re.match(r"https?://|git@|\{\{", path):
                continue
            root = job.workflow.root
            gone = _gone_for_some(tree, root, job, step, path, made) if "${{" in path else []
            if gone or _gone(tree, f"{root}{path}", made, path):
                said = f"{name} of `{step.name}` is {_and(gone or [path])}, which {'are' if gone[1:] else 'is'}"
                yield FILE.at(f"{job.file}:{piece.line_of(row)}", f"{said} not in the checkout")


def _gone_for_some(tree: Tree, root: str, job: Job, step: Step, path: str, made: str) -> list[str]:
    """The paths that an expression may lead to and that are not there, where nothing asks before."""
    decided = {name for piece in (step.piece["if"], job.piece["if"]) for name in _conditions(piece)}
    if asked(path) & decided or posixpath.basename(path) in made:
        return []
    found = readings(job, step, path)
    gone = [each for each in found if _gone(tree, f"{root}{each}", made, each)]
    if len(gone) == len(found):
        return gone
    # Beside environments a choice may be a word of its own, as `all`, which no path is made of.
    return [each for each in gone if PROD.search(each) or OTHER.search(each)]


def _conditions(piece: Piece) -> Iterator[str]:
    """The names that a condition reads."""
    yield from (name.lower() for each in condition(piece.text).references for name in each.names[-1:])


def _and(names: list[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _named_files(tree: Tree, job: Job, folder: str, step: Step, made: str) -> Iterator[Finding]:
    root = job.workflow.root
    folder = f"{root}{folder}"
    text = step.text.text
    if step.script.is_broken or not text:
        return
    made += text if _MAKES.search(text) else ""
    for command in step.script.commands:
        if command.program in ("cd", "pushd", "popd"):
            words = " ".join(command.arguments)
            if _is_open(words) or not words or command.inside("subshell", "if_statement", *LOOPS):
                return
            path = posixpath.join(folder, command.arguments[0])
            if _gone(tree, path, made, command.arguments[0]):
                yield FILE.at(step.line(command.row), f"`{command.said}` enters a folder that is not in the checkout")
            folder = path
            continue
        for path in _paths(command):
            if command.is_asked:
                continue
            if "${{" in path and not command.inside("if_statement", "case_statement", *LOOPS):
                gone = _gone_for_some(tree, f"{folder}/" if folder else "", job, step, path, made)
            else:
                gone = [path] if _gone(tree, posixpath.join(folder, path), made, path) else []
            if gone:
                said = f"`{command.said}` names {_and(gone)}, which {'is' if len(gone) == 1 else 'are'}"
                yield FILE.at(step.line(command.row), f"{said} not in the checkout")


def _gone(tree: Tree, path: str, made: str, written: str) -> bool:
    return not _is_open(written) and not _was_made(path, made) and tree.is_there(path) is False


def _paths(command: Command) -> Iterator[str]:
    """The files of the checkout that a command needs."""
    own = command.own
    if own and own[0].startswith("./"):
        yield own[0]
    if command.program in _SCRIPTS and command.arguments:
        first = command.arguments[0]
        if re.fullmatch(r"[\w./-]+\.(sh|py|js|mjs|ps1)", first):
            yield first
    for option in _FILE_OPTIONS.get(command.program, ()):
        value = command.option(option)
        if value and "/" in value and not re.match(r"https?://|\w+\.\w+\.\w+/|@", value):
            yield value
    if "/" in rendered(command) and not re.match(r"https?://|\w+\.\w+\.?\w*/|git@", rendered(command)):
        yield rendered(command)
    if command.has("deployment") and command.program == "az":
        yield from _parameter_files(command)


def _parameter_files(command: Command) -> Iterator[str]:
    """The files among the values of `--parameters`, which may be given often and take many values."""
    inside = False
    for word in command.arguments:
        if word.startswith("-"):
            name, _, word = word.partition("=")
            inside = name in ("--parameters", "-p")
        path = word.removeprefix("@")
        if inside and "/" in path and "=" not in path and re.search(r"\.(json|jsonc|bicepparam)$", path):
            yield from () if re.match(r"https?://", path) else (path,)


def _artifacts(workflow: Workflow) -> Iterator[Finding]:
    kept = [
        (job, step, step.given["name"].text or "artifact")
        for job in workflow.jobs.values()
        for step in job.steps
        if step.action == "actions/upload-artifact"
    ]
    calls = any(job.uses for job in workflow.jobs.values()) or workflow.is_only_called
    actions = {step.action for job in workflow.jobs.values() for step in job.own_steps if step.uses}
    # An action of somebody else may keep artifacts as well.
    foreign = [
        each
        for each in actions
        if each.partition("/")[0] not in _OURS and not workflow.tree.action(workflow.root, each)
    ]
    for job in workflow.jobs.values():
        for step in job.own_steps:
            name = step.given["name"].text
            if step.action != "actions/download-artifact" or not name or expressions(name) or step.given["run-id"]:
                continue
            sure = not calls and not any(expressions(each) for _, _, each in kept) and not foreign
            if sure and name not in {each for _, _, each in kept}:
                listed = _listed({each for _, _, each in kept})
                yield ARTIFACT.at(
                    step.place_in_file, f"the artifact {name} is fetched, but this workflow keeps {listed}"
                )
    yield from _kept_twice(kept)


def _kept_twice(kept: list[tuple[Job, Step, str]]) -> Iterator[Finding]:
    for place, (job, step, name) in enumerate(kept):
        if step.given["overwrite"].is_true or expressions(name):
            continue
        matrix = job.piece["strategy"]["matrix"]
        many = matrix.is_mapping and any(len(value.parts) > 1 for _, value in matrix.items)
        if many and not isinstance(step.holder, Action) and not step.piece["if"]:
            yield ARTIFACT.at(step.place_in_file, f"every run of the matrix of {job.id} keeps the artifact {name}")
        before = [(other, each) for other, each, said in kept[:place] if said == name]
        if any(
            not (step.piece["if"] or each.piece["if"] or job.piece["if"] or other.piece["if"]) for other, each in before
        ):
            yield ARTIFACT.at(step.place_in_file, f"the artifact {name} is kept twice in one run")


def _action(action: Action) -> Iterator[Finding]:
    if not action.is_composite:
        return
    yield from _steps(action.steps, "the action")
    for step in action.steps:
        if step.piece["run"] and not step.piece["shell"]:
            yield SHAPE.at(step.place_in_file, "a step of the action has run without shell")
    declared = {name.lower() for name, _ in action.piece["inputs"].items}
    for _, piece in action.piece["runs"].walk():
        for each in expressions(piece.text):
            for reference in each.references:
                name = _input(reference)
                if name and name.lower() not in declared:
                    place = f"{action.file}:{piece.line_at(each.start)}"
                    yield INPUT.at(place, f"inputs.{name} is read, but the action declares {_listed(declared)}")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) if names else "none"
