"""How a run ended: one sentence a person on call can act on, and whether its release is proven."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workspace.execution import Execution
from workspace.node import Stage
from workspace.release import digest_of
from workspace.work import Outcome, Result

_SHOWN = 5


@dataclass(frozen=True)
class Ending:
    """A run that is over; success only when every node succeeded, changed when one of them did something."""

    sentence: str
    success: bool
    changed: bool


def conclude(execution: Execution, definitions: Iterable[Path]) -> Ending:
    """Record how the run ended, and prove its release when all of it succeeded and was verified.

    `definitions` are the folders the release was made from.
    """
    outcomes = {result.outcome for result in execution.results.values()}
    success = all(outcome.is_success for outcome in outcomes)
    told = sentence(execution)
    if success and Stage.VERIFICATION in execution.plan.stages:
        release = execution.release(digest_of(list(definitions)))
        execution.ledger.prove(execution.run, execution.place, release)
        told += f" Release {release.id} is proven in {execution.place}."
    execution.end(told, success=success)
    return Ending(told, success, Outcome.CHANGED in outcomes)


def sentence(execution: Execution) -> str:
    """One sentence on the whole run: what failed, where, and what to do; or what changed."""
    order, place = execution.plan.order, execution.place
    results = {name: execution.results[name] for name in order if name in execution.results}
    failed = _with(results, Outcome.FAILED, Outcome.UNKNOWN)
    if not failed:
        changed = len(_with(results, Outcome.CHANGED))
        verb = f"{changed} of {len(results)} nodes changed" if changed else f"nothing changed in {len(results)} nodes"
        return f"promote/{place}: {verb}."
    reasons = " ".join(f"{name} failed: {_whole(results[name].detail)}" for name in failed[:_SHOWN])
    more = f" And {len(failed) - _SHOWN} more failed." if len(failed) > _SHOWN else ""
    blocked = _with(results, Outcome.BLOCKED)
    waiting = f" Not started because of that: {', '.join(blocked)}." if blocked else ""
    return (
        f"promote/{place}: {len(failed)} of {len(results)} nodes failed. {reasons}{more}{waiting} "
        f"Mend the cause and run promote/{place} again; what is done is not done again."
    )


def _with(results: Mapping[str, Result], *outcomes: Outcome) -> list[str]:
    return [name for name, result in results.items() if result.outcome in outcomes]


def _whole(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
