"""Pauses: they take a known time and change nothing. Benchmarks and drills are made of them."""

import time
from typing import TYPE_CHECKING

from workspace.work import Outcome, Preview, Result, Work

if TYPE_CHECKING:
    from workspace.outside import Outside


def preview(work: Work, outside: "Outside") -> Preview:
    """A pause always happens, so it is always previewed as one change."""
    return Preview(changes=(f"pause {work.settings['seconds']} s",), always=True)


def apply(work: Work, preview: Preview, outside: "Outside") -> Result:
    """Sleep for `seconds`."""
    time.sleep(work.settings["seconds"])
    return Result(Outcome.CHANGED, f"paused {work.settings['seconds']} s", gives=dict(work.settings.get("gives", {})))


def verify(work: Work, result: Result, outside: "Outside") -> Result:
    """Nothing is left behind to ask."""
    return result
