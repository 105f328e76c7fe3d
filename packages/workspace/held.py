"""Held releases: what an environment was rolled back from is not carried there again until a person moves forward.

A hold belongs to one environment and one release, and counts for every environment that follows. It stands in the
ledger with who, when and why; so does its end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workspace import history
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.ledger import Event, Ledger
from workspace.release import Release


@dataclass(frozen=True)
class Hold:
    """A release that an environment does not carry: since when, by whom and why.

    `instead` is the release it was rolled back to; empty where a person held it by hand.
    """

    release: str
    environment: str
    at: str
    by: str
    because: str
    instead: str = ""

    def __str__(self) -> str:
        how = f"rolled back to {self.instead}" if self.instead else f"held because {self.because}"
        return f"{how} in {self.environment} {self.at[:16].replace('T', ' ')}{f' by {self.by}' if self.by else ''}"


Saying = tuple[Event, Mapping[str, Any]]
"""An entry that a run writes just before its first change: what it leaves is held, what it moves forward to is not."""


def releases(ledger: Ledger, environment: str) -> dict[str, Hold]:
    """What is held in one environment, by the release's id."""
    found: dict[str, Hold] = {}
    for entry in ledger.after(0, environment):
        body = entry.body
        if entry.event is Event.RELEASE_HELD:
            its = str(body["release"])
            found[its] = Hold(
                its, environment, entry.at, str(body["by"]), str(body["because"]), str(body.get("instead", ""))
            )
        elif entry.event is Event.RELEASE_LIFTED:
            found.pop(str(body["release"]), None)
    return found


def everywhere(ledger: Ledger) -> dict[str, list[Hold]]:
    """Every hold there is, by the release's id."""
    found: dict[str, list[Hold]] = {}
    for environment in ledger.environments():
        for its, hold in releases(ledger, environment).items():
            found.setdefault(its, []).append(hold)
    return found


def refuse(ledger: Ledger, place: Environment, chosen: Release, *, named: bool) -> None:
    """Refuse what is held: here without a name, in an environment that this one follows with or without."""
    here = releases(ledger, place.name).get(chosen.id)
    if here and not named:
        raise Refused(
            f"Release {chosen.id} is held: it was {here}; nothing was touched. Promote a newer release, or name this "
            f"one to move forward to it, or lift it with `workspace lift {chosen.id} {place.name} --because …`."
        )
    for before in _followed(ledger, place):
        if hold := releases(ledger, before).get(chosen.id):
            raise Refused(
                f"Release {chosen.id} is held in {before}, which {place.name} follows: it was {hold}; nothing was "
                f"touched. Promote a newer release, or lift it with `workspace lift {chosen.id} {before} --because …`."
            )


def sayings(ledger: Ledger, place: Environment, chosen: Release | None, *, named: bool) -> tuple[Saying, ...]:
    """What a run that carries this release by name has to say of holds when it changes something."""
    if chosen is None or not named:
        return ()
    said: list[Saying] = []
    if chosen.id in releases(ledger, place.name):
        because = f"{place.name} was promoted to it by name"
        said.append((Event.RELEASE_LIFTED, {"release": chosen.id, "because": because}))
    left = carried_now(ledger, place.name)
    if left and _was_proven_before(ledger, place.follows, chosen.id, left):
        because = f"{place.name} went back to release {chosen.id}, proven in {place.follows} before it"
        said.append((Event.RELEASE_HELD, {"release": left, "instead": chosen.id, "because": because}))
    return tuple(said)


def hold(ledger: Ledger, environment: str, release: str, *, by: str, because: str) -> Hold:
    """Hold a release by hand; refused when it is none, is held already, or no reason is given."""
    its = _for_a_reason(ledger, release, because)
    if found := releases(ledger, environment).get(its):
        raise Refused(f"Release {its} is held already: it was {found}.")
    ledger.write("", environment, Event.RELEASE_HELD, release=its, by=by, because=because)
    return releases(ledger, environment)[its]


def lift(ledger: Ledger, environment: str, release: str, *, by: str, because: str) -> Hold:
    """Let a held release be carried again; returns the hold that ended. Refused when it is not held there."""
    its = _for_a_reason(ledger, release, because)
    held = releases(ledger, environment)
    if its not in held:
        raise Refused(f"Release {its} is not held in {environment}; held there: {', '.join(held) or 'none'}.")
    ledger.write("", environment, Event.RELEASE_LIFTED, release=its, by=by, because=because)
    return held[its]


def _for_a_reason(ledger: Ledger, release: str, because: str) -> str:
    if not because.strip():
        raise Refused("A release is held or lifted for a reason that others can read; say it with --because.")
    return history.named(ledger, release).id


def _followed(ledger: Ledger, place: Environment) -> Iterator[str]:
    """The environments before this one, nearest first, as their own runs said whom they follow."""
    seen, name = {place.name}, place.follows
    while name and name not in seen:
        yield name
        seen.add(name)
        started = [entry for entry in ledger.after(0, name) if entry.event is Event.STARTED]
        name = str(started[-1].body.get("follows", "")) if started else ""


def carried_now(ledger: Ledger, environment: str) -> str:
    """The release of the last run that changed something here or proved one, whole or not."""
    carried, now = dict[str, str](), ""
    for entry in ledger.after(0, environment):
        if entry.event is Event.STARTED:
            carried[entry.run] = str(entry.body.get("release", ""))
        elif entry.event is Event.PROVEN:
            now = str(entry.body["release"]["id"])
        elif entry.event is Event.INTENT:
            now = carried.get(entry.run) or now
    return now


def _was_proven_before(ledger: Ledger, environment: str, chosen: str, left: str) -> bool:
    """True when the environment proved `left` after it last proved `chosen`."""
    newest_first = [proof.release.id for proof in history.proofs(ledger) if proof.environment == environment]
    known = chosen in newest_first and left in newest_first
    return chosen != left and known and newest_first.index(left) < newest_first.index(chosen)
