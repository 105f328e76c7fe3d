"""Rules for failures that get lost: in pipes, in words, behind `set +e`, or read as another answer."""

import re
from collections.abc import Iterator

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import TERRAFORM, is_production, of_command
from workspace.preflight.github_shell import LOOPS, Command
from workspace.preflight.github_waits import fails_at_its_end, matters
from workspace.preflight.github_workflow import Job, Step, Tree, Workflow

PIPE = Rule(
    "github/exit-lost-in-pipe",
    Severity.ERROR,
    "A command in front of a pipe whose failure nobody sees.",
    "terraform plan | tee ran without pipefail in the owners' promotion: a failed plan was green.",
    "Write shell: bash (it sets pipefail, the default does not), set -o pipefail, or do without the pipe.",
)
UNSTOPPED = Rule(
    "github/failure-ignored",
    Severity.ERROR,
    "A step that goes on after a command of it failed.",
    'The CLI wrapper swallowed exit codes, and what came next took it for "always apply".',
    "Leave -e on, read $? at once, wait for what runs in the background, or join with && up to the end.",
)
WORD = Rule(
    "github/exit-lost-in-word",
    Severity.RISK,
    "A command inside the word of another one, which succeeds all the same.",
    'export A=$(…) and echo "a=$(…)" end well when the command fails; an output was empty and read as a value.',
    "Assign first (a=$(…)), then export or echo it.",
)
NO_CHANGE = Rule(
    "github/error-as-no-change",
    Severity.ERROR,
    "A plan whose error is taken for an answer.",
    'A plan error was read as "nothing to do" in the deploy and as "no drift" every night, and nobody was told.',
    "Tell the three exit codes of -detailed-exitcode apart: 0 nothing, 2 changes, everything else fails.",
)
HIDDEN = Rule(
    "github/error-hidden",
    Severity.RISK,
    "A look-up whose errors are thrown away and replaced by an answer.",
    "A missing right looked like a missing resource; ten commits later the hidden message named the role.",
    'Let the command fail, or tell "not found" from other errors by its message.',
)
REPLANNED = Rule(
    "github/plan-not-applied",
    Severity.ERROR,
    "An apply that makes a new plan instead of carrying out the one that was shown.",
    "Apply followed a new plan, not the reviewed one, from the first workflow to the last.",
    "Plan with -out=FILE, keep the file, and apply that file.",
)
UNCARRIED = Rule(
    "github/plan-not-carried",
    Severity.ERROR,
    "A saved plan that another job applies and nobody hands over.",
    "Every job starts on an empty machine: the file is not there, and the apply fails after the approval.",
    "Upload the plan with actions/upload-artifact and download it in the applying job.",
)

RULES: tuple[Rule, ...] = (PIPE, UNSTOPPED, WORD, NO_CHANGE, HIDDEN, REPLANNED, UNCARRIED)

_WORK = {
    "npm": ("ci", "install", "test", "run", "build"),
    "pnpm": ("install", "test", "run", "build"),
    "yarn": ("install", "test", "run", "build"),
    "dotnet": ("build", "test", "publish", "restore"),
    "docker": ("build", "push", "buildx", "pull"),
    "go": ("test", "build", "vet"),
    "cargo": ("test", "build"),
    "mvn": (),
    "gradle": (),
    "make": (),
    "pytest": (),
    "ansible-playbook": (),
}
_OUTSIDE = frozenset(("terraform", "tofu", "terragrunt", "az", "kubectl", "helm", "aws", "gcloud"))
_READS = frozenset(("show", "output", "get", "list", "version", "template", "fmt", "graph", "providers", "state"))
_DECIDES = frozenset(("grep", "egrep", "rg"))
_FILTERS = frozenset(("tee", "grep", "egrep", "sed", "awk", "tail", "head", "cat", "tr", "cut", "ts", "sort", "less"))
_CODE_ONE = re.compile(
    r"""(==|=|-eq|-ne|!=|-gt|-ge)\s*['"]?1\b|^\s*1\)|\*\)|exit\s+"?\$|-(ge|gt)\s+2|-lt\s+2|(!=|-ne)\s*['"]?[02]\b"""
    r"""|\.outcome|\.conclusion|\belse\b[^#]{0,200}?\bexit\b""",
    re.MULTILINE,
)


def check(tree: Tree) -> Iterator[Finding]:
    """Every failure in the workflows that would not be seen."""
    for workflow in tree.workflows:
        for job in workflow.jobs.values():
            for step in job.own_steps:
                yield from _step(step)
                yield from _no_change(step, job)
        yield from _plans(workflow)
    for action in tree.actions:
        for step in action.steps:
            yield from _step(step)


