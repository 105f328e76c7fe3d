"""A report as text, between processes and runs."""

import json

from workspace.preflight.finding import Checked, Finding, Report, Rule, Severity


def packed(report: Report) -> str:
    """A report as JSON; each rule once."""
    rules = {each.rule.id: each.rule for each in report.findings}
    return json.dumps(
        {
            "checked": [[each.what, each.count, each.by] for each in report.checked],
            "rules": {
                name: [rule.severity.value, rule.about, rule.why, rule.todo] for name, rule in sorted(rules.items())
            },
            "findings": [[each.rule.id, each.place, each.what, each.environments] for each in report.findings],
        }
    )


def unpacked(text: str | bytes) -> Report:
    """The report that a worker told."""
    told = json.loads(text)
    rules = {name: Rule(name, Severity(severity), *words) for name, (severity, *words) in told["rules"].items()}
    return Report(
        tuple(Checked(*each) for each in told["checked"]),
        tuple(Finding(rules[name], place, what, tuple(where)) for name, place, what, where in told["findings"]),
    )
