"""What preflight found, as SARIF 2.1.0: what code hosts and editors show beside the lines."""

import json
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from workspace.preflight.baseline import fingerprints
from workspace.preflight.finding import Finding, Report, Rule, Severity
from workspace.preflight.pages import Examples, markdown
from workspace.preflight.told import printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "preflight/v1"
_LEVELS = {Severity.ERROR: "error", Severity.RISK: "warning", Severity.NOTE: "note"}


def as_sarif(report: Report, accepted: Sequence[Finding], version: str, examples: Examples) -> str:
    """One run of the tool `preflight`: rules with their help, results with places relative to the folder.

    Accepted findings are results that are suppressed.
    """
    findings = [*report.findings, *accepted]
    rules = {each.rule.id: each.rule for each in findings}
    numbers = {name: index for index, name in enumerate(sorted(rules))}
    prints = [*fingerprints(report.findings), *fingerprints(accepted)]
    results = [_result(finding, numbers[finding.rule.id], each) for finding, each in zip(findings, prints, strict=True)]
    for each in results[len(report.findings) :]:
        each["suppressions"] = [{"kind": "external", "status": "accepted"}]
    driver = {
        "name": "preflight",
        "semanticVersion": version,
        "rules": [_descriptor(rules[name], examples) for name in numbers],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "The folder that was checked."}}},
        "results": results,
        "properties": {"checked": [{"what": each.what, "count": each.count} for each in report.checked]},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _descriptor(rule: Rule, examples: Examples) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.about},
        "fullDescription": {"text": f"{rule.about} {rule.why}"},
        "help": {"text": f"{rule.why}\n\n{rule.todo}", "markdown": markdown(rule, examples.get(rule.id))},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.subject]},
    }


def _result(finding: Finding, number: int, fingerprint: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file), "uriBaseId": "ROOT"}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    said = f" ({', '.join(finding.environments)})" if finding.environments else ""
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": number,
        "level": _LEVELS[finding.rule.severity],
        "message": {"text": f"{printable(finding.what)}{said} {finding.rule.todo}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {"environments": list(finding.environments)},
    }


def _uri(file: str) -> str:
    # A colon in the first step would read as a scheme.
    path = quote(os.fsencode(file), safe="/")
    return path or "."
