"""Rules for what starts a workflow, and what it may change then."""

import difflib
import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import OTHER, PROD, Change, changes, environment_named, is_production
from workspace.preflight.github_expressions import condition, expressions
from workspace.preflight.github_workflow import BY_HAND, Job, Tree, Workflow, holds
from workspace.preflight.github_yaml import Piece

TRIGGER = Rule(
    "github/trigger",
    Severity.ERROR,
    "A trigger that GitHub does not know, refuses, or that can never fire.",
    "A workflow that never starts looks like one that is always green.",
    "Correct the event, filter or time; a filter and its -ignore twin exclude each other.",
)
DEAD_FILTER = Rule(
    "github/path-filter-never-fires",
    Severity.ERROR,
    "A path filter that no file of the checkout matches, so the event never starts the workflow.",
    "The owners' infrastructure deploy filtered on folders of a submodule: a push never started it.",
    "Name folders that exist here; of a submodule only the folder itself changes.",
)
STALE_FILTER = Rule(
    "github/path-filter-stale",
    Severity.NOTE,
    "A pattern of a path filter that names a folder or file that is not there.",
    "After folders moved, the staging workflow watched the old ones: half of the changes no longer started it.",
    "Correct the pattern or take it out.",
)
MISSED = Rule(
    "github/path-filter-misses",
    Severity.RISK,
    "A path filter that leaves out the folder the workflow deploys.",
    "A change there starts nothing; it goes out with the next change elsewhere, unannounced.",
    "Add the folder to paths.",
)
BRANCH = Rule(
    "github/unknown-branch",
    Severity.RISK,
    "A push filter that names branches the repository does not have.",
    "The staging code workflows waited for a branch `staging` that nobody pushed to while the rest followed `main`.",
    "Name a branch that is pushed to.",
)
SPLIT = Rule(
    "github/branches-disagree",
    Severity.RISK,
    "Two workflows deploy to one environment from different branches.",
    "Staging's infrastructure followed main, its code followed staging: what ran together was never tested together.",
    "Let everything of an environment follow one branch, or one release.",
)
EMPTY_INPUT = Rule(
    "github/input-not-there",
    Severity.ERROR,
    "A deploy that reads an input on an event that has none.",
    "On a push the owners' component input was empty, so both service deploys were skipped and the run was green.",
    "Give a default with ||, or decide on github.event_name as well.",
)
CONCURRENCY = Rule(
    "github/no-concurrency",
    Severity.RISK,
    "A deploying job that may run twice at once.",
    "Two workflows raced on one cluster; of two runs the older one may end last and win.",
    "Set concurrency with one group per environment and cancel-in-progress: false.",
)
CANCELLED = Rule(
    "github/deploy-cancelled",
    Severity.ERROR,
    "A deploying job that a newer run may cancel in the middle.",
    "A job is killed about 7.5 s after a cancel: state stays locked and resources half made.",
    "Set cancel-in-progress: false for jobs that change something.",
)
TWICE = Rule(
    "github/deployed-twice",
    Severity.RISK,
    "Two jobs that deploy the same thing on the same event, beside each other.",
    "Two jobs both applied, and two workflows raced on one cluster: about 18 fixes were for control flow.",
    "Let one job own the thing, or put both into one concurrency group.",
)
GATE = Rule(
    "github/production-without-gate",
    Severity.ERROR,
    "A deploy to production that no GitHub environment guards.",
    "The production web app went out on every push to main, while the API beside it asked two reviewers.",
    "Set environment: on the job, with required reviewers, or make it need a job that has one.",
)
ANYONE = Rule(
    "github/deploy-by-anyone",
    Severity.ERROR,
    "A deploy that everybody who can comment or open an issue can start.",
    "These events run with the repository's secrets, whoever caused them.",
    "Ask for the author_association or the actor's permission in an if, or use an environment with reviewers.",
)
PULLED = Rule(
    "github/deploy-on-pull-request",
    Severity.RISK,
    "A deploy that a pull request from anybody starts, with the repository's secrets: on pull_request_target.",
    "The event runs in the base repository, secrets included, as soon as somebody opens a pull request from a fork.",
    "Deploy on push, or let an environment with reviewers or an if on the pull request's repository stand before it.",
)
FOREIGN = Rule(
    "github/foreign-code-with-secrets",
    Severity.ERROR,
    "A checkout of a pull request's code in a workflow that has the repository's secrets.",
    "pull_request_target and workflow_run run with secrets and a writing token; the code decides what happens to them.",
    "Use pull_request for building, or check out the base branch only.",
)
AFTER_FAILURE = Rule(
    "github/runs-after-failure",
    Severity.ERROR,
    "A deploy that goes on although a job before it failed.",
    "A plan that failed did not stop the service deploys; skipped and failed jobs looked alike.",
    "Ask for needs.….result == 'success' beside always(), or use !failure() && !cancelled().",
)
CLAIM = Rule(
    "github/claims-success",
    Severity.RISK,
    "A job that always says the deploy succeeded.",
    'The summary printed "Promotion completed successfully" whatever had happened.',
    "Write what needs.….result says.",
)
MOVING = Rule(
    "github/production-from-branch",
    Severity.RISK,
    "A production deploy that checks out a branch by name.",
    "Production got the newest commit of main, not the one staging had verified.",
    "Check out the commit or tag that was verified, handed over as an input or by the event.",
)
IDLE = Rule(
    "github/never-run",
    Severity.NOTE,
    "A workflow in a folder where GitHub does not look.",
    "After the submodules became one repository their workflows stood in packages/…/.github and ran no more.",
    "Move it to .github/workflows of the repository, or remove it.",
)

