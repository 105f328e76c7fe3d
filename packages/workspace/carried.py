"""Which release an environment is to carry: the last one proven before it, or the one that was asked for."""

import datetime

from workspace import held, history
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.history import Proof
from workspace.ledger import Ledger
from workspace.release import Release

_MINUTE, _TICK = datetime.timedelta(minutes=1), datetime.timedelta(microseconds=1)


def release(
    ledger: Ledger, place: Environment, wanted: str = "", now: datetime.datetime | None = None
) -> Release | None:
    """The release to carry to this environment; None where it builds its own.

    Without a name it is the last one proven there that has stood there for the time this one asks for (`soak_hours`),
    but none older than what is here; None when nothing was proven: the plan says then what to do.
    Refused, before anything is touched: a release that the environment before never proved as a whole (unknown ones,
    those that would skip an environment), one that has not stood there long enough where no other is to be carried, one
    that is held, and any named release where releases are built.
    """
    if not place.follows:
        if wanted:
            raise Refused(f"{place.name} builds its own release, so it cannot be told to carry {wanted}.")
        return None
    proofs = [proof for proof in history.proofs(ledger) if proof.environment == place.follows]
    now = now or datetime.datetime.now(datetime.UTC)
    chosen = _named(ledger, place, wanted, proofs) if wanted else _last_soaked(ledger, place, proofs, now)
    if chosen is not None:
        # Whoever asks for what an environment proved last did not say that it is to be this one in spite of its hold.
        is_named = bool(wanted) and wanted not in ledger.environments()
        held.refuse(ledger, place, chosen, named=is_named)
        _check_soaked(place, chosen, proofs, now)
    return chosen


def passed_over(ledger: Ledger, place: Environment, chosen: Release) -> str:
    """Which release was proven after the one that nobody asked for by name, and why it is not carried; else empty."""
    proofs = [proof for proof in history.proofs(ledger) if proof.environment == place.follows]
    last = proofs[0].release.id
    if last == chosen.id:
        return ""
    asked = _hours(datetime.timedelta(hours=place.soak_hours))
    return f"release {last}, proven in {place.follows} last, is passed over: it has not stood there for {asked} yet"


def _named(ledger: Ledger, place: Environment, wanted: str, proofs: list[Proof]) -> Release:
    """The named release as it was proven in the environment before, the last time: that is what travels on."""
    found = history.named(ledger, wanted)
    if there := next((proof.release for proof in proofs if proof.release.id == found.id), None):
        return there
    where = sorted({proof.environment for proof in history.proofs(ledger) if proof.release.id == found.id})
    raise Refused(
        f"Release {found.id} was proven in {', '.join(where)} and never in {place.follows}, which {place.name} "
        f"follows; nothing was touched. Promote it to {place.follows} first."
    )


def _last_soaked(ledger: Ledger, place: Environment, proofs: list[Proof], now: datetime.datetime) -> Release | None:
    """The last proven release that has stood long enough; where none younger than what is here has, the last proven."""
    here = held.carried_now(ledger, place.name)
    for proof in proofs:
        if _stood(proof.release, proofs, now) >= datetime.timedelta(hours=place.soak_hours):
            return proof.release
        if proof.release.id == here:
            break
    return proofs[0].release if proofs else None


def _stood(release: Release, proofs: list[Proof], now: datetime.datetime) -> datetime.timedelta:
    """How long a release has stood, counted from its first proof in the environment before."""
    first = min(proof.at for proof in proofs if proof.release.id == release.id)
    # A clock that went back makes the time short, never long.
    return max(datetime.timedelta(0), now - datetime.datetime.fromisoformat(first))


def _check_soaked(place: Environment, chosen: Release, proofs: list[Proof], now: datetime.datetime) -> None:
    """Refuse a release that was proven too short a time ago."""
    stood, asked = _stood(chosen, proofs, now), datetime.timedelta(hours=place.soak_hours)
    if stood < asked:
        left = asked - stood
        raise Refused(
            f"Release {chosen.id} has stood in {place.follows} for {_hours(stood)} and {place.name} asks for "
            f"{_hours(asked)}; nothing was touched. Run promote/{place.name} again in {_hours(left + _MINUTE - _TICK)}."
        )


def _hours(time: datetime.timedelta) -> str:
    """Whole minutes that have passed."""
    minutes = time // _MINUTE
    return f"{minutes // 60} h {minutes % 60:02} min"
