"""Rules for parity across tools: what one environment declares the others do too, unless the workspace says why not.

What may be missing is data of the checkout, in the `differences.yaml` that Kubernetes' parity reads too: entries of
`object`, `environments` (those that do without) and `why`. An object is a kind as people call it (`key vault`), or a
kind and a name in which {env} stands for the environment; stacks, records and secrets are kinds. Without such a file
nobody knows what is meant, and nothing is compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from workspace.preflight.across_environments import bare, canonical, opened
from workspace.preflight.across_inventory import Said
from workspace.preflight.across_names import opened_path
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_yaml import Document, items, mapping, read_yaml

MISSING = Rule(
    "parity/missing",
    Severity.RISK,
    "Something that other environments declare and one does not, without a word why.",
    "Zone and registry stood in one environment's root only, and nothing said whether that was meant.",
    "Declare it there too, or name it in differences.yaml with the environments that do without, and why.",
)
IDLE = Rule(
    "parity/difference-idle",
    Severity.RISK,
    "Something that is declared to be missing in an environment and is not.",
    "It hides the next thing that really is missing.",
    "Remove the entry, or the environment from it.",
)
RULES = (MISSING, IDLE)


@dataclass(frozen=True)
class _Allowed:
    thing: str
    environment: str
    place: str

    def allows(self, thing: str, environment: str) -> bool:
        return self.environment == environment and (self.thing == thing or thing.startswith(f"{self.thing} "))


def check(trees: Trees) -> Iterator[Finding]:
    """What is missing in which environment, tool by tool."""
    files = trees.checkout.matching("differences.yaml", "*/differences.yaml")
    if not files:
        return
    allowed = [each for file in files for each in _read(trees, file)]
    used: set[_Allowed] = set()
    for what, where, expected in _compared(trees):
        for environment in sorted(expected - set(where)):
            by = [each for each in allowed if each.allows(what, environment)]
            used |= set(by)
            if not by:
                others = " and ".join(sorted(where))
                first = where[min(where)]
                yield MISSING.at(first.place, f"{what} is in {others} and not in {environment}.", environment)
    for each in allowed:
        if each not in used:
            yield IDLE.at(each.place, f"{each.thing} is not missing in {each.environment}.", each.environment)


def _read(trees: Trees, file: str) -> Iterator[_Allowed]:
    documents, _ = read_yaml(trees.checkout.found(file))
    for node, value in documents:
        document = Document(file, node, value)
        for index, entry in enumerate(map(mapping, items(mapping(value).get("differences")))):
            for number, environment in enumerate(items(entry.get("environments"))):
                place = document.find(("differences", index, "environments", number))[1]
                yield _Allowed(str(entry.get("object")), canonical(str(environment)), place)


def _compared(trees: Trees) -> Iterator[tuple[str, dict[str, Said], set[str]]]:
    """Each thing that is told apart by environments, who says it in which, and which environments should have it."""
    inventory = trees.inventory
    found: dict[tuple[str, ...], tuple[str, dict[str, Said]]] = {}
    expected: dict[tuple[str, ...], set[str]] = {}
    rows = [(each.kind.word, each.name, each.address, each.said) for each in inventory.things]
    rows += [(f"{each.type} record", each.host, "", each.said) for each in inventory.records]
    rows += [("secret", each.name, "", each.said) for each in inventory.written]
    rows += [("stack", opened_path(said.owner, said.environment), "", said) for *_, said in list(rows)]
    for word, name, address, said in rows:
        if not said.environment:
            continue
        stack = (said.tool, opened_path(said.owner, said.environment))
        group = (said.tool,) if word == "stack" else stack
        expected.setdefault(group, set()).add(said.environment)
        open_name = bare(name, said.environment) if word.endswith(" record") else _open(name, said.environment)
        label, where = found.setdefault((*stack, word, address or open_name), (f"{word} {open_name}", {}))
        where.setdefault(said.environment, said)
    for (tool, stack_name, word, _), (label, where) in found.items():
        yield label, where, expected[(tool,) if word == "stack" else (tool, stack_name)]


def _open(name: str, environment: str) -> str:
    """A name with its environment left open, also where no sign stands around it: `mystirachain{env}sa`."""
    made = opened(name, environment)
    return made if "{env}" in made else made.replace(environment, "{env}")
