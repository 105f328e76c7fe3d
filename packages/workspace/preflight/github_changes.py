"""What the steps of a job change outside: with which tool, what, and in which environment."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from workspace.preflight.github_expressions import expressions
from workspace.preflight.github_shell import Command
from workspace.preflight.github_workflow import Job, Step

TERRAFORM = frozenset(("terraform", "tofu", "terragrunt"))
_KUBECTL = frozenset(("apply", "create", "delete", "patch", "replace", "scale", "set", "annotate", "label", "edit"))
_ROLLOUTS = frozenset(("promote", "set", "undo", "restart", "abort", "retry"))
_HELM = frozenset(("upgrade", "install", "uninstall", "rollback"))
_AZ_GROUPS = frozenset(("deployment", "webapp", "functionapp", "containerapp", "staticwebapp", "aks", "network"))
_AZ_VERBS = frozenset(("create", "update", "delete", "deploy", "config-zip", "up", "swap", "set", "restart", "add"))
# Programs that publish an app, with the words that do it; npx fetches the first by the name of its package.
_PUBLISHERS = {"swa": ("deploy",), "func": ("azure", "functionapp", "publish")}
_PACKAGES = {"@azure/static-web-apps-cli": "swa"}
_ACTIONS = {
    "azure/webapps-deploy": "app-name",
    "azure/functions-action": "app-name",
    "azure/k8s-deploy": "manifests",
    "azure/static-web-apps-deploy": "",
    "azure/arm-deploy": "template",
    "azure/bicep-deploy": "template-file",
    "azure/container-apps-deploy-action": "containerAppName",
    "azure/aci-deploy": "name",
    "aws-actions/amazon-ecs-deploy-task-definition": "service",
    "google-github-actions/deploy-cloudrun": "service",
    "dflook/terraform-apply": "path",
}
PROD = re.compile(r"(?<![a-z])(prd|prod|production)(?![a-z])", re.IGNORECASE)
"""The words for production."""
# A slot of an app, a mode of Node and a switch of npm are called production everywhere.
_NO_ENVIRONMENT = re.compile(r"--(target-)?slot[= ]\S+|NODE_ENV=\S+|--production|--mode[= ]\S+", re.IGNORECASE)
OTHER = re.compile(
    r"(?<![a-z])(dev|develop|development|test|testing|qa|uat|int|stg|stage|staging|preview|sandbox|demo|nonprod|non-prod)"
    r"(?![a-z])",
    re.IGNORECASE,
)
"""The words for environments before it."""


@dataclass(frozen=True)
class Change:
    """One thing a step changes."""

    step: Step = field(repr=False)
    line: str
    tool: str
    what: str
    target: str
    said: str

    @property
    def removes(self) -> bool:
        """True for what only cleans up."""
        return bool({"destroy", "delete", "down", "uninstall"} & set(self.said.split()))

    @property
    def keeps_state(self) -> bool:
        """True for tools that a second run, or an end in the middle, leaves half done."""
        return self.tool in (*TERRAFORM, "helm", "azd", "az deployment", "azure/arm-deploy", "azure/bicep-deploy")


def changes(job: Job) -> tuple[Change, ...]:
    """What a job changes, in order; what only reads, plans or builds is left out."""
    known: dict[tuple[str, str], tuple[Change, ...]] = job.workflow.tree.known
    if (job.file, job.id) not in known:
        known[job.file, job.id] = tuple(each for step in job.steps for each in _changes(step))
    return known[job.file, job.id]


def of_command(command: Command) -> str:
    """The tool when a command changes something outside: `terraform`, `kubectl`, `helm`, `az deployment` …"""
    program = command.program
    if program in TERRAFORM:
        return program if _applies(command) else ""
    rollouts = of_rollouts(command)
    if rollouts:
        return "kubectl" if rollouts[0] in _ROLLOUTS else ""
    if program == "kubectl":
        tries = any(each.startswith("--dry-run") and not each.endswith("=none") for each in command.arguments)
        verb = _verbs(command)
        return "" if tries or not (verb & _KUBECTL or _rolls(command)) else program
    if program == "helm":
        tries = any(each.startswith("--dry-run") for each in command.arguments)
        return program if command.verbs[:1] and command.verbs[0] in _HELM and not tries else ""
    if program == "azd":
        return program if command.verbs[:1] in (("up",), ("provision",), ("deploy",), ("down",)) else ""
    return _az(command) if program == "az" else _publisher(command)


def of_rollouts(command: Command) -> tuple[str, ...]:
    """What Argo Rollouts is told, whichever way it is called: `status backend`; empty for other commands."""
    if command.program == "kubectl-argo-rollouts":
        return command.verbs
    return command.verbs[2:] if command.program == "kubectl" and command.has("argo", "rollouts") else ()


def is_production(job: Job) -> bool:
    """True when what a job says of itself, or of what it changes, names production and no other environment."""
    said = [job.environment.text] if job.environment.text else []
    said = said or [each.target for each in changes(job)] + [each.said for each in changes(job)]
    said += [] if job.environment.text else [job.id, job.piece["name"].text, *_named_environments(job)]
    said = [_NO_ENVIRONMENT.sub("", each) for each in said]
    if not any(PROD.search(each) for each in said):
        file = posixpath.basename(job.file)
        return not any(OTHER.search(each) for each in said) and bool(PROD.search(file)) and not OTHER.search(file)
    return not any(OTHER.search(each) for each in said)


def environment_named(job: Job) -> str:
    """The environment a job says it belongs to; empty for an expression or none."""
    return "" if expressions(job.environment.text) else job.environment.text


def _named_environments(job: Job) -> Iterator[str]:
    for holder in (job.piece, job.workflow.piece):
        for name, value in holder["env"].items:
            if re.search(r"(^|_)ENV(IRONMENT)?(_NAME)?$", name, re.IGNORECASE):
                yield value.text


def _changes(step: Step) -> Iterator[Change]:
    target = _ACTIONS.get(step.action)
    # The action for static sites also takes the preview of a closed pull request away.
    if target is not None and step.given["action"].text != "close":
        name = step.given[target].text if target else ""
        said = f"{step.action} {name}".strip()
        yield Change(step, step.place_in_file, step.action, said, name, said)
    for command, folder in placed(step):
        tool = of_command(command)
        if tool:
            yield Change(step, step.line(command.row), tool, tool, _target(command, folder), command.said)


def placed(step: Step) -> Iterator[tuple[Command, str]]:
    """The commands of a step's script, each with the folder that it runs in; empty for the top of the checkout."""
    folder = step.folder.text
    for command in step.script.commands:
        if command.program == "cd" and command.arguments and not command.inside("subshell"):
            folder = posixpath.normpath(posixpath.join(folder, command.arguments[0]))
        yield command, folder


