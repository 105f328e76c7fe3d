"""Rules for names that must meet: one spelling, the environment's own word, one convention, somebody who declares."""

import re
from collections.abc import Iterator

from workspace.preflight.across_environments import in_name, opened, parts
from workspace.preflight.across_inventory import Inventory, Mention, Said, Thing
from workspace.preflight.across_ownership import together
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity

SPELLINGS = Rule(
    "names/two-spellings",
    Severity.RISK,
    "One thing under two spellings.",
    "Rollback and monitoring said the parts of names in another order, and matched nothing on the day of need.",
    "Write the name as it is declared.",
)
NOBODY = Rule(
    "names/nobody-declares",
    Severity.ERROR,
    "A name that nobody declares, where a very similar one is declared.",
    "About 22 fixes were for names and targets that did not match; the mistake shows when the step runs.",
    "Correct the name, or declare what it means.",
)
OTHER = Rule(
    "names/other-environment",
    Severity.RISK,
    "A name or host of one environment that carries the word of another.",
    "Files were copied from environment to environment, and the copy changed the original's resources.",
    "Put the environment's own word into the name.",
)
CONVENTION = Rule(
    "names/convention",
    Severity.NOTE,
    "A name that follows another pattern than the same thing of all other environments.",
    "Scripts that compute names from the environment miss it; most names in Azure cannot be changed later.",
    "Name it like the others while that is possible, or keep the exception written down.",
)
RULES = (SPELLINGS, NOBODY, OTHER, CONVENTION)

_LONGEST = 130


def check(trees: Trees) -> Iterator[Finding]:
    """Which names do not meet."""
    inventory = trees.inventory
    for mention in inventory.mentions:
        if not inventory.named(mention.kind, mention.name):
            yield from _mention(inventory, mention)
    yield from _declared_spellings(inventory)
    yield from _carried(inventory)
    yield from _conventions(inventory)


def similar(inventory: Inventory, mention: Mention) -> Thing | None:
    """The declared thing whose name is another spelling of the one meant, or one or two letters away from it."""
    near = [each for each in inventory.of(mention.kind) if together(each.said.environment, mention.said.environment)]
    return next((each for each in near if is_respelt(each.name, mention.name)), None) or next(
        (each for each in near if is_close(each.name, mention.name)), None
    )


def is_respelt(one: str, other: str) -> bool:
    """True when two names have the same words in another order, or with other signs between them."""
    words, others = parts(one), parts(other)
    return one.lower() != other.lower() and len(words) > 1 and (
        sorted(words) == sorted(others) or "".join(words) == "".join(others)
    )  # fmt: skip


def is_close(one: str, other: str) -> bool:
    """True when one or two letters of one word make the difference; another number is another thing.

    Short words that differ are other words (`ui`, `api`), unless letters changed places (`aks`, `ask`).
    """
    words, others = parts(one), parts(other)
    if not 8 <= max(len(one), len(other)) <= _LONGEST or len(words) != len(others):
        return False
    different = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    if len(different) != 1:
        return False
    (word, meant) = different[0]
    if re.findall(r"\d+", word) != re.findall(r"\d+", meant):
        return False
    return sorted(word) == sorted(meant) or (min(len(word), len(meant)) > 3 and _distance(word, meant) <= 2)


def _distance(one: str, other: str) -> int:
    """How many letters must be put in, taken out, changed or swapped with the next; counted up to 3."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return min(row[-1], 3)


def _mention(inventory: Inventory, mention: Mention) -> Iterator[Finding]:
    said, known = mention.said, inventory.environments
    words = in_name(mention.name, known) - {said.environment}
    if said.environment and words and said.environment not in in_name(mention.name, known):
        own = {opened(mention.name, each): each for each in words}
        for thing in inventory.of(mention.kind):
            if thing.said.environment == said.environment and opened(thing.name, said.environment) in own:
                what = (
                    f"The {mention.kind.word} {mention.name} is meant in {said.environment}, whose own is {thing.name}."
                )
                yield _find(OTHER, said, what)
                return
    declared = similar(inventory, mention)
    if declared is None:
        return
    if is_respelt(declared.name, mention.name):
        what = f"The {mention.kind.word} {declared.name}, declared by {declared.said}, is spelt {mention.name} here."
        yield _find(SPELLINGS, said, what)
    elif mention.kind not in inventory.unknown and in_name(declared.name, known) == in_name(mention.name, known):
        what = f"Nobody declares the {mention.kind.word} {mention.name}; {declared.said} declares {declared.name}."
        yield _find(NOBODY, said, what)


def _declared_spellings(inventory: Inventory) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], Thing] = {}
    for each in inventory.things:
        words = parts(each.name)
        if len(words) < 3:
            continue
        first = seen.setdefault((each.kind.type, each.said.environment, *sorted(words)), each)
        if first.name.lower() != each.name.lower():
            what = f"The {each.kind.word} {each.name} is declared as {first.name} by {first.said}."
            yield _find(SPELLINGS, each.said, what)


def _carried(inventory: Inventory) -> Iterator[Finding]:
    said = [(f"{each.kind.word} {each.name}", each.name, each.said) for each in inventory.things]
    said += [(f"host {each.host}", each.host, each.said) for each in (*inventory.hosts, *inventory.bindings)]
    said += [
        (f"{each.type} record {each.host}", each.host, each.said)
        for each in inventory.records
        if each.type in ("A", "AAAA", "CNAME")
    ]
    known = inventory.environments
    claimed: dict[str, set[str]] = {}
    for what, _, who in said:
        claimed.setdefault(what, set()).add(who.environment)
    for what, name, who in said:
        words = in_name(name, known)
        # What several environments claim alike is found as that.
        if who.environment in known and words and who.environment not in words and len(claimed[what]) == 1:
            carried = " and ".join(sorted(words))
            yield _find(OTHER, who, f"The {what} of {who.environment} carries the word of {carried}.")


def _conventions(inventory: Inventory) -> Iterator[Finding]:
    known: dict[tuple[str, ...], dict[str, list[Thing]]] = {}
    for each in inventory.things:
        if each.said.environment:
            key = (each.said.tool, opened_path(each.said.owner, each.said.environment), each.address)
            known.setdefault(key, {}).setdefault(each.said.environment, []).append(each)
    for things in known.values():
        only = [each[0] for each in things.values() if len(each) == 1]
        if len(only) < 3 or len(only) < len(things):
            continue
        patterns = [opened(each.name, each.said.environment) for each in only]
        usual = max(patterns, key=patterns.count)
        odd = [each for each, pattern in zip(only, patterns, strict=True) if pattern != usual]
        if len(odd) == 1 and "{env}" in usual and _is_own(odd[0]):
            what = f"The {odd[0].kind.word} {odd[0].name} is called {usual} in all other environments."
            yield _find(CONVENTION, odd[0].said, what)


def _is_own(thing: Thing) -> bool:
    """True when the name has its environment's word, or none: another one's word is found as that."""
    words = in_name(thing.name, ("dev", "staging", "prod", "test", "qa", "uat"))
    return not words or thing.said.environment in words


def opened_path(path: str, environment: str) -> str:
    """A path with the environment's steps left open."""
    return "/".join(opened(each, environment) for each in path.split("/"))


def _find(rule: Rule, said: Said, what: str) -> Finding:
    return rule.at(said.place, what, *([said.environment] if said.environment else []))
