"""Rules for secrets, rights and foreign code in workflows."""

import re
from collections.abc import Iterator

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.github_changes import changes
from workspace.preflight.github_expressions import Expression, expressions
from workspace.preflight.github_shell import Command
from workspace.preflight.github_workflow import Job, Step, Tree, Workflow
from workspace.preflight.github_yaml import Piece

CLEAR = Rule(
    "github/secret-in-clear",
    Severity.ERROR,
    "A secret written into a workflow.",
    "Everybody who can read the repository has it, and so has its history for ever.",
    "Revoke it, and read a new one from secrets.",
)
SHOWN = Rule(
    "github/secret-shown",
    Severity.ERROR,
    "A secret that goes to the log or into an output.",
    "GitHub masks the exact text only: encoded, cut or structured it stands in the log; a masked output arrives empty.",
    "Do not print it; hand it to the next job as a secret of its environment.",
)
ON_LINE = Rule(
    "github/secret-on-command-line",
    Severity.RISK,
    "A secret put into a script's text.",
    "It becomes part of the command: other processes see it, and a quote or $ in it changes the script.",
    'Hand it over in env and write "$NAME", or through a file or standard input.',
)
INJECTION = Rule(
    "github/script-injection",
    Severity.ERROR,
    "A text that outsiders choose, put into a script.",
    "A title, branch name or comment is pasted in before the shell reads the script, and runs with the job's rights.",
    'Hand it over in env and write "$NAME".',
)
OPEN = Rule(
    "github/permissions-open",
    Severity.RISK,
    "A deploying job whose token may do everything.",
    "Without permissions the token has what the repository's settings say, which may be writing everywhere.",
    "Say permissions: for the workflow or job, with what it needs alone.",
)
OIDC = Rule(
    "github/no-id-token",
    Severity.ERROR,
    "A login by federation in a job that may not ask for an id token.",
    "azure/login with client-id and without client secret asks GitHub for a token; without the right it fails at once.",
    "Add id-token: write to permissions (and contents: read, because permissions take away the rest).",
)
SCANNED = Rule(
    "github/no-security-events",
    Severity.ERROR,
    "An upload of SARIF by a job that may not write security events.",
    "GitHub answers Resource not accessible by integration (github/codeql-action#1806); what is not named under "
    "permissions is taken away.",
    "Add security-events: write to permissions.",
)
LONG_LIVED = Rule(
    "github/long-lived-login",
    Severity.NOTE,
    "A login to Azure with a stored password.",
    "Client secrets expire on the wrong day and are copied; federation has nothing to store.",
    "Give the identity a federated credential and use client-id, tenant-id and subscription-id.",
)
BRANCH = Rule(
    "github/action-follows-branch",
    Severity.RISK,
    "An action without version, or of a branch.",
    "What ran yesterday and what runs today are not the same, and nobody decided it.",
    "Name a release, or the commit of one.",
)
TAG = Rule(
    "github/action-tag-moves",
    Severity.NOTE,
    "A third party's action by tag, in a job that holds secrets or changes something.",
    "In March 2025 the tags of a widely used action were moved to code that printed secrets into logs.",
    "Name the commit, with the tag in a comment.",
)

RULES: tuple[Rule, ...] = (CLEAR, SHOWN, ON_LINE, INJECTION, OPEN, OIDC, SCANNED, LONG_LIVED, BRANCH, TAG)

_CLEAR = re.compile(
    r"AccountKey=[\w+/=]{20}|SharedAccessKey=[\w+/=]{20}|BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_[A-Za-z0-9]{30}"
    r"|\bgithub_pat_\w{30}|\bAKIA[0-9A-Z]{16}\b|\bxox[baprs]-\d[\w-]{20}|://[^/\s:$@{}]+:[^@\s${}/*<]{6,}@[\w.-]+"
    r"|hooks\.slack\.com/services/T\w+/B\w+/\w{20}"
)
_SECRET_NAMES = re.compile(
    r"^(ARM_CLIENT_SECRET|AZURE_CLIENT_SECRET|AWS_SECRET_ACCESS_KEY|client-secret|creds|AZURE_CREDENTIALS|NPM_TOKEN"
    r"|NODE_AUTH_TOKEN|SONAR_TOKEN|publish-profile|azure_static_web_apps_api_token)$",
    re.IGNORECASE,
)
_OUTSIDERS = re.compile(
    r"github\.(head_ref|event\.(issue\.(title|body)|pull_request\.(title|body|head\.(ref|label|repo\.default_branch))"
    r"|comment\.body|review\.body|review_comment\.body|discussion\.(title|body)|head_commit\.(message|author\.(name|email))"
    r"|commits\S*\.(message|author\.(name|email))|pages\S*\.page_name|workflow_run\.(head_branch|head_commit\.message"
    r"|display_title)))\b",
    re.IGNORECASE,
)
_KNOWN_OWNERS = frozenset(
    ("actions", "azure", "github", "docker", "hashicorp", "microsoft", "google-github-actions", "aws-actions")
)
_IDENTIFIES = re.compile(
    r"(CLIENT|TENANT|SUBSCRIPTION|ACCOUNT|PROJECT|ORG)_?(ID|NAME)$|_(NAME|REGION|LOCATION|URL|HOST|SERVER|ENDPOINT|DOMAIN|GROUP|RG)$",
    re.IGNORECASE,
)
_OWN_TOKEN = re.compile(r"\bgithub\.token\b|\bsecrets\.GITHUB_TOKEN\b", re.IGNORECASE)
_PRINTS = frozenset(("echo", "printf", "cat"))
_MOVING = re.compile(r"^(main|master|develop|dev|trunk|latest|head|edge|nightly|releases?/latest)$", re.IGNORECASE)