def terraform_folder(command: Command, folder: str) -> str:
    """The folder that Terraform or Terragrunt works in; empty for the top of the checkout."""
    moved = next((each.partition("=")[2] for each in command.arguments if each.startswith("-chdir=")), "")
    moved = moved or command.option("--working-dir", "--terragrunt-working-dir") or ""
    return posixpath.normpath(posixpath.join(folder, moved)) if folder or moved else ""


def _target(command: Command, folder: str) -> str:
    if command.program in TERRAFORM:
        return terraform_folder(command, folder)
    if command.program == "kubectl":
        path = command.option("-k", "--kustomize") or command.option("-f", "--filename") or ""
        path = _piped(command) if path in ("", "-") else path
        return (
            posixpath.normpath(posixpath.join(folder, path)) if path not in ("", "-") else " ".join(command.verbs[1:4])
        )
    if command.program == "helm":
        return " ".join(command.verbs[1:2])
    name = command.option("--name", "-n") or ""
    return " ".join(
        (command.option("--resource-group", "-g") or "", command.option("--template-file", "-f") or name)
    ).strip()


def _piped(command: Command) -> str:
    """The folder whose rendering is piped into a command, or nothing."""
    pipe = next((each for each in command.above if each.type == "pipeline"), None)
    first = next(command.script.below(pipe), None) if pipe is not None else None
    return rendered(first) if first else ""


def rendered(command: Command) -> str:
    """The folder that a command renders with Kustomize, or nothing."""
    for program, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        if command.program == program and command.has(verb):
            return next((each for each in command.verbs[1:]), ".")
    return ""


def _applies(command: Command) -> bool:
    words = command.verbs
    while words and (words[0] in ("run-all", "run", "stack") or "/" in words[0]):
        words = words[1:]
    return words[:1] in (("apply",), ("destroy",))


def _verbs(command: Command) -> set[str]:
    return {next((each for each in command.verbs if each in _KUBECTL | {"rollout", "get", "wait"}), "")}


def _rolls(command: Command) -> bool:
    words = command.verbs
    return "rollout" in words and bool({"restart", "undo"} & set(words))


def _publisher(command: Command) -> str:
    words = command.verbs if command.program == "npx" else (command.program, *command.verbs)
    package = re.sub(r"(?<=.)@.*", "", words[0]) if words else ""
    program = _PACKAGES.get(package, package)
    does = _PUBLISHERS.get(program, ())
    tries = "--dry-run" in command.arguments
    return program if does and words[1 : len(does) + 1] == does and not tries else ""


def _az(command: Command) -> str:
    words = command.verbs
    if not words or words[0] not in _AZ_GROUPS:
        return ""
    verbs = [each for each in words if each in _AZ_VERBS]
    reads = any(each in ("what-if", "validate", "show", "list", "wait") for each in words)
    if reads or not verbs:
        return ""
    return "az deployment" if words[0] == "deployment" else "az"