def _step(step: Step) -> Iterator[Finding]:
    script = step.script
    if script.is_broken:
        return
    for command in script.commands:
        yield from _pipe(step, command)
        yield from _word(step, command)
        yield from _hidden(step, command)
        if command.program == "set" and "+e" in command.arguments:
            yield from _switched_off(step, command)
        elif command.is_background and matters(command) and not any(each.program == "wait" for each in script.commands):
            yield UNSTOPPED.at(
                step.line(command.row), f"`{command.said} &` runs beside the step and nobody waits for it"
            )
        elif _works(command) and not command.swallowed_by:
            yield from _unstopped(step, command)


def _works(command: Command) -> bool:
    """True for what deploys, checks, plans, builds or tests."""
    if matters(command):
        return True
    if command.program in TERRAFORM:
        return bool({"plan", "init", "validate"} & set(command.verbs))
    verbs = _WORK.get(command.program)
    return verbs is not None and (not verbs or bool(set(verbs) & set(command.verbs[:2])))


def _pipe(step: Step, command: Command) -> Iterator[Finding]:
    following = command.piped_into
    if not following or not _works(command) or (command.is_asked and command.swallowed_by):
        return
    safe = step.script.is_set("pipefail", command.node)
    if safe if safe is not None else step.pipes:
        return
    if (
        "PIPESTATUS" in step.script.text
        or command.pipe_end.program not in _FILTERS | {"jq"}
        or command.inside("command_substitution")
    ):
        return
    yield PIPE.at(step.line(command.row), f"nobody sees `{command.said}` fail before the pipe to {following.program}")


def _word(step: Step, command: Command) -> Iterator[Finding]:
    holder = command.is_lost_in_a_word
    if not holder or command.program not in _OUTSIDE or command.swallowed_by or command.is_asked:
        return
    if holder in ("export", "local", "readonly", "declare", "typeset") or (holder == "echo" and _is_kept(command)):
        yield WORD.at(step.line(command.row), f"{holder} ends well even when `{command.said}` in it fails")


def _is_kept(command: Command) -> bool:
    """True when the word goes to a later step, not to the log."""
    for part in command.above:
        if part.type == "command":
            return bool(re.search(r"GITHUB_(OUTPUT|ENV)", Command(command.script, part).writes_to))
    return False


def _hidden(step: Step, command: Command) -> Iterator[Finding]:
    if command.program not in _OUTSIDE or not command.hides_errors or not command.swallowed_by:
        return
    if {"delete", "uninstall", "destroy", "logout", "unlock"} & set(command.verbs):
        return
    # What changes something and is waved through is told by another rule.
    if command.inside("command_substitution") and not of_command(command) and not _is_asked_again(command):
        answer = " ".join(command.swallowed_by.split())[:40]
        yield HIDDEN.at(step.line(command.row), f"every error of `{command.said}` becomes the answer `{answer}`")


def _is_asked_again(command: Command) -> bool:
    """True in a loop that waits and fails in the end: an error is "not yet" there, unless "nothing" is waited for."""
    loop = next((part for part in command.above if part.type in LOOPS), None)
    if loop is None or not any(each.program == "sleep" for each in command.script.below(loop)):
        return False
    text = command.script.source(loop)
    made = next((part for part in command.above if part.type == "variable_assignment"), None)
    answer = "".join(re.findall(r"\b(?:echo|printf)\s+[\"']?([\w.-]+)", command.swallowed_by))
    named = command.script.source(made).partition("=")[0] if made else r"\w+"
    name = rf"\$\{{?{named}\b\}}?[\"']?"
    nothing = rf"[\"']?{re.escape(answer)}(?![\w.-])" if answer else "(\"\"|'')"
    waits_for_it = rf"-z\s+[\"']?{name}|{name}\s*(=|==|-eq)\s*{nothing}"
    return fails_at_its_end(command.script, loop) and not re.search(waits_for_it, text)


def _switched_off(step: Step, switch: Command) -> Iterator[Finding]:
    script = step.script
    later = [each for each in script.commands if each.node.start_byte > switch.node.start_byte]
    text = script.after(switch.node)
    first = next((each for each in later if _works(each)), None)
    if first and not re.search(r"\$\?|PIPESTATUS|set -\w*e|\bif\s|\|\|", text):
        yield UNSTOPPED.at(step.line(switch.row), f"after `set +e` nobody sees `{first.said}` fail")


def _unstopped(step: Step, command: Command) -> Iterator[Finding]:
    """A failure that ends neither the shell nor the step, because of the shell or of an && before the last line."""
    if command.inside(
        "command_substitution", "function_definition", "if_statement", "while_statement", "case_statement"
    ):
        return
    script = step.script
    last = script.root.named_children[-1] if script.root.named_children else None
    top = next((part for part in (command.node, *command.above) if part.parent and part.parent.type == "program"), None)
    if last is None or top is None or top.id == last.id:
        return
    switched = script.is_set("e", command.node)
    if not (switched if switched is not None else step.stops):
        asked = (
            re.match(r"\s*(\n\s*)?(\w+=\$\?|if\s+\[+\s*\$\?)", script.after(top))
            or command.is_asked
            or command.piped_into
        )
        if not asked and switched is None:
            yield UNSTOPPED.at(step.line(command.row), f"the shell has no -e, so nobody sees `{command.said}` fail")
        return
    if top.type == "list" and _is_left_of_and(command) and "||" not in script.source(top):
        yield UNSTOPPED.at(
            step.line(command.row), f"`{command.said}` may fail before && and the step goes on with its next line"
        )


