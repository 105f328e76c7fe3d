"""A page for each rule: what it finds, why that matters, a wrong and a right example, what to do.

The examples stand in `examples/FAMILY.md`: a heading with the rule's id, a sentence, then one block of code that is
wrong and one that is right.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from workspace.preflight import baseline, families, live_rules
from workspace.preflight.finding import Rule, Severity

_FOLDER = Path(__file__).parent / "examples"
_RULE = re.compile(r"^## (\S+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAID = {
    Severity.ERROR: "error: it would fail",
    Severity.RISK: "risk: it may fail, or leaves something open",
    Severity.NOTE: "note",
}


@dataclass(frozen=True)
class Example:
    """What a rule finds, in a sentence and in a language, and how it should be."""

    about: str
    wrong: str
    right: str
    language: str = ""


Examples = Mapping[str, Example]


@lru_cache(maxsize=1)
def examples() -> Examples:
    """The examples of all families, by rule."""
    found = {}
    for file in sorted(_FOLDER.glob("*.md")):
        for name, page in _RULE.findall(file.read_text(encoding="utf-8")):
            about = page.partition("```")[0].strip().rstrip(":")
            (language, wrong), (_, right) = _CODE.findall(page)
            found[name] = Example(about, wrong, right, language)
    return found


def markdown(rule: Rule, example: Example | None) -> str:
    """The page of a rule."""
    parts = [
        f"# {rule.id}",
        rule.about,
        f"*{_SAID[rule.severity]}*",
        f"**Why.** {rule.why}",
        f"**What to do.** {rule.todo}",
    ]
    if example:
        parts += [f"Wrong. {example.about}:\n\n```{example.language}\n{example.wrong}```"]
        parts += [f"Right:\n\n```{example.language}\n{example.right}```"]
    return "\n\n".join(parts) + "\n"


def all_rules() -> Mapping[str, tuple[Rule, ...]]:
    """Every rule there is, by family; what preflight says about itself comes last."""
    found = families.rules()
    return {**found, "live": live_rules.RULES, families.OWN: (*found[families.OWN], *baseline.RULES)}


def overview(rules: Mapping[str, Iterable[Rule]]) -> str:
    """The page that lists all rules by family, each with a link to its own page."""
    parts = ["# Rules of preflight", "Made by `make rules` from the rules themselves; `workspace rules` prints them."]
    for family, its in rules.items():
        rows = [f"| [{each.id}]({each.id}.md) | {each.severity} | {each.about} |" for each in its]
        parts.append("\n".join([f"## {family}\n", "| rule | severity | what it finds |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def written() -> Mapping[str, str]:
    """Every page by its path below `docs/rules`."""
    rules, known = all_rules(), examples()
    pages = {f"{each.id}.md": markdown(each, known.get(each.id)) for its in rules.values() for each in its}
    return {"README.md": overview(rules), **pages}