RULES: tuple[Rule, ...] = (
    TRIGGER, DEAD_FILTER, STALE_FILTER, MISSED, BRANCH, SPLIT, EMPTY_INPUT, CONCURRENCY, CANCELLED, TWICE, GATE, ANYONE,
    PULLED, FOREIGN, AFTER_FAILURE, CLAIM, MOVING, IDLE,
)  # fmt: skip

EVENTS = frozenset((
    "branch_protection_rule", "check_run", "check_suite", "create", "delete", "deployment", "deployment_status",
    "discussion", "discussion_comment", "fork", "gollum", "image_version", "issue_comment", "issues", "label",
    "merge_group", "milestone", "page_build", "project", "project_card", "project_column", "public",
    "pull_request", "pull_request_comment", "pull_request_review", "pull_request_review_comment",
    "pull_request_target", "push", "registry_package", "release", "repository_dispatch", "schedule", "status",
    "watch", "workflow_call", "workflow_dispatch", "workflow_run",
))  # fmt: skip
_BY_ANYONE = frozenset(("issue_comment", "issues", "discussion", "discussion_comment", "fork", "watch", "gollum"))
_ASKS_WHO = re.compile(
    r"author_association|permission|\.actor\b|triggering_actor|sender\.|comment\.user|issue\.user", re.I
)
_PULL_HEAD = re.compile(r"pull_request\.head|head_ref|refs/pull/|pull_request\.number|workflow_run\.head|issue\.number")
_SUCCESS = re.compile(r"\b(success\w*|succeeded|completed?|deployed|is live)\b|✅|🎉", re.IGNORECASE)
_CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_NAMES = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)\b", re.I)


def check(tree: Tree) -> Iterator[Finding]:
    """What starts at the wrong time, never, twice, or for everybody."""
    branches = _branches(tree)
    for file in tree.idle:
        yield IDLE.at(file, "the workflow stands in a folder where GitHub does not look")
    for workflow in tree.workflows:
        yield from _events(workflow)
        yield from _path_filters(tree, workflow)
        yield from _unknown_branches(workflow, branches)
        yield from _unqueued(workflow)
        for job in workflow.jobs.values():
            yield from _inputs(job)
            yield from _concurrency(job)
            yield from _who(job)
            yield from _foreign(job)
            yield from _after(job)
            yield from _moving(job)
    yield from _twice(tree)
    yield from _split(tree)


