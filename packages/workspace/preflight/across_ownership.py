"""Rules for ownership: one thing, one owner, whatever tool, state, template, overlay or environment declares it."""

from collections.abc import Iterator
from itertools import combinations

from workspace.preflight.across_environments import canonical, of_path
from workspace.preflight.across_inventory import BICEP, TERRAFORM, Said, Thing
from workspace.preflight.across_kubernetes import owner
from workspace.preflight.across_terraform import environment
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_scene import Scene
from workspace.preflight.terraform_azure import told

TOOLS = Rule(
    "ownership/two-tools",
    Severity.ERROR,
    "One thing that two tools declare.",
    "Bicep and Terraform both made the DNS zone: two zones of one name, and the public asked the other one.",
    "Let one tool declare it, and the other one look it up.",
)
STATES = Rule(
    "ownership/two-states",
    Severity.ERROR,
    "One thing that two Terraform stacks, or two Bicep templates, declare.",
    "Old roots and new stacks owned the same resources side by side; each plan wanted to undo the other.",
    "Keep it in one of them, and move it by an import where it stands already.",
)
EVERYWHERE = Rule(
    "ownership/per-environment",
    Severity.ERROR,
    "A thing of which there can be one in the world, declared once per environment.",
    "Every environment would have created the zone and the registry again.",
    "Declare it in a layer above the environments, or give each environment a name of its own.",
)
GROUP = Rule(
    "ownership/group-per-environment",
    Severity.RISK,
    "One resource group that several environments declare.",
    "Whoever destroys one environment destroys the group of all; a group never holds two environments.",
    "Give each environment its own group, or declare the shared one above them.",
)
RECORD = Rule(
    "ownership/record",
    Severity.ERROR,
    "One DNS record set that two owners write.",
    "Two owners wrote the same text record of the domain, and old addresses stayed beside the new ones.",
    "Let one stack, template or controller write it.",
)
OBJECT = Rule(
    "ownership/object-twice",
    Severity.ERROR,
    "One Kubernetes object in two overlays of one environment.",
    "Whichever is applied last wins, and pruning one removes what the other needs.",
    "Keep it in one overlay.",
)
NAMESPACE = Rule(
    "ownership/namespace-twice",
    Severity.RISK,
    "A namespace that two owners declare.",
    "Removing it with one of them removes everything that the other has put into it.",
    "Declare the namespace once, on its own.",
)
RULES = (TOOLS, STATES, EVERYWHERE, GROUP, RECORD, OBJECT, NAMESPACE)


def check(trees: Trees) -> Iterator[Finding]:
    """What has more than one owner."""
    for things in trees.inventory.groups():
        for first, second in combinations(things, 2):
            rule = _shared(first, second)
            if rule:
                name = f"{first.kind.word} {second.name}"
                what = f"The {name} is declared by {second.said} and by {first.said}."
                yield rule.at(second.said.place, what, *_environments(first.said, second.said))
    yield from _records(trees)
    for scene in trees.scenes:
        yield from _objects(scene)
        yield from _namespaces(trees, scene)


def together(first: str, second: str) -> bool:
    """True when two environments may be one: the same, or one of them not said."""
    return first == second or not first or not second


def _shared(first: Thing, second: Thing) -> Rule | None:
    """The rule against two declarations of one name; None when they are two things, or one that is declared once."""
    a, b, kind = first.said, second.said, first.kind
    if (a.tool, a.owner, a.environment) == (b.tool, b.owner, b.environment):
        return None
    if not (kind.is_global or kind.is_single or (first.within and first.within == second.within)):
        return None
    if kind.is_single and first.subscription and second.subscription and first.subscription != second.subscription:
        return None
    if a.tool != b.tool:
        return TOOLS if kind.is_global or together(a.environment, b.environment) else None
    if not together(a.environment, b.environment):
        if kind.is_single:
            return GROUP
        return EVERYWHERE if a.tool == BICEP and kind.is_global else None
    if a.owner == b.owner or (a.tool == BICEP and not (a.environment and b.environment)):
        return None
    # What is unique in the world and given twice by Terraform is found where Terraform is looked at.
    return None if a.tool == TERRAFORM and kind.is_told else STATES


def _environments(*said: Said) -> list[str]:
    return list(dict.fromkeys(each.environment for each in said if each.environment))


def _records(trees: Trees) -> Iterator[Finding]:
    seen: dict[tuple[str, str], Said] = {}
    for each in trees.inventory.records:
        first = seen.setdefault((each.host, each.type), each.said)
        if (first.owner, first.environment) != (each.said.owner, each.said.environment):
            what = f"The {each.type} record {each.host} is written by {each.said} and by {first}."
            yield RECORD.at(each.said.place, what, *_environments(first, each.said))


def _objects(scene: Scene) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], tuple[str, str]] = {}
    for each in scene.things:
        if not each.parts or each.kind == "Namespace" or not each.name:
            continue
        group = str(each.value.get("apiVersion", "")).rpartition("/")[0]
        place = owner(each)
        known, above = seen.setdefault((group, each.kind, each.namespace, each.name), (place, _above(place)))
        if known != place and above and above == _above(place):
            what = f"{each.kind} {each.name} is built by {place} and by {known}."
            yield scene.find(OBJECT, each.origin(), what)


def _above(folder: str) -> str:
    """The folder of the environment that a folder is in; nothing when no step of it is an environment."""
    steps = folder.split("/")
    while steps and not of_path(steps[-1]):
        steps.pop()
    return "/".join(steps)


def _namespaces(trees: Trees, scene: Scene) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for each in scene.of("Namespace"):
        place = owner(each)
        first = seen.setdefault(each.name, place)
        if first != place and _above(first) == _above(place):
            yield scene.find(NAMESPACE, each.origin(), f"Namespace {each.name} is declared by {place} and by {first}.")
    for one in trees.terraform.instances:
        name = one.get("metadata", "name") if one.type.startswith("kubernetes_namespace") else None
        if name in seen and together(environment(one), canonical(scene.environment)):
            what = f"Namespace {name} is declared by {one.root} and by {seen[str(name)]}."
            yield scene.find(NAMESPACE, told(trees.terraform, one, name, "metadata", "name"), what)
