"""What plain text names: hosts that programs call, and what workflows and scripts ask Azure for by name."""

import re
from collections.abc import Iterator

from workspace.preflight.across_environments import of_file
from workspace.preflight.across_inventory import TEXT, Call, Inventory, Mention, Said
from workspace.preflight.across_kinds import CLUSTER, GROUP, REGISTRY, SITE, Kind, endpoints
from workspace.preflight.checkout import Checkout

_URL = re.compile(
    r"\b(?:https?|wss?|grpcs?|redis|amqps?|postgres(?:ql)?)://(?:[^\s/@\"']*@)?([A-Za-z0-9.-]+)(?::(\d+))?"
)
_LONGEST = 4000
_WORD = r"[\"']?([A-Za-z0-9][\w.-]*)[\"']?(?=\s|$)"
_COMMANDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(rf"az aks get-credentials\b.*?\s(?:--name|-n)[ =]+{_WORD}"), CLUSTER),
    (re.compile(rf"az aks get-credentials\b.*?\s(?:--resource-group|-g)[ =]+{_WORD}"), GROUP),
    (re.compile(rf"az acr (?:login|build|import)\b.*?\s(?:--name|-n|--registry|-r)[ =]+{_WORD}"), REGISTRY),
    (re.compile(rf"az webapp\b.*?\s(?:--name|-n)[ =]+{_WORD}"), SITE),
    (re.compile(rf"^\s*app-name:\s*{_WORD}\s*$"), SITE),
)


def calls(text: str, said: Said, caller: str, namespace: str = "") -> list[Call]:
    """The hosts of the addresses in a text."""
    return [
        Call(found[1].lower().rstrip("."), said, caller, namespace, int(found[2]) if found[2] else None)
        for found in _URL.finditer(text)
    ]


def read(checkout: Checkout, into: Inventory) -> None:
    """Put what workflows and scripts name into the inventory."""
    for file in checkout.matching(".github/workflows/*.yml", ".github/workflows/*.yaml", "*.sh", "*.ps1"):
        for number, line in lines(checkout.found(file)):
            said = Said(of_file(file), TEXT, file, f"{file}:{number}")
            for kind, name in named(line):
                into.mentions.append(Mention(kind, name, said))


def named(line: str) -> Iterator[tuple[Kind, str]]:
    """What one command names; what stands after a comment sign or holds a variable is nothing."""
    if len(line) > _LONGEST or line.lstrip().startswith("#"):
        return
    for pattern, kind in _COMMANDS:
        for found in pattern.finditer(line):
            yield kind, found[1]
    if "${" not in line and "$(" not in line:
        yield from endpoints(line)


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text, those that go on in the next one joined, each with its number."""
    begun, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.rstrip().endswith("\\"):
            begun += line.rstrip()[:-1] + " "
            continue
        yield start, begun + line
        begun, start = "", 0