def _events(workflow: Workflow) -> Iterator[Finding]:
    for name, filters in workflow.events.items():
        place = f"{workflow.file}:{filters.line}"
        # GitHub gets new events; only a slip of the pen is sure.
        close = difflib.get_close_matches(name, EVENTS, n=1, cutoff=0.75) if name not in EVENTS else []
        if close:
            yield TRIGGER.at(place, f"{name} is no event of GitHub; {close[0]} is one")
        for key in ("branches", "paths", "tags"):
            if filters[key] and filters[f"{key}-ignore"]:
                yield TRIGGER.at(place, f"{name} has both {key} and {key}-ignore, which GitHub refuses")
            patterns = [each.text for each in filters[key].parts]
            if patterns and all(each.startswith("!") for each in patterns):
                line = filters[key].line
                yield TRIGGER.at(f"{workflow.file}:{line}", f"{key} of {name} only leaves out, so it never fires")
    for each in workflow.events.get("schedule", Piece(None, 1)).parts:
        if each["cron"] and not _is_cron(each["cron"].text):
            yield TRIGGER.at(
                f"{workflow.file}:{each['cron'].line}", f"`{each['cron'].text}` is no time GitHub understands"
            )
    names = set(_names(workflow.tree))
    for each in workflow.events.get("workflow_run", Piece(None, 1))["workflows"].parts:
        if each.text not in names and not re.search(r"[*?\[]", each.text) and not expressions(each.text):
            yield TRIGGER.at(
                f"{workflow.file}:{each.line}", f"workflow_run waits for {each.text!r}, which is no workflow here"
            )


def _names(tree: Tree) -> Iterator[str]:
    """What workflows are called, with those that cannot be read: theirs is where a name stands in any YAML."""
    for each in tree.workflows:
        yield from (each.name, posixpath.basename(each.file))
    for unread in tree.unread:
        yield posixpath.basename(unread.file)
        found = re.search(r"^name:[ \t]*(.+?)[ \t]*$", tree.checkout.found(unread.file), re.MULTILINE)
        yield from (found[1].strip("\"'"),) if found else ()


def _is_cron(text: str) -> bool:
    fields = text.split()
    if len(fields) != 5:
        return False
    return all(
        _is_field(_CRON_NAMES.sub("1", field), *limits) for field, limits in zip(fields, _CRON_FIELDS, strict=True)
    )


def _is_field(field: str, low: int, high: int) -> bool:
    for part in field.split(","):
        found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        if not found:
            return False
        first, last, step = (int(each) if each else None for each in found.groups())
        if any(each is not None and not low <= each <= high for each in (first, last)) or step == 0:
            return False
    return True


def matches(patterns: list[str], file: str) -> bool:
    """Whether GitHub's path or branch patterns, in their order, take a name in."""
    taken = False
    for each in patterns:
        if _pattern(each.lstrip("!")).fullmatch(file):
            taken = not each.startswith("!")
    return taken


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    place = 0
    while place < len(text):
        if text.startswith("**/", place) and (place == 0 or text[place - 1] == "/"):
            parts, place = [*parts, "(?:.*/)?"], place + 3
        elif text.startswith("**", place):
            parts, place = [*parts, ".*"], place + 2
        else:
            letter = text[place]
            end = text.find("]", place)
            if letter == "[" and end > 0:
                parts, place = [*parts, text[place : end + 1]], end + 1
                continue
            parts.append({"*": "[^/]*", "?": "?", "+": "+"}.get(letter, re.escape(letter)))
            place += 1
    try:
        return re.compile("".join(parts))
    except re.error:
        return re.compile(re.escape(text))


def _path_filters(tree: Tree, workflow: Workflow) -> Iterator[Finding]:
    files = [each.removeprefix(workflow.root) for each in tree.under(workflow.root or ".")]
    if workflow.root and not any(not each.startswith(".github/") for each in files):
        return
    links = [each.path for each in tree.submodules]
    for name, filters in workflow.events.items():
        written = filters["paths"].parts
        patterns = [each.text for each in written]
        positive = [each for each in written if not each.text.startswith("!")]
        idle = [each for each in positive if not any(_pattern(each.text).fullmatch(file) for file in (*files, *links))]
        if positive and len(idle) == len(positive):
            said = ", ".join(each.text for each in idle)
            place = f"{workflow.file}:{filters['paths'].line}"
            link = next((tree.submodule(re.split(r"[*?\[]", each.text)[0]) for each in idle), None)
            why = f"; {link.path} is a submodule, whose files are not here" if link else ""
            yield DEAD_FILTER.at(place, f"no file matches the paths of {name} ({said}), so it never fires{why}")
            continue
        for each in idle:
            fixed = re.split(r"[*?\[]", each.text)[0].rstrip("/")
            if fixed and tree.is_there(f"{workflow.root}{fixed}") is not True:
                yield STALE_FILTER.at(f"{workflow.file}:{each.line}", f"no file matches {each.text} of {name}")
        if patterns and name == "push":
            yield from _missed(tree, workflow, patterns)


