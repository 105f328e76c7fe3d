"""What preflight found, as JSON for programs; the same bytes for the same findings."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from workspace.preflight.finding import Finding, Report, Severity

SCHEMA = 1
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), 127)} | {10: "\\n", 13: "\\r", 9: "\\t"}


def printable(text: str) -> str:
    """A text, as a file's name, on one line and without what no terminal and no document takes."""
    return os.fsencode(text).decode(errors="backslashreplace").translate(_CONTROL)


def as_json(report: Report, accepted: Sequence[Finding] = ()) -> str:
    """The findings, what was looked at, and how many were accepted by the baseline."""
    rules = {each.rule.id: each.rule for each in report.findings}
    told = {
        "schema": SCHEMA,
        "summary": {**counts(report.findings), "accepted": len(accepted)},
        "findings": [_finding(each) for each in report.findings],
        "accepted": [_finding(each) for each in accepted],
        "rules": {
            name: {
                "severity": each.severity.value,
                "about": each.about,
                "why": each.why,
                "todo": each.todo,
            }
            for name, each in sorted(rules.items())
        },
        "checked": [{"what": each.what, "count": each.count, "by": each.by} for each in report.checked],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings of each severity, none included."""
    found = Counter(each.rule.severity for each in findings)
    return {each.value: found[each] for each in Severity}


def counted(findings: Sequence[Finding]) -> str:
    """The same in words: `2 errors, 1 risk`; empty when there are none."""
    found = [(number, word) for word, number in counts(findings).items() if number]
    return ", ".join(f"{number} {word}{'s' if number > 1 else ''}" for number, word in found)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule.id,
        "severity": finding.rule.severity.value,
        "file": printable(finding.file),
        "line": finding.line or None,
        "environments": list(finding.environments),
        "what": printable(finding.what),
    }