def _is_left_of_and(command: Command) -> bool:
    below = command.node
    for part in command.above:
        if part.type == "list" and part.children[0].id == below.id and part.children[1].type == "&&":
            return True
        if part.type not in ("list", "redirected_statement"):
            return False
        below = part
    return False


def _no_change(step: Step, job: Job) -> Iterator[Finding]:
    script = step.script
    for command in script.commands if not script.is_broken else ():
        if command.program not in TERRAFORM or "plan" not in command.verbs:
            continue
        place = step.line(command.row)
        end = command.pipe_end
        if end is not command and end.program in _DECIDES and end.is_asked:
            yield NO_CHANGE.at(
                place, f"`{end.said}` decides on the words of `{command.said}`, which has none of them when it fails"
            )
        elif "-detailed-exitcode" in command.arguments and _waved(step, command):
            text = " ".join(_text(each, of_others=each.id != job.id) for each in job.workflow.jobs.values())
            if not _CODE_ONE.search(text.replace(command.swallowed_by, "") if command.swallowed_by else text):
                yield NO_CHANGE.at(place, f"`{command.said}` may fail, and nobody tells its 1 (error) from 0 and 2")


def _text(job: Job, *, of_others: bool) -> str:
    """All texts of a job; the outcomes that another one reads are those of its own steps."""
    text = " ".join(value.text for _, value in job.piece.walk())
    return re.sub(r"steps\.[\w-]+\.(outcome|conclusion)", "", text) if of_others else text


def _waved(step: Step, command: Command) -> bool:
    off = step.script.is_set("e", command.node) is False
    return bool(command.swallowed_by) or off or step.piece["continue-on-error"].is_true or _keeps_code(step, command)


def _keeps_code(step: Step, command: Command) -> bool:
    """True for `… || code=$?`."""
    lines = step.script.text.splitlines()
    return bool(re.search(r"\|\|\s*\w+=\$\?", lines[command.row])) if command.row < len(lines) else False


def _plans(workflow: Workflow) -> Iterator[Finding]:
    planned: dict[str, list[tuple[Job, str]]] = {}
    for job in workflow.jobs.values():
        for _, command in _of_terraform(job, "plan"):
            file = command.option("-out", "--out") or ""
            planned.setdefault(file, []).append((job, file))
    for job in workflow.jobs.values():
        for step, command in _of_terraform(job, "apply"):
            file = _saved_plan(command)
            if not file:
                yield from _replanned(job, step, command, bool(planned))
                continue
            yield from _uncarried(job, step, command, file, planned)


def _replanned(job: Job, step: Step, command: Command, planned: bool) -> Iterator[Finding]:
    if "-destroy" in command.arguments or any(
        each.startswith(("-target", "-refresh-only", "-replace")) for each in command.arguments
    ):
        return
    if not planned and not job.environment and not is_production(job):
        return  # what a test makes and removes again needs no plan
    said = "although this workflow has shown one" if planned else "and nobody has seen one"
    yield REPLANNED.at(step.line(command.row), f"`{command.said}` makes a new plan, {said}")


def _uncarried(
    job: Job, step: Step, command: Command, file: str, planned: dict[str, list[tuple[Job, str]]]
) -> Iterator[Finding]:
    name = file.rsplit("/", 1)[-1]
    makers = [maker for each, found in planned.items() for maker, _ in found if each.rsplit("/", 1)[-1] == name]
    if not makers or any(each is job for each in makers) or "$" in file:
        return
    fetches = any(
        re.search(r"download-artifact|cache|checkout-artifact", each.action)
        or re.search(r"\b(az storage|aws s3|gh run|curl|gsutil)\b", each.text.text)
        for each in job.steps
    )
    if not fetches:
        yield UNCARRIED.at(
            step.line(command.row), f"`{command.said}` needs a file that the job {makers[0].id} made on another machine"
        )


def _of_terraform(job: Job, verb: str) -> Iterator[tuple[Step, Command]]:
    for step in job.own_steps:
        for command in step.script.commands:
            if command.program in ("terraform", "tofu") and command.verbs[:1] == (verb,):
                yield step, command


def _saved_plan(command: Command) -> str:
    """The plan file that an apply is given."""
    values = ("-var", "-var-file", "-lock-timeout", "-parallelism", "-state", "-target", "-backup")
    words = command.arguments[command.arguments.index("apply") + 1 :] if "apply" in command.arguments else ()
    place = 0
    while place < len(words):
        if words[place] in values:
            place += 2
            continue
        if not words[place].startswith("-"):
            return words[place]
        place += 1
    return ""
