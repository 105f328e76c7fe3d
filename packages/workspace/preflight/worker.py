"""One family, or a few that share what they read, in a process of their own, so that none can end, hang or slow the
others: used by `engine`.

Arguments are the folder and the families; facts come by standard input, the report goes to standard output, as JSON.
"""

import gc
import json
import os
import sys
from pathlib import Path

from workspace.preflight.checkout import Checkout
from workspace.preflight.families import looked
from workspace.preflight.finding import Report
from workspace.preflight.packing import packed


def main() -> None:
    """Look, and tell; whatever else prints, prints to standard error."""
    root, *families = sys.argv[1:]
    facts = json.load(sys.stdin)
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # What is read stays until the end; looking for what could be thrown away costs a third of the time.
    gc.disable()
    checkout = Checkout(Path(root))
    with told:
        told.write(packed(Report.of(looked(each, checkout, facts) for each in families)))
        told.flush()
        # What was read need not be taken apart again.
        os._exit(0)


if __name__ == "__main__":
    main()