def check(tree: Tree) -> Iterator[Finding]:
    """What workflows show, take in and may do."""
    for workflow in tree.workflows:
        yield from _clear(workflow)
        yield from _rights(workflow)
        for job in workflow.jobs.values():
            yield from _job_outputs(job)
            for step in job.own_steps:
                yield from _script(step)
                yield from _login(job, step)
                yield from _scanned(job, step)
                yield from _version(job, step)
            if job.uses and not job.uses.startswith("./"):
                yield from _moves(f"{job.file}:{job.piece['uses'].line}", job.uses)
    for action in tree.actions:
        for step in action.steps:
            yield from _script(step)
            yield from _moves(step.place_in_file, step.uses)


def _clear(workflow: Workflow) -> Iterator[Finding]:
    for path, piece in workflow.piece.walk():
        found = _CLEAR.search(piece.text)
        named = _SECRET_NAMES.match(path[-1]) and piece.text and "services" not in path and path[0] != "on"
        if found and not re.search(
            r"localhost|127\.0\.0\.1|example\.(com|org)|postgres:postgres|@(db|postgres|redis|mysql)\b", piece.text
        ):
            yield CLEAR.at(
                f"{workflow.file}:{piece.line_at(found.start())}", f"the value of {path[-1]} looks like a secret"
            )
        elif named and not re.search(
            r"\$\{|dummy|fake|test|none|XXX|placeholder|^(true|false|inherit)$", piece.text, re.IGNORECASE
        ):
            yield CLEAR.at(f"{workflow.file}:{piece.line}", f"{path[-1]} is written in clear")


def _secrets(found: tuple[Expression, ...]) -> Iterator[tuple[Expression, str]]:
    for each in found:
        for reference in each.references:
            name = reference.names[1] if len(reference.names) > 1 else ""
            if reference.starts("secrets") and name and name.upper() != "GITHUB_TOKEN" and not _IDENTIFIES.search(name):
                # A secret that is only compared is not written.
                yield from ((each, name),) if each.plain else ()


def _job_outputs(job: Job) -> Iterator[Finding]:
    for name, value in job.piece["outputs"].items:
        for _, secret in _secrets(expressions(value.text)):
            yield SHOWN.at(f"{job.file}:{value.line}", f"the output {name} of {job.id} hands on the secret {secret}")


def _script(step: Step) -> Iterator[Finding]:
    yield from _injected(step, step.piece["run"])
    if step.action == "actions/github-script":
        yield from _injected(step, step.given["script"])
    script = step.script
    told: set[tuple[int, str]] = set()
    for command in script.commands:
        held = {
            name: secret
            for name, secret in _held(step)
            if re.search(rf"\$\{{?{name}\b(?!:[+?])", " ".join(command.arguments))
        }
        written = [name for _, name in _secrets(expressions(" ".join(command.words)))]
        if command.program in _PRINTS:
            yield from _printed(step, command, [*written, *held.values()])
        elif written and not command.inside("heredoc_body") and (command.row, written[0]) not in told:
            told.add((command.row, written[0]))
            yield ON_LINE.at(
                step.line(command.row), f"the secret {written[0]} stands in the text of `{command.program} …`"
            )


def _held(step: Step) -> Iterator[tuple[str, str]]:
    """The variables of a step that hold a secret."""
    holders: list[Piece] = [step.piece["env"]]
    if isinstance(step.holder, Job):
        holders += [step.holder.piece["env"], step.holder.workflow.piece["env"]]
    for holder in holders:
        for name, value in holder.items:
            for _, secret in _secrets(expressions(value.text)):
                yield name, secret


