"""What preflight says: rules, what they found where, and what was looked at."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_OTHERS = re.compile(r" \(and \d+ more in this file\)$")


def with_others(what: str, places: int) -> str:
    """A sentence that is true of so many places of a file, for the finding that tells it once."""
    return f"{what} (and {places - 1} more in this file)" if places > 1 else what


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    RISK = "risk"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """One thing that must hold: `terraform/unknown-argument`, what is wrong when it does not, and why that matters.

    `why` names the incident or the limit behind the rule; `todo` says what to do about a finding.
    """

    id: str
    severity: Severity
    about: str
    why: str
    todo: str

    @property
    def subject(self) -> str:
        """The first word of its id: the family it belongs to, or what it is about where it looks across tools."""
        return self.id.partition("/")[0]

    def at(self, place: str, what: str, *environments: str) -> "Finding":
        """A finding of this rule; `place` is a file of the checkout, with `:line` where it is known."""
        return Finding(self, place, what, tuple(each for each in environments if each))


@dataclass(frozen=True)
class Finding:
    """One mistake: where it is and what is wrong, in one sentence."""

    rule: Rule
    place: str
    what: str
    environments: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file or folder it is about."""
        return self._parted[0]

    @property
    def line(self) -> int:
        """The line it is about, 0 when it is about the whole file."""
        return self._parted[1]

    @property
    def sentence(self) -> str:
        """What is wrong, without the number of other places of the file: the same when that number changes."""
        return _OTHERS.sub("", self.what)

    @property
    def _parted(self) -> tuple[str, int]:
        file, _, line = self.place.rpartition(":")
        return (file, int(line)) if file and line.isascii() and line.isdecimal() else (self.place, 0)

    def __str__(self) -> str:
        return f"{self.place}: {self.what} [{self.rule.id}]"


@dataclass(frozen=True)
class Checked:
    """What was looked at: so many of what, by which program or library."""

    what: str
    count: int
    by: str = "preflight"


@dataclass(frozen=True)
class Report:
    """What one family, or all of them, looked at and found."""

    checked: tuple[Checked, ...] = ()
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, reports: Iterable["Report"]) -> "Report":
        """All reports as one: the same finding in several environments once, worst first, then by file and line."""
        reports = list(reports)
        grouped: dict[tuple[str, str, str], Finding] = {}
        for finding in (each for report in reports for each in report.findings):
            key = (finding.rule.id, finding.place, finding.what)
            before = grouped.get(key)
            known = before.environments if before else ()
            more = tuple(each for each in finding.environments if each not in known)
            grouped[key] = Finding(finding.rule, finding.place, finding.what, known + more)
        findings = sorted(grouped.values(), key=_order)
        return cls(tuple(each for report in reports for each in report.checked), tuple(findings))


def _order(finding: Finding) -> tuple[int, str, int, str, str]:
    order = list(Severity)
    return order.index(finding.rule.severity), finding.file, finding.line, finding.rule.id, finding.what
