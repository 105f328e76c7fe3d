"""Look at every definition before anything is touched: `make check-definitions`.

Prints what was checked, then each finding with its place, what is wrong and what to do. Ends with 1 when anything would
fail or is a risk.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from workspace.preflight import bicep, docker, kubernetes, terraform
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Report, Severity

import deployments
from deployments import described

FAMILIES = {"terraform": terraform, "kubernetes": kubernetes, "docker": docker, "bicep": bicep, "across": described}


def main(arguments: list[str] | None = None) -> int:
    """Check a checkout and say what was found; the exit code."""
    wanted = argparse.ArgumentParser(prog="python -m deployments.check", description=__doc__)
    wanted.add_argument("root", nargs="?", type=Path, default=deployments.SOURCES, help="the checkout; this one")
    wanted.add_argument("--only", choices=FAMILIES, action="append", help="one family of rules; may be repeated")
    chosen = wanted.parse_args(arguments)
    console = Console(highlight=False)
    if not chosen.root.is_dir():
        console.print(f"{chosen.root} is no folder; name the folder of a checkout.", soft_wrap=True)
        return 2
    checkout = Checkout(chosen.root)
    names = chosen.only or list(FAMILIES)
    report = Report.of(FAMILIES[name].check(checkout) for name in names)
    _show(console, report, sum(len(FAMILIES[name].RULES) for name in names))
    return 0 if all(each.rule.severity is Severity.NOTE for each in report.findings) else 1


def _show(console: Console, report: Report, rules: int) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("checked", justify="right")
    table.add_column("")
    table.add_column("by")
    for each in report.checked:
        table.add_row(str(each.count), each.what, each.by)
    console.print(table)
    for finding in report.findings:
        where = f" ({', '.join(finding.environments)})" if finding.environments else ""
        console.print(f"{finding.rule.severity}: {escape(str(finding))}{where}", soft_wrap=True)
        console.print(f"  {escape(finding.rule.todo)}", style="dim", soft_wrap=True)
    found = f"{len(report.findings)} findings" if report.findings else "nothing to mend"
    console.print(f"{rules} rules: {found}.")


if __name__ == "__main__":
    sys.exit(main())