def _printed(step: Step, command: Command, names: list[str]) -> Iterator[Finding]:
    if not names or command.piped_into or command.inside("command_substitution", "process_substitution"):
        return
    where = command.writes_to
    if re.search("GITHUB_OUTPUT|GITHUB_STEP_SUMMARY", where):
        yield SHOWN.at(step.line(command.row), f"the secret {names[0]} is written to {where.strip('${}')}")
    elif not where and "add-mask" not in " ".join(command.arguments) and ">&2" not in command.redirects:
        yield SHOWN.at(step.line(command.row), f"`{command.program}` prints the secret {names[0]}")


def _injected(step: Step, piece: Piece) -> Iterator[Finding]:
    for each in expressions(piece.text):
        found = _OUTSIDERS.search(each.source)
        if found and not each.calls & {"tojson", "contains", "startswith", "endswith"} and "==" not in each.source:
            place = f"{step.holder.file}:{piece.line_at(each.start)}"
            yield INJECTION.at(place, f"{found.group(0)}, which outsiders choose, is pasted into the script")


def _permissions(job: Job) -> Piece:
    return job.piece["permissions"] or job.workflow.piece["permissions"]


def _rights(workflow: Workflow) -> Iterator[Finding]:
    for job in workflow.jobs.values():
        given = _permissions(job)
        if given.text == "write-all":
            yield OPEN.at(f"{job.file}:{given.line}", f"the token of {job.id} may write everything")
    found = [each for each in workflow.jobs.values() if not _permissions(each) and changes(each)]
    if found and not workflow.is_only_called:
        others = [each.id for each in found[1:]]
        more = f"; nor {'do' if others[1:] else 'does'} {', '.join(others)}" if others else ""
        said = f"the job {found[0].id} deploys and neither it nor its workflow says permissions{more}"
        yield OPEN.at(found[0].at, said)


def _login(job: Job, step: Step) -> Iterator[Finding]:
    if step.action != "azure/login":
        return
    given = step.given
    stored = given["creds"] or given["client-secret"]
    if stored:
        yield LONG_LIVED.at(f"{job.file}:{stored.line}", f"`{step.name}` logs in with a stored password")
        return
    if not given["client-id"] or given["auth-type"].text.upper() == "IDENTITY":
        return
    said = _permissions(job)
    if not said and job.workflow.is_only_called:
        return
    if said.text in ("write-all",) or said["id-token"].text == "write" or expressions(said.text):
        return
    yield OIDC.at(step.place_in_file, f"`{step.name}` asks for an id token, and the job {job.id} lacks id-token: write")


def _scanned(job: Job, step: Step) -> Iterator[Finding]:
    said, token = _permissions(job), step.given["token"].text
    if step.action != "github/codeql-action/upload-sarif" or not said or expressions(said.text):
        return
    # Another token has rights of its own.
    if said.text == "write-all" or said["security-events"].text == "write" or (token and not _OWN_TOKEN.search(token)):
        return
    what = f"`{step.name}` uploads what was found, and the job {job.id} lacks security-events: write"
    yield SCANNED.at(step.place_in_file, what)


def _version(job: Job, step: Step) -> Iterator[Finding]:
    yield from _moves(step.place_in_file, step.uses)
    owner, _, rest = step.uses.partition("/")
    name, _, version = rest.partition("@")
    pinned = re.fullmatch(r"[0-9a-f]{40}", version)
    foreign = name and owner.lower() not in _KNOWN_OWNERS and not step.uses.startswith(("./", "$/", "docker://"))
    if not foreign or pinned or not version or _MOVING.match(version):
        return
    holders = (job.piece, job.workflow.piece["env"])
    text = " ".join(value.text for each in holders for _, value in each.walk())
    if changes(job) or re.search(r"\$\{\{[^}]*\bsecrets\.(?!GITHUB_TOKEN)", text):
        yield TAG.at(step.place_in_file, f"{step.uses} may become other code: a tag can be moved")


def _moves(place: str, uses: str) -> Iterator[Finding]:
    if not uses or uses.startswith(("./", "$/")) or expressions(uses):
        return
    if uses.startswith("docker://"):
        tag = uses.rsplit("/", 1)[-1].partition(":")[2]
        if "@sha256:" not in uses and tag in ("", "latest"):
            yield BRANCH.at(place, f"{uses} is whatever was pushed last")
        return
    name, _, version = uses.partition("@")
    if not version or _MOVING.match(version):
        yield BRANCH.at(place, f"{name} {'has no version' if not version else f'follows {version}'}")
