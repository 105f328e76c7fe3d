"""The entry point of a run in a process of its own: `promote` over three made-up nodes, one of which waits for a file.

`long` ends when the file `go` exists in the state folder.
"""

import time
from typing import Any

from small_promotions import THREE, Scripted, instead_of_the_catalogue
from workspace.errors import Broken
from workspace.work import Preview, Result, Work

from flows.promote import promote

_DEADLINE_SECONDS = 60


class Waiting(Scripted):
    """Scripted nodes, of which `long` waits for a file."""

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        go = work.directory.parents[2] / "go"
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while work.node.id == "long" and not go.exists():
            if time.monotonic() > deadline:
                raise Broken(f"{go} never came")
            time.sleep(0.05)
        return super().apply(work, preview, outside)


instead_of_the_catalogue(THREE, Waiting())

__all__ = ["promote"]
