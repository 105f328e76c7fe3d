"""What the ledger can be asked: runs, releases, and why a host serves what it serves."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workspace import orphans
from workspace.errors import Refused
from workspace.ledger import Entry, Event, Ledger
from workspace.release import Release, from_json
from workspace.work import Outcome, Way

_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class Run:
    """One run in one environment: when, by whom, with which release, and how it ended; times are UTC, ISO 8601.

    `success` is None for a run that has not ended, or whose end nobody recorded; `lost` then says who gave its machine
    up, when and why, where somebody did. `outcomes` counts nodes by outcome, `ways` by how they came to it (skipped,
    adopted, corrected …). `number` is that of its first entry.
    """

    run: str
    environment: str
    began: str
    by: str
    release: str = ""
    ended: str = ""
    success: bool | None = None
    sentence: str = ""
    approver: str = ""
    lost: str = ""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    ways: Mapping[str, int] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Proof:
    """A release that was verified as a whole: where, when, in which run, started by whom."""

    release: Release
    environment: str
    at: str
    run: str
    by: str = ""


@dataclass(frozen=True)
class Fact:
    """One outcome of one node: what was done and what it is now, when, in which run, and in which way.

    `relies_on` is the number of the entry that a skipped step relies on, `half_done` the run that had begun the step
    before, `drift` what somebody else had changed.
    """

    node: str
    outcome: str
    detail: str
    content: str
    at: str
    run: str
    way: str = ""
    relies_on: int = 0
    half_done: str = ""
    drift: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True)
class Difference:
    """Something in which two releases differ; empty where one of them has nothing of the kind."""

    what: str
    name: str
    first: str
    second: str


def runs(ledger: Ledger, environment: str) -> list[Run]:
    """Every run in an environment, newest first; one that was started again is one run for each start."""
    starts: list[list[Entry]] = []
    latest: dict[str, list[Entry]] = {}
    for entry in (each for each in ledger.after(0, environment) if each.run):
        if entry.run not in latest or entry.event is Event.STARTED:
            latest[entry.run] = []
            starts.append(latest[entry.run])
        latest[entry.run].append(entry)
    return [_run(entries[0].run, entries) for entries in reversed(starts)]


def of(runs: Iterable[Run], fact: Fact) -> Run | None:
    """The run, of these, newest first, in which something was done; the one that had begun it where it was adopted."""
    name = fact.half_done if fact.way == Way.ADOPTED else fact.run
    return next((each for each in runs if each.run == name and each.number <= fact.number), None)


def proofs(ledger: Ledger) -> list[Proof]:
    """Every proof of a release in any environment, newest first.

    Those of one environment come in the order in which they were recorded, whatever clock their machines had.
    """
    found: list[tuple[str, Proof]] = []
    for environment in ledger.environments():
        entries = ledger.after(0, environment)
        by = {entry.run: str(entry.body.get("by", "")) for entry in entries if entry.event is Event.STARTED}
        latest = ""
        for entry in (each for each in entries if each.event is Event.PROVEN):
            latest = max(latest, entry.at)
            release = from_json(entry.body["release"])
            found.append((latest, Proof(release, environment, entry.at, entry.run, by.get(entry.run, ""))))
    return [proof for _, proof in sorted(found, key=lambda each: each[0])[::-1]]


def named(ledger: Ledger, name: str) -> Release:
    """The release that an environment proved last, or the one whose id begins so; refused when it is not one."""
    if name in ledger.environments():
        if proven := ledger.proven(name):
            return proven
        raise Refused(f"No release is proven in {name} yet; run promote/{name} first.")
    known = {proof.release.id: proof.release for proof in proofs(ledger)}
    fitting = (
        [release for its, release in known.items() if its.startswith(name)] if len(name) >= _SHORTEST_PREFIX else []
    )
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise Refused(f"{name!r} is the beginning of {len(fitting)} releases; give more of it.")
    there = ", ".join(known) or "none yet"
    raise Refused(f"There is no release or environment {name!r}; releases are {there}.")


def differences(first: Release, second: Release) -> list[Difference]:
    """In what two releases differ, parts first, then definitions, then where they come from and what made them.

    All definitions are one of them: what belongs to one environment alone is in no other.
    """
    found = []
    for what, ours, theirs in (
        ("part", first.parts, second.parts),
        ("definition", first.nodes, second.nodes),
        ("definitions", {"all of them": first.definitions}, {"all of them": second.definitions}),
        ("commit", {"commit": first.commit.get("id", "")}, {"commit": second.commit.get("id", "")}),
        ("tool", first.tools, second.tools),
    ):
        for name in sorted(ours.keys() | theirs.keys()):
            one, other = str(ours.get(name, "")), str(theirs.get(name, ""))
            if one != other:
                found.append(Difference(what, name, one, other))
    return found


def facts(ledger: Ledger, environment: str, nodes: Sequence[str]) -> dict[str, list[Fact]]:
    """Every outcome of each of these nodes, oldest first; nodes that never had one are left out."""
    found: dict[str, list[Fact]] = {}
    for entry in ledger.after(0, environment):
        if entry.node in nodes and entry.event is Event.OUTCOME:
            found.setdefault(entry.node, []).append(_fact(entry))
    return found


def succeeded(its: Sequence[Fact]) -> Fact | None:
    """The last success among the outcomes of a node."""
    return next((fact for fact in reversed(its) if Outcome(fact.outcome).is_success), None)


def attempted(its: Sequence[Fact]) -> Fact | None:
    """The last success that did more than see that all was as it was left."""
    return next((f for f in reversed(its) if Outcome(f.outcome).is_success and f.way != Way.SKIPPED), None)


def brought(its: Sequence[Fact]) -> Fact | None:
    """The outcome that brought what is there: the last by which something was done, or was found done by another run.

    Found done is what has another content than the success before, whoever applied it.
    """
    found, content = None, ""
    for fact in (each for each in its if Outcome(each.outcome).is_success):
        is_other = fact.content != content and (content or fact.way == Way.ADOPTED)
        if fact.outcome == Outcome.CHANGED or is_other:
            found = fact
        content = fact.content
    return found


def _fact(entry: Entry) -> Fact:
    body = entry.body
    return Fact(
        node=entry.node,
        outcome=str(body["outcome"]),
        detail=str(body["detail"]),
        content=str(body["content"]),
        at=entry.at,
        run=entry.run,
        way=str(body.get("way", "")),
        relies_on=int(body.get("relies_on", 0)),
        half_done=str(body.get("half_done", {}).get("run", "")),
        drift=tuple(body.get("drift", {}).get("changes", ())),
        number=entry.number,
    )


def _run(name: str, entries: Sequence[Entry]) -> Run:
    told = {entry.event: entry for entry in entries}
    settled = {entry.node: entry.body for entry in entries if entry.event is Event.OUTCOME}
    started = _body(told.get(Event.STARTED))
    ended = _body(told.get(Event.ENDED))
    proven = _body(told.get(Event.PROVEN)).get("release", {})
    return Run(
        run=name,
        environment=entries[0].environment,
        began=entries[0].at,
        by=str(started.get("by", "")),
        release=str(proven.get("id") or started.get("release", "")),
        ended=told[Event.ENDED].at if Event.ENDED in told else "",
        success=ended.get("success"),
        sentence=str(ended.get("sentence", "")),
        approver=str(_body(told.get(Event.APPROVED)).get("approver", "")),
        lost=_lost(told.get(Event.LOST)),
        outcomes=_counted(str(body["outcome"]) for body in settled.values()),
        ways=_counted(str(body["way"]) for body in settled.values() if body.get("way")),
        number=entries[0].number,
    )


def _lost(entry: Entry | None) -> str:
    """Which machine was given up, when, by whom and why; empty where none was."""
    machines = ", ".join(host.partition("/")[0] for host in entry.body["hosts"]) if entry else ""
    return f"{machines} was given up {orphans.told(entry)}" if entry else ""


def _body(entry: Entry | None) -> Mapping[str, Any]:
    return entry.body if entry else {}


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words))