def _missed(tree: Tree, workflow: Workflow, patterns: list[str]) -> Iterator[Finding]:
    said: set[str] = set()
    for job in workflow.jobs.values():
        for change in changes(job) if job.may_run_on("push") else ():
            folder = posixpath.normpath(change.target) if change.target else ""
            inside = tree.under(f"{workflow.root}{folder}") if folder and "$" not in folder and "/" in folder else ()
            if not inside or folder in said or change.tool not in ("kubectl", "terraform", "tofu", "terragrunt"):
                continue
            said.add(folder)
            if not any(matches(patterns, each.removeprefix(workflow.root)) for each in inside):
                yield MISSED.at(change.line, f"{folder} is deployed here, but the paths of push leave it out")


def _branches(tree: Tree) -> frozenset[str]:
    """The branches of the repository as far as its own notes tell; empty where they tell of fewer than two."""
    root = tree.checkout.root / ".git"
    found: set[str] = set()
    try:
        if (root / "shallow").exists():
            return frozenset()
        for line in (root / "packed-refs").read_text(encoding="utf-8", errors="replace").splitlines():
            found |= set(re.findall(r"\srefs/(?:remotes/[^/]+|heads)/(\S+)$", line))
        for base in (root / "refs/heads", *(root / "refs/remotes").glob("*")):
            found |= {each.relative_to(base).as_posix() for each in base.rglob("*") if each.is_file()}
    except OSError:
        pass
    found.discard("HEAD")
    return frozenset(found) if len(found) > 1 else frozenset()


def _unknown_branches(workflow: Workflow, branches: frozenset[str]) -> Iterator[Finding]:
    filters = workflow.events.get("push", Piece(None, 1))
    names = [each.text for each in filters["branches"].parts]
    if (
        not branches
        or not names
        or filters["tags"]
        or workflow.root
        or any(re.search(r"[*?\[+!]", each) for each in names)
    ):
        return
    if not set(names) & branches:
        place = f"{workflow.file}:{filters['branches'].line}"
        yield BRANCH.at(place, f"push waits for {', '.join(names)}; the repository has no such branch")


def _inputs(job: Job) -> Iterator[Finding]:
    made = changes(job)
    automatic = [each for each in job.workflow.starts if each not in BY_HAND]
    if not made or not automatic:
        return
    text = job.piece["if"].text
    if text and "event_name" not in text and re.search(r"\binputs\.", text):
        event = next((each for each in automatic if holds(text, each) is False), "")
        # A job that another event of the workflow may start is not lost.
        if event and all(holds(text, each) is False for each in automatic):
            said = f"the job {job.id} deploys only with an input, and {event} has none: it is always skipped then"
            yield EMPTY_INPUT.at(f"{job.file}:{job.piece['if'].line}", said)
            return
    event = next((each for each in automatic if job.may_run_on(each)), "")
    if not event or job.workflow.is_only_called:
        return
    yield from _read_inputs(job, event)


def _read_inputs(job: Job, event: str) -> Iterator[Finding]:
    places = [job.environment, job.piece["runs-on"]]
    steps = {change.step.place: change.step for change in changes(job) if change.step.holder is job}
    for step in steps.values():
        if not step.piece["if"] or holds(step.piece["if"].text, event) is not False:
            places += [step.folder, *((step.piece["run"],) if step.piece["run"] else ())]
    for piece in places:
        for each in expressions(piece.text):
            names = each.plain.names if each.plain else ()
            asked = names[:1] == ("inputs",) or names[:3] == ("github", "event", "inputs")
            if asked and not _may_be_empty(job.workflow, names[-1]):
                said = f"the job {job.id} reads {'.'.join(names)} also on {event}, where it is empty"
                yield EMPTY_INPUT.at(f"{job.file}:{piece.line_at(each.start)}", said)
                return


