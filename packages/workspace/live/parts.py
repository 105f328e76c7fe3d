"""Whether the release that an environment would carry can still be had, part by part."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workspace import history, presence
from workspace.environment import WORLD
from workspace.ledger import Ledger
from workspace.live.needs import Needs
from workspace.plan import draw
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import PART


def check(needs: Needs, outside: Any) -> Iterator[Finding]:
    """What is gone of the release that was last proven in the environment before; nothing where none was yet."""
    place, where = needs.place, outside.ledger
    if isinstance(where, Path) and not where.is_dir():  # a ledger would make the folder, and nothing is changed here
        return
    with contextlib.closing(Ledger(where)) as ledger:
        proofs = history.proofs(ledger)
        release = next((each.release for each in proofs if each.environment == place.follows), None)
        world = ledger.gives(WORLD)
    if release is not None:
        plan = draw(place, needs.own, world, release)
        for each in presence.missing(plan, outside):
            yield PART.at(place.name, f"Release {release.id} lacks {each}.")
