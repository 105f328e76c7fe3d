"""Whether the release that an environment would carry can still be had, part by part."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workspace import carried, history, presence
from workspace.environment import WORLD, Environment
from workspace.errors import Refused
from workspace.ledger import Ledger
from workspace.live.needs import Needs
from workspace.plan import draw
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import PART
from workspace.release import Release


def check(needs: Needs, outside: Any) -> Iterator[Finding]:
    """What is gone of the release that would be carried now, or of the last proven one where none would be."""
    place, where = needs.place, outside.ledger
    if isinstance(where, Path) and not where.is_dir():  # a ledger would make the folder, and nothing is changed here
        return
    with contextlib.closing(Ledger(where)) as ledger:
        release = _next(ledger, place)
        world = ledger.gives(WORLD)
    if release is not None:
        plan = draw(place, needs.own, world, release)
        for each in presence.missing(plan, outside):
            yield PART.at(place.name, f"Release {release.id} lacks {each}.")


def _next(ledger: Ledger, place: Environment) -> Release | None:
    try:
        return carried.release(ledger, place)
    except Refused:
        proofs = history.proofs(ledger)
        return next((each.release for each in proofs if each.environment == place.follows), None)
