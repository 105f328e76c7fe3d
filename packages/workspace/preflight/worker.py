"""One family in a process of its own, so that none can end, hang or slow the others: used by `engine`.

Arguments are the folder and the family; the report goes to standard output, as JSON.
"""

import gc
import json
import os
import sys
from pathlib import Path

from workspace.preflight.checkout import Checkout
from workspace.preflight.families import looked
from workspace.preflight.finding import Report


def main() -> None:
    """Look, and tell; whatever else prints, prints to standard error."""
    root, family = sys.argv[1:]
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # What is read stays until the end; looking for what could be thrown away costs a third of the time.
    gc.disable()
    with told:
        told.write(packed(looked(family, Checkout(Path(root)))))
        told.flush()
        # What was read need not be taken apart again.
        os._exit(0)


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


if __name__ == "__main__":
    main()
