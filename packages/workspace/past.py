"""What the ledger knows of a node before a run, and what that makes of a step: skipped, adopted, completed, corrected.

A node is skipped only where its inputs are those of its last success, nothing was begun or failed since, and reality
says that it still matches. What is not known never counts as done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workspace.ledger import Entry, Event, Ledger
from workspace.work import Certainty, Outcome, Preview, Result, Way


@dataclass(frozen=True)
class Past:
    """Entries about one node: its last success, what failed since, and an intent that has no outcome.

    `touched` is the number of the last entry by which it was, or may have been, changed; 0 for never. Since the last
    success `said` are the lines of progress, and `left` the changes that were meant and of which nobody lived to say
    what became. `built` has the contents that were ever built, by the digest of their inputs.
    """

    success: Entry | None = None
    failed: Entry | None = None
    half_done: Entry | None = None
    touched: int = 0
    said: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    built: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """True when the last success still counts: nothing was begun and nothing failed since."""
        return self.success is not None and self.failed is None and self.half_done is None

    @property
    def inputs(self) -> str:
        """The digest of what the last success was made from; empty where none is recorded."""
        return str(self.success.body.get("inputs", "")) if self.success else ""

    @property
    def relies_on(self) -> int:
        """The number of the outcome that a skipped step relies on: the last that was not skipped itself."""
        return int(self.success.body.get("relies_on") or self.success.number) if self.success else 0

    def remembered(self, preview: Preview) -> Result:
        """What the last success gave, as nothing that this run did; reality is still to be asked."""
        if self.success is None:
            return Result(Outcome.UNKNOWN, "never succeeded")
        body = self.success.body
        since = f"{self.success.at[:16].replace('T', ' ')}, entry {self.relies_on}"
        doubt = f"; {len(preview.changes)} things could not be compared" if preview.only_doubts else ""
        detail = f"is as it was left (last seen {since}){doubt}"
        return Result(Outcome.UNCHANGED, detail, dict(body["gives"]), str(body["content"]))


def of(ledger: Ledger, environment: str) -> dict[str, Past]:
    """The past of every node of which something is recorded in an environment."""
    found: dict[str, _Node] = {}
    started: dict[str, int] = {}
    for entry in ledger.after(0, environment):
        if entry.event is Event.STARTED:
            started[entry.run] = entry.number
        elif entry.node and entry.event in (Event.INTENT, Event.OUTCOME, Event.PROGRESS):
            found.setdefault(entry.node, _Node()).add(entry, started.get(entry.run, 0))
    return {name: its.whole for name, its in found.items() if its.past != Past()}


@dataclass
class _Node:
    """What is gathered of one node, entry after entry; what was meant, by the run and the start that meant it."""

    past: Past = Past()
    said: list[str] = field(default_factory=list)
    meant: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    built: dict[str, str] = field(default_factory=dict)

    def add(self, entry: Entry, started: int) -> None:
        """Take in one entry more, of a run that was last started by the entry with that number."""
        if entry.event is Event.PROGRESS:
            self.said.append(str(entry.body["line"]))
            return
        self.past = _after(self.past, entry, started)
        if entry.event is Event.INTENT:
            self.meant.setdefault((entry.run, started), []).extend(entry.body.get("changes", ()))
        elif Outcome(entry.body["outcome"]).is_success:
            self.said.clear()
            self.meant.clear()
            if made_of := entry.body["gives"].get("inputs"):
                self.built[str(made_of)] = str(entry.body["content"])
        else:
            self.meant.pop((entry.run, started), None)

    @property
    def whole(self) -> Past:
        left = frozenset(change for changes in self.meant.values() for change in changes)
        return replace(self.past, said=tuple(self.said), left=left, built=self.built)


def way(past: Past, inputs: str, preview: Preview, *, need_touched: bool) -> Way:
    """What becomes of a step, by what is recorded and what the preview found.

    `need_touched` says that something the node needs was changed since its last success, so that a difference is no
    wonder.
    """
    nothing_differs = preview.is_empty or preview.only_doubts
    if past.half_done:
        return Way.ADOPTED if nothing_differs else Way.COMPLETED
    is_same = past.is_settled and past.inputs == inputs
    if nothing_differs:
        return Way.SKIPPED if is_same else Way.MATCHED
    is_drift = preview.certainty is Certainty.EXACT and not preview.always
    return Way.CORRECTED if is_same and is_drift and not need_touched else Way.APPLIED


def told(past: Past, chosen: Way, preview: Preview) -> str:
    """What a person should know of the way a step goes; empty where it is nothing unusual."""
    if past.half_done and chosen in (Way.ADOPTED, Way.COMPLETED):
        meant = "; ".join(past.half_done.body.get("changes", ())[:3])
        found = "found done" if chosen is Way.ADOPTED else f"still to do: {'; '.join(preview.changes[:3])}"
        return f"half-done since {past.half_done.at}, run {past.half_done.run} ({meant}): {found}"
    if chosen is Way.CORRECTED and past.success:
        return (
            f"changed outside since {past.success.at} (entry {past.success.number}, run {past.success.run}), with the "
            f"same inputs: {'; '.join(preview.changes[:3])}"
        )
    return ""


def facts(past: Past, chosen: Way, preview: Preview) -> dict[str, Any]:
    """What an outcome records of the way it came about."""
    body: dict[str, Any] = {"way": chosen}
    if chosen is Way.SKIPPED:
        body["relies_on"] = past.relies_on
    if preview.only_doubts:
        body["doubts"] = list(preview.changes)
    if past.half_done and chosen in (Way.ADOPTED, Way.COMPLETED):
        body["half_done"] = {"entry": past.half_done.number, "at": past.half_done.at, "run": past.half_done.run}
    if chosen is Way.CORRECTED and past.success:
        since = {"entry": past.success.number, "at": past.success.at, "run": past.success.run}
        body["drift"] = {"since": since, "changes": list(preview.changes)}
    return body


def _after(past: Past, entry: Entry, started: int) -> Past:
    """The past with one entry more, of a run that was last started by the entry with that number."""
    if entry.event is Event.INTENT:
        return replace(past, half_done=entry, touched=entry.number)
    outcome = Outcome(entry.body["outcome"])
    if outcome is Outcome.BLOCKED:
        return past
    touched = entry.number if outcome is Outcome.CHANGED else past.touched
    if outcome.is_success:
        return Past(success=entry, touched=touched)
    # Only who meant it can tell that it failed; a later run, or this one started again, may not have come to look.
    meant = past.half_done
    is_told = meant is not None and meant.run == entry.run and meant.number > started
    return replace(past, failed=entry, half_done=None if is_told else past.half_done, touched=touched)
