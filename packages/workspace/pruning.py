"""Which kept definitions may go: nobody runs them, no release that counts names them, and they are not young.

Whoever opens a copy marks it as used, and whoever prunes looks at the marks alone in the store, so a copy cannot go
between the moment a run finds it and the moment its ledger names it.
"""

import datetime
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workspace import archive, definitions, held, history
from workspace.contents import Contents
from workspace.ledger import Event, Ledger

KEEP = 30
"""Of so many releases, the newest that each environment proved, the definitions stay."""

YOUNG = datetime.timedelta(days=7)
"""What was kept or used within this time stays, whatever else is said of it."""


@dataclass(frozen=True)
class Gone:
    """A kept copy that was removed, or would be: its digest and its bytes."""

    digest: str
    size: int


def prune(
    store: Path, ledger: Ledger, *, shared: Contents | None = None, keep: int = KEEP, dry: bool = False
) -> tuple[Gone, ...]:
    """Remove the kept definitions that nobody needs any more, and say which; with `dry` only say.

    Those of this machine in the folder `store`, and those of the team in `shared`, each by the same rule. Those stay
    that belong to one of the last `keep` releases of an environment, which it may go back to or hand on, to one that
    is held, or to the last run in an environment, which may be at work; and all that are young.
    """
    needed = _needed(ledger, keep)
    return (*_prune_folder(store, needed, dry=dry), *_prune_shared(shared, needed, dry=dry))


def _prune_folder(store: Path, needed: set[str], *, dry: bool) -> tuple[Gone, ...]:
    if not store.is_dir():
        return ()
    gone, removed = [], []
    with definitions.alone(store):
        for folder in sorted(_old(store)):
            if folder.name not in needed:
                gone.append(Gone(folder.name, sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())))
                if not dry:
                    removed.append(folder.rename(store / f".gone.{folder.name[-64:]}.{uuid.uuid4().hex[:8]}"))
    for each in removed:
        shutil.rmtree(each, ignore_errors=True)
    return tuple(each for each in gone if not each.digest.startswith("."))


def _prune_shared(shared: Contents | None, needed: set[str], *, dry: bool) -> tuple[Gone, ...]:
    """Whoever builds with a copy marks it before its ledger names it; what was marked since it was listed stays."""
    young = datetime.datetime.now(datetime.UTC) - YOUNG
    gone = []
    for each in shared.files() if shared else ():
        digest = archive.digest(each.name)
        is_needed = not digest or digest in needed or each.used > young
        if shared and not is_needed and (dry or shared.remove(each)):
            gone.append(Gone(digest, each.size))
    return tuple(gone)


def told(gone: tuple[Gone, ...]) -> str:
    """How many went and how much that was, in words; empty when none did."""
    if not gone:
        return ""
    what = "copy" if len(gone) == 1 else "copies"
    return f"{len(gone)} {what} of definitions that no release needs, {sum(each.size for each in gone) / 1e6:.1f} MB"


def _needed(ledger: Ledger, keep: int) -> set[str]:
    proofs = history.proofs(ledger)
    is_held = held.everywhere(ledger)
    found = [proof.release.definitions for proof in proofs if proof.release.id in is_held]
    for environment in ledger.environments():
        its = (proof.release.definitions for proof in proofs if proof.environment == environment)
        found += list(dict.fromkeys(its))[:keep]
        started = [each for each in ledger.after(0, environment) if each.event is Event.STARTED]
        found += [str(each.body.get("definitions", "")) for each in started[-1:]]
    return set(found)


def _old(store: Path) -> Iterator[Path]:
    """Folders that nobody kept or used for a while; among them what a killed run left half-made."""
    for folder in store.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > YOUNG.total_seconds():
            yield folder
