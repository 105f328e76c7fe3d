"""The baseline: findings that somebody accepted, each with a reason and a day on which it is looked at again.

A YAML or JSON file with a list `accepted` of entries: `rule`, `fingerprint` or `place` (a file, `file:line`, or a
pattern of files), `reason`, `expires` (a day, 2027-01-31) and, for the reader, `what`.
"""

import fnmatch
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from workspace.errors import Refused
from workspace.preflight.families import owner
from workspace.preflight.finding import Finding, Report, Rule, Severity
from workspace.preflight.kubernetes_yaml import Document, mapping, read_yaml
from workspace.preflight.told import printable

USUAL = "preflight.yaml"
"""The baseline of a checkout, at its top, where no other is named."""
EXPIRED = Rule(
    "preflight/baseline-expired",
    Severity.RISK,
    "An entry of the baseline whose day has passed.",
    "What was accepted for a while is told again, because nobody has looked at it since.",
    "Mend the finding, or give the entry a new reason and a new day.",
)
IDLE = Rule(
    "preflight/baseline-idle",
    Severity.RISK,
    "An entry of the baseline that fits no finding any more.",
    "It would accept the same mistake when it comes back, although the reason was about another one.",
    "Remove the entry.",
)
RULES = (EXPIRED, IDLE)
_DAYS = 90
_LINE = re.compile(r"(?<=[\w/]):\d+")
_FIELDS = {"rule", "fingerprint", "place", "reason", "expires", "what"}


@dataclass(frozen=True)
class Entry:
    """One accepted finding, and where the baseline says so."""

    at: str
    rule: str
    fingerprint: str
    place: str
    expires: date

    def fits(self, finding: Finding, fingerprint: str) -> bool:
        """True for the finding that was accepted."""
        if self.rule != finding.rule.id:
            return False
        if self.fingerprint:
            return self.fingerprint == fingerprint
        return self.place in (finding.place, finding.file) or fnmatch.fnmatchcase(finding.file, self.place)


@dataclass(frozen=True)
class Sifted:
    """What is left to tell, and what was accepted."""

    report: Report
    accepted: tuple[Finding, ...] = ()


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """What tells each finding from all others, and stays when lines move or places are added: rule, file, sentence."""
    seen: Counter[str] = Counter()
    found = []
    for each in findings:
        base = "\0".join((each.rule.id, printable(each.file), _LINE.sub("", each.sentence)))
        seen[base] += 1
        found.append(hashlib.sha256(f"{base}\0{seen[base]}".encode(errors="replace")).hexdigest()[:24])
    return found


def read(file: Path, name: str = "") -> tuple[Entry, ...]:
    """The entries of a baseline; Refused, with the line, when one lacks a rule, a reason, a day or what it is about.

    `name` is what the file is called in findings.
    """
    name = name or file.name
    try:
        documents, problem = read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"The baseline {name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if problem:
        raise Refused(f"The baseline {name}:{problem[0]} {problem[1]}.")
    node, value = documents[0] if documents else (None, {"accepted": []})
    document = Document(name, node, value) if node else None
    entries = mapping(value).get("accepted")
    if not isinstance(entries, list):
        raise Refused(f"The baseline {name} has no list `accepted`; make one with --write-baseline.")
    return tuple(
        _entry(document.find(["accepted", index])[1] if document else name, mapping(each))
        for index, each in enumerate(entries)
    )


def _entry(at: str, given: dict[str, object]) -> Entry:
    fields = {key: str(value).strip() if value is not None else "" for key, value in given.items()}
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise Refused(f"The entry at {at} has {unknown[0]}, which no entry has; it takes {', '.join(sorted(_FIELDS))}.")
    for field, why in (
        ("rule", "the id of the rule"),
        ("reason", "why it is accepted"),
        ("expires", "the day on which it is looked at again, as 2027-01-31"),
    ):
        if not fields.get(field):
            raise Refused(f"The entry at {at} has no {field}; write {why}.")
    if bool(fields.get("fingerprint")) == bool(fields.get("place")):
        raise Refused(f"The entry at {at} needs either a fingerprint or a place.")
    try:
        expires = date.fromisoformat(fields["expires"])
    except ValueError as error:
        raise Refused(f"The entry at {at} expires on {fields['expires']!r}, which is no day as 2027-01-31.") from error
    return Entry(at, fields["rule"], fields.get("fingerprint", ""), fields.get("place", ""), expires)


def sift(report: Report, entries: Sequence[Entry], families: Iterable[str], today: date) -> Sifted:
    """The report without what is accepted, and with a finding for each entry that has expired or fits nothing.

    Entries about families that were not asked say nothing.
    """
    asked = {*families, "preflight"}
    left: list[Finding] = []
    accepted: list[Finding] = []
    used: set[Entry] = set()
    for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True):
        fitting = [each for each in entries if each.fits(finding, fingerprint)]
        used.update(fitting)
        (accepted if any(each.expires >= today for each in fitting) else left).append(finding)
    for entry in entries:
        if owner(entry.rule.partition("/")[0]) not in asked:
            continue
        about = entry.place or entry.fingerprint
        if entry not in used:
            left.append(IDLE.at(entry.at, f"Nothing found fits the entry for {entry.rule} at {about}."))
        elif entry.expires < today:
            left.append(EXPIRED.at(entry.at, f"The entry for {entry.rule} at {about} expired on {entry.expires}."))
    return Sifted(Report.of([Report(report.checked, tuple(left))]), tuple(accepted))


def drafted(report: Report, today: date) -> str:
    """A baseline for everything found, its reasons left to be written: until then it is refused."""
    lines = ["# Accepted findings of preflight: write a reason for each; on the day it expires it is told again."]
    lines.append("accepted:" if report.findings else "accepted: []")
    for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True):
        lines += [
            f"  - rule: {finding.rule.id}",
            f"    fingerprint: {json.dumps(fingerprint)}",
            f"    what: {json.dumps(printable(f'{finding.place}: {finding.what}'), ensure_ascii=False)}",
            '    reason: ""',
            f'    expires: "{today + timedelta(days=_DAYS)}"',
        ]
    return "\n".join(lines) + "\n"
