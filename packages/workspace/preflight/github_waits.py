"""Rules for waits and checks that cannot fail, or cannot end."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import changes, of_command, of_rollouts
from workspace.preflight.github_shell import LOOPS, Command, Script
from workspace.preflight.github_workflow import Action, Job, Step, Tree

SWALLOWED = Rule(
    "github/wait-cannot-fail",
    Severity.ERROR,
    "A deploy or check whose failure is waved through.",
    "All six rollout waits of the owners' production deploy ended in || true: a broken rollout was a green deploy.",
    "Let the step fail; what may fail belongs into a step of its own whose outcome is read.",
)
CONTINUES = Rule(
    "github/continues-on-error",
    Severity.ERROR,
    "A deploy or check that may fail without anybody asking.",
    "Errors were hidden by continue-on-error until the real cause, a missing role, was found ten commits later.",
    "Take continue-on-error away, or read steps.….outcome behind it.",
)
LOOP = Rule(
    "github/loop-without-failure",
    Severity.ERROR,
    "A loop that waits, and goes on as if all were well when its tries are used up.",
    "The health check of the dev service tried six times and then went on: it could never fail.",
    "End with exit 1 behind the loop, or remember success in a variable and test it.",
)
ENDLESS = Rule(
    "github/wait-without-deadline",
    Severity.RISK,
    "A wait without a deadline.",
    "The runner ends it after six hours and blocks the environment until then; a StatefulSet's rollout never gives up.",
    "Give --timeout, count the tries, or set timeout-minutes.",
)
SLEEP = Rule(
    "github/sleep-as-wait",
    Severity.RISK,
    "A pause where a fact should be waited for.",
    "DNS steps slept for propagation: too short on the bad day, too long on all others.",
    "Ask for the fact (the resolver's answer, the rollout, the health page) in a loop that fails at its deadline.",
)
CURL = Rule(
    "github/curl-without-fail",
    Severity.ERROR,
    "A curl that succeeds whatever the server answers.",
    "Without --fail a 500 is a success: the health check is green and the service is not.",
    "Add --fail (or --fail-with-body), or compare %{http_code}.",
)

RULES: tuple[Rule, ...] = (SWALLOWED, CONTINUES, LOOP, ENDLESS, SLEEP, CURL)

_SHORT = 10
_HEALTH = re.compile(r"/(health\w*|healthz|ready|readyz|readiness|livez?|liveness|status|ping)(\b|/|$)", re.IGNORECASE)
_SMOKE = re.compile(r"smoke|health|verif|probe", re.IGNORECASE)
_FAILS = re.compile(
    r"\b(exit|return)\s+(?!0\b)[\"'$\w]|\bfalse\b|::error|core\.setFailed|^\s*(\[\[?|test)\s|\$\?", re.MULTILINE
)
# Words of a condition that count tries or time.
_COUNTS = re.compile(r"-(eq|ge|gt|le|lt|ne)\b|\(\(|\bSECONDS\b|\bdate\b|(==?|!=)\s*[\"']?\d")
_QUIETLY = ("list", "get", "show", "describe", "logs", "version", "output")


def check(tree: Tree) -> Iterator[Finding]:
    """Every wait and check of the workflows that proves nothing."""
    for workflow in tree.workflows:
        for job in workflow.jobs.values():
            yield from _continues(job)
            for step in job.own_steps:
                yield from _step(step, job)
    for action in tree.actions:
        for step in action.steps:
            yield from _step(step, None)


def verifies(command: Command) -> bool:
    """True for a command that tells whether something is well: a rollout, a health page, a test."""
    words = command.verbs
    if of_rollouts(command):
        return of_rollouts(command)[0] == "status"
    if command.program == "kubectl":
        return words[:2] == ("rollout", "status") or words[:1] == ("wait",)
    if command.program == "helm":
        return words[:1] == ("test",)
    if command.program in ("curl", "wget"):
        return any(_HEALTH.search(each) for each in command.arguments)
    return command.program == "az" and "wait" in words[:4] and not {"image", "login"} & set(words)


def matters(command: Command) -> bool:
    """True for a command whose failure must not go unnoticed: it changes something or tells whether it is well."""
    return bool(of_command(command)) or verifies(command)


def _continues(job: Job) -> Iterator[Finding]:
    if not any(each["continue-on-error"].is_true for each in (job.piece, *(step.piece for step in job.own_steps))):
        return
    body = " ".join(value.text for each in job.workflow.jobs.values() for _, value in each.piece.walk())
    if job.piece["continue-on-error"].is_true and changes(job) and f"needs.{job.id}.result" not in body:
        said = f"the job {job.id} deploys ({changes(job)[0].said}) and may fail unnoticed"
        yield CONTINUES.at(f"{job.file}:{job.piece['continue-on-error'].line}", said)
    for step in job.own_steps:
        if not step.piece["continue-on-error"].is_true:
            continue
        found = next((each for each in step.script.commands if matters(each)), None)
        made = next((each for each in changes(job) if each.step == step), None)
        asked = step.id and re.search(rf"steps\.{re.escape(step.id)}\.(outcome|conclusion|outputs)", body)
        if (found or made) and not asked and not _tears_down(step):
            said = found.said if found else made.said if made else ""
            yield CONTINUES.at(f"{job.file}:{step.piece['continue-on-error'].line}", f"`{said}` may fail unnoticed")


def _tears_down(step: Step) -> bool:
    """True when a step only cleans up, where a failure is harmless."""
    deletes = ("delete", "destroy", "uninstall")
    found = [each for each in step.script.commands if matters(each)]
    return bool(found) and all(set(deletes) & set(each.verbs) for each in found)


def _step(step: Step, job: Job | None) -> Iterator[Finding]:
    script = step.script
    if script.is_broken or not script.commands:
        return
    for command in script.commands:
        yield from _swallowed(step, command)
        yield from _curl(step, command)
        yield from _rollout(step, command, job)
        yield from _sleep(step, command, job)
    for node in script.nodes(script.root, *LOOPS):
        yield from _loop(step, node, job)


def _swallowed(step: Step, command: Command) -> Iterator[Finding]:
    if not matters(command) or not command.swallowed_by or {"delete", "uninstall", "destroy"} & set(command.verbs):
        return
    if command.inside(*LOOPS) or command.inside("command_substitution") or _asked_later(command):
        return
    yield SWALLOWED.at(step.line(command.row), f"`{command.said} || {_short(command.swallowed_by)}` cannot fail")


def _asked_later(command: Command) -> bool:
    """True when a group of alternatives holds a way to fail that the reader of one command does not see."""
    return (
        any(part.type in ("if_statement", "case_statement") for part in command.above)
        and "exit" in command.swallowed_by
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def _curl(step: Step, command: Command) -> Iterator[Finding]:
    if command.program != "curl" or any(re.match(r"-\w*f|--fail", each) for each in command.arguments):
        return
    shows = any(
        each.startswith(("-w", "--write-out", "-I", "--head")) or "http_code" in each for each in command.arguments
    )
    posts = {"-X", "-d", "--data", "--request", "--data-raw"} & set(command.arguments)
    if shows or posts or any(re.match(r"-\w*[iIXd]$", each) for each in command.arguments):
        return
    if command.piped_into or command.inside("command_substitution"):
        return
    asks_health = any(_HEALTH.search(each) for each in command.arguments)
    discards = command.writes_to == "/dev/null" or "/dev/null" in command.arguments or command.hides_errors
    if asks_health and (discards or command.is_asked or _SMOKE.search(step.name)):
        yield CURL.at(step.line(command.row), f"`{command.said}` succeeds whatever the server answers")


def _rollout(step: Step, command: Command, job: Job | None) -> Iterator[Finding]:
    if command.program != "kubectl" or command.verbs[:2] != ("rollout", "status"):
        return
    kind = re.split(r"[/.]", command.verbs[2])[0].lower() if len(command.verbs) > 2 else ""
    endless = kind in ("statefulset", "statefulsets", "sts", "daemonset", "daemonsets", "ds")
    bounded = command.option("--timeout") is not None or command.words[:1] == ("timeout",)
    if endless and not bounded and job and not step.piece["timeout-minutes"] and not job.piece["timeout-minutes"]:
        yield ENDLESS.at(step.line(command.row), f"`{command.said}` waits without a deadline")


def _sleep(step: Step, command: Command, job: Job | None) -> Iterator[Finding]:
    if (
        command.program != "sleep"
        or command.inside(*LOOPS, "function_definition", "if_statement")
        or command.is_background
    ):
        return
    found = re.fullmatch(r"(\d+)(s|m|h)?", command.arguments[0]) if command.arguments else None
    seconds = int(found.group(1)) * {"m": 60, "h": 3600}.get(found.group(2) or "s", 1) if found else 0
    if not job or seconds < _SHORT or command.swallowed_by:
        return
    behind = [each for each in step.script.commands if each.node.start_byte > command.node.start_byte]
    if any(verifies(each) or each.inside(*LOOPS) or _fails(each) for each in behind):
        return
    here = next((number for number, each in enumerate(job.steps) if each == step), 0)
    made = any(of_command(each) for each in step.script.commands if each.row <= command.row)
    if made or any(each.step in job.steps[:here] for each in changes(job)):
        yield SLEEP.at(step.line(command.row), f"`{command.said}` waits for time alone after a change")


def _loop(step: Step, node: Node, job: Job | None) -> Iterator[Finding]:
    script = step.script
    inside = list(script.below(node))
    if not any(each.program == "sleep" for each in inside):
        return
    text, behind = script.source(node), script.after(node)
    row = int(node.start_point[0])
    if _is_endless(script, node):
        timed = step.piece["timeout-minutes"] or (job and job.piece["timeout-minutes"])
        counts = re.search(r"\b(exit|return)\s+[1-9$\"]|\(\(|-(ge|gt|le|lt|eq)\b|SECONDS|timeout|date \+%s", text)
        if not timed and not counts and job:
            yield ENDLESS.at(step.line(row), f"`{_short(text.splitlines()[0])}` waits without a deadline")
        return
    leaves = any(each.program == "break" or each.own[:2] in (("exit", "0"), ("return", "0")) for each in inside)
    in_function = any(each.type == "function_definition" for each in _parents(node))
    nested = any(each.type in LOOPS for each in _parents(node))
    tries = fails_at_its_end(script, node) or nested or in_function
    if not leaves or tries or _matters_behind(script, node):
        return
    if _remembered(text, behind) or isinstance(step.holder, Action):
        return
    yield LOOP.at(step.line(row), f"`{_short(text.splitlines()[0])}` goes on when its tries are used up")


def fails_at_its_end(script: Script, node: Node) -> bool:
    """True when a loop whose tries are used up ends the step: in it, at its last try, or right behind it."""
    if _FAILS.search(script.after(node)):
        return True
    counter = re.match(r"for\s+(\w+)\b", script.source(node))
    for command in script.below(node):
        if not _fails(command):
            continue
        asked = [_condition(script, part, command.node) for part in command.above if part.start_byte >= node.start_byte]
        if not any(asked) or any(_COUNTS.search(each) or _names(counter, each) for each in asked):
            return True
    return False


def _fails(command: Command) -> bool:
    ends = command.program in ("exit", "return") and command.arguments[:1] not in ((), ("0",))
    return ends or command.program == "false"


def _condition(script: Script, part: Node, inside: Node) -> str:
    """What must hold for a command that stands in this part of a script: the words before it."""
    if part.type not in ("if_statement", "elif_clause", "case_statement", "case_item", "list"):
        return ""
    return script.source(part).encode()[: inside.start_byte - part.start_byte].decode(errors="replace")


def _names(counter: re.Match[str] | None, text: str) -> bool:
    return bool(counter and re.search(rf"\${{?{counter[1]}\b", text))


def _parents(node: Node) -> Iterator[Node]:
    part = node.parent
    while part is not None:
        yield part
        part = part.parent


def _is_endless(script: Script, node: Node) -> bool:
    if node.type != "while_statement":
        return False
    head = script.source(node).split("do", 1)[0]
    return not re.search(r"-(ge|gt|le|lt|eq|ne)\b|\(\(|SECONDS|\bread\b|date ", head)


def _matters_behind(script: Script, node: Node) -> bool:
    """True when a command behind the loop would fail where the loop has waited in vain."""
    behind = [each for each in script.commands if each.node.start_byte >= node.end_byte]
    return any(each.program not in ("echo", "printf", "true", ":", "exit", "done") for each in behind)


def _remembered(text: str, behind: str) -> bool:
    """True when the loop sets a variable or an output that is read later."""
    names = re.findall(r"\b([A-Za-z_]\w*)=", text)
    return "GITHUB_OUTPUT" in text or "GITHUB_ENV" in text or any(re.search(rf"\b{each}\b", behind) for each in names)