def _may_be_empty(workflow: Workflow, name: str) -> bool:
    """True for an input that is empty on its own events, too, where nobody fills it in."""
    declared = [workflow.inputs(event)[name] for event in ("workflow_dispatch", "workflow_call")]
    found = [each for each in declared if each.is_mapping]
    return bool(found) and not any(
        each["required"].is_true or each["default"].text or each["type"].text in ("choice", "boolean", "environment")
        for each in found
    )


def _unqueued(workflow: Workflow) -> Iterator[Finding]:
    """The deploying jobs without a group: one finding, because one line at the workflow's head mends them all."""
    found = [(job, made[0]) for job in workflow.jobs.values() if (made := _half_done(job)) and not any(_groups_of(job))]
    # Who calls the workflow decides where nobody of the checkout does.
    if not found or (workflow.is_only_called and not workflow.callers):
        return
    first, change = found[0]
    others = [job.id for job, _ in found[1:]]
    said = f"; nor {'have' if others[1:] else 'has'} {', '.join(others)}" if others else ""
    yield CONCURRENCY.at(first.at, f"the job {first.id} deploys ({change.said}) and has no concurrency group{said}")


def _half_done(job: Job) -> list[Change]:
    """What a job changes with tools that a second run beside it would disturb."""
    return [each for each in changes(job) if each.keeps_state or each.tool in ("kubectl", "azure/k8s-deploy")]


def _groups_of(job: Job) -> list[Piece]:
    groups = [job.piece["concurrency"], job.workflow.piece["concurrency"]]
    callers = job.workflow.callers if job.workflow.is_only_called else ()
    return groups + [
        each for call in callers for each in (call.piece["concurrency"], call.workflow.piece["concurrency"])
    ]


def _concurrency(job: Job) -> Iterator[Finding]:
    made = _half_done(job)
    if not made or (job.workflow.is_only_called and not job.workflow.callers):
        return
    groups = _groups_of(job)
    for group in groups:
        cancels = group["cancel-in-progress"]
        if cancels.is_true and not _only_for_pulls(job):
            said = f"a newer run cancels the job {job.id} in the middle of `{made[0].said}`"
            yield CANCELLED.at(f"{job.file if group in groups[:2] else job.workflow.file}:{cancels.line}", said)
            return


def _only_for_pulls(job: Job) -> bool:
    return bool(job.workflow.starts) and all(
        each.startswith("pull_request") for each in job.workflow.starts if job.may_run_on(each)
    )


def _who(job: Job) -> Iterator[Finding]:
    made = changes(job)
    if not made:
        return
    guards = [job, *job.before]
    callers = job.workflow.callers
    guarded = any(each.piece["environment"] for each in guards) or any(
        each.piece["environment"] for call in callers for each in (call, *call.before)
    )
    events = [each for each in job.workflow.starts if job.may_run_on(each)]
    open_to = [each for each in events if each in _BY_ANYONE]
    asks = any(_ASKS_WHO.search(value.text) for each in guards for _, value in each.piece.walk())
    if "pull_request_target" in events and not guarded and not asks and not _asks_which(guards):
        said = f"the job {job.id} deploys ({made[0].said}) on pull_request_target, whoever opened the pull request"
        yield PULLED.at(job.at, said)
    if open_to and not guarded and not asks:
        yield ANYONE.at(job.at, f"the job {job.id} deploys ({made[0].said}) whenever somebody causes {open_to[0]}")
    if is_production(job) and not guarded and not (job.workflow.is_only_called and not callers):
        starts = ", ".join(events) or "a call"
        yield GATE.at(
            job.at, f"the job {job.id} deploys to production ({made[0].said}) on {starts}, and no environment guards it"
        )
    elif not guarded:
        chosen = _chosen_production(job)
        if chosen:
            said = f"the job {job.id} deploys ({made[0].said}) to what the input {chosen} says"
            yield GATE.at(job.at, f"{said}, production among it, and no environment guards it")


def _chosen_production(job: Job) -> str:
    """The input with production among its choices that a deploying job reads; a condition that asks for it decides."""
    if any("inputs." in each.piece["if"].text for each in (job, *job.before)):
        return ""
    text = " ".join(value.text for piece in (job.piece, job.workflow.piece["env"]) for _, value in piece.walk())
    for name, declared in job.workflow.inputs("workflow_dispatch").items:
        options = [each.text for each in declared["options"].parts]
        offers = any(PROD.search(each) for each in options) and any(OTHER.search(each) for each in options)
        if offers and re.search(rf"\binputs\.{re.escape(name)}\b", text):
            return name
    return ""


def _asks_which(jobs: list[Job]) -> bool:
    """Whether a condition asks where a pull request comes from, whether it is merged, or how it was labelled."""
    return any(re.search(r"head|fork|merged|label", each.piece["if"].text) for each in jobs)


def _foreign(job: Job) -> Iterator[Finding]:
    events = [each for each in ("pull_request_target", "workflow_run", "issue_comment") if each in job.workflow.starts]
    risky = [each for each in events if job.may_run_on(each)]
    text = " ".join(each.piece["if"].text for each in (job, *job.before))
    if not risky or "head.repo" in text or "head_repository" in text or "fork" in text or _ASKS_WHO.search(text):
        return
    if "label" in text or job.piece["environment"] or any(each.piece["environment"] for each in job.before):
        return
    for place, step in enumerate(job.own_steps):
        ref = step.given["ref"].text + step.given["repository"].text
        later = job.own_steps[place + 1 :]
        runs = any(each.piece["run"] or each.uses.startswith("./") or "setup" not in each.action for each in later)
        if step.action == "actions/checkout" and _PULL_HEAD.search(ref) and runs and not step.piece["if"]:
            line = step.given["ref"].line
            said = f"the job {job.id} checks out what a pull request brings, on {risky[0]}, which has the secrets"
            yield FOREIGN.at(f"{job.file}:{line}", said)


def _after(job: Job) -> Iterator[Finding]:
    text = job.piece["if"].text
    calls = condition(text).calls if text else frozenset()
    careless = "always" in calls or ("cancelled" in calls and "failure" not in calls)
    asks = ".result" in text or ".outputs." in text or "success" in calls
    made = [each for each in changes(job) if not each.removes]
    if job.needs and careless and not asks and made:
        said = f"the job {job.id} deploys ({made[0].said}) even when {' or '.join(job.needs)} failed"
        yield AFTER_FAILURE.at(f"{job.file}:{job.piece['if'].line}", said)
    deploys = [each for each in job.before if changes(each) or _deploys_by_call(each)]
    if "always" in calls and deploys and not asks:
        yield from _claims(job, deploys[0])


def _claims(job: Job, deploys: Job) -> Iterator[Finding]:
    guarded = any("result" in step.piece["if"].text for step in job.own_steps)
    if guarded or any(re.search(r"\bexit\s+[1-9$]|setFailed", step.piece["run"].text) for step in job.own_steps):
        return
    for step in job.own_steps:
        for command in step.script.commands if not step.piece["if"] and not step.script.is_broken else ():
            said = " ".join(command.arguments)
            decided = command.is_asked or command.inside("if_statement", "case_statement", "list")
            claims = command.program == "echo" and _SUCCESS.search(said) and not re.search(r"\$|:\s*$", said)
            if claims and not decided:
                yield CLAIM.at(
                    step.line(command.row), f"`{command.said}` is said always, whatever became of {deploys.id}"
                )
                return


def _deploys_by_call(job: Job) -> bool:
    called = job.workflow.tree.called(job.workflow.root, job.uses)
    return bool(called) and any(changes(each) for each in called.jobs.values()) if called else False


def _moving(job: Job) -> Iterator[Finding]:
    if not is_production(job) or not changes(job):
        return
    for step in job.own_steps:
        ref = step.given["ref"]
        own = step.action == "actions/checkout" and not step.given["repository"]
        if own and re.fullmatch(r"(refs/heads/)?(main|master|dev|develop|staging|release|trunk)", ref.text):
            yield MOVING.at(f"{job.file}:{ref.line}", f"the job {job.id} deploys the newest {ref.text} to production")


def _twice(tree: Tree) -> Iterator[Finding]:
    found = [
        (change, job)
        for workflow in tree.workflows
        for job in workflow.jobs.values()
        for change in {(each.tool, each.target): each for each in changes(job)}.values()
        if _names_one_thing(change)
    ]
    for (first, one), (second, other) in combinations(found, 2):
        same = (first.tool, first.target, one.workflow.root) == (second.tool, second.target, other.workflow.root)
        if not same or one is other or _says(first) != _says(second):
            continue
        event = _together(tree, one, other)
        if event:
            where = f"{one.id} of {one.file}" if one.file != other.file else one.id
            said = f"the job {other.id} deploys {second.target} ({second.tool}) on {event}, and so does {where}"
            yield TWICE.at(second.line, said)


def _says(change: Change) -> str:
    if change.tool == "kubectl":
        return change.said.split(" ")[1] if " " in change.said else ""
    return change.said if change.tool == "helm" else ""


def _names_one_thing(change: Change) -> bool:
    return bool(change.target) and "$" not in change.target and change.target not in (".", "-")


def _together(tree: Tree, one: Job, other: Job) -> str:
    """The event on which both run beside each other; empty when they never do, or wait for each other."""
    in_turn = one in other.before or other in one.before or one.piece["if"] or other.piece["if"]
    if one.workflow is other.workflow and in_turn:
        return ""
    groups = [_groups(each) for each in (one, other)]
    if groups[0] & groups[1] or environment_named(one) != environment_named(other):
        return ""
    if all(each.may_run_on("push") for each in (one, other)) and _overlap(tree, one, other):
        return "push"
    awaited = [
        {name.text for name in each.workflow.events.get("workflow_run", Piece(None, 1))["workflows"].parts}
        for each in (one, other)
    ]
    return (
        "workflow_run"
        if awaited[0] & awaited[1] and all(each.may_run_on("workflow_run") for each in (one, other))
        else ""
    )


def _groups(job: Job) -> set[str]:
    """The concurrency groups a job belongs to."""
    found = [each.piece["concurrency"] for each in (job, job.workflow)]
    return {each["group"].text or each.text for each in found} - {""}


def _overlap(tree: Tree, one: Job, other: Job) -> bool:
    filters = [each.workflow.events.get("push") for each in (one, other)]
    if any(each is None for each in filters):
        return False
    known = [each for each in filters if each is not None]
    if any(each["tags"] and not each["branches"] for each in known):
        return False
    branches = [[name.text for name in each["branches"].parts] for each in known]
    if all(branches) and not any(
        first == second or matches([first], second) or matches([second], first)
        for first in branches[0]
        for second in branches[1]
    ):
        return False
    paths = [[name.text for name in each["paths"].parts] for each in known]
    if any(each["paths-ignore"] or each["branches-ignore"] for each in known):
        return False
    return any(all(not each or matches(each, file) for each in paths) for file in tree.checkout.files)


def _split(tree: Tree) -> Iterator[Finding]:
    found: dict[tuple[str, str], tuple[str, Job]] = {}
    for workflow in tree.workflows:
        filters = workflow.events.get("push", Piece(None, 1))
        branches = [each.text for each in filters["branches"].parts]
        if len(branches) != 1 or re.search(r"[*?\[+!]", branches[0]) or filters["tags"]:
            continue
        for job in workflow.jobs.values():
            name = environment_named(job).lower()
            if not name or not changes(job) or not job.may_run_on("push"):
                continue
            before = found.setdefault((workflow.root, name), (branches[0], job))
            if before[0] != branches[0]:
                where = f"{before[1].id} of {before[1].file}"
                said = f"{job.id} deploys to {name} from {branches[0]}, {where} from {before[0]}"
                yield SPLIT.at(f"{workflow.file}:{filters['branches'].line}", said)
                break
