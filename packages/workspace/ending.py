"""How a run ended: one sentence a person on call can act on, and whether its release is proven."""

from collections.abc import Mapping
from dataclasses import dataclass

from workspace import equality
from workspace.execution import Execution
from workspace.node import Stage
from workspace.outside import Outside, describe
from workspace.release import Release
from workspace.work import Outcome, Result

_SHOWN = 5


@dataclass(frozen=True)
class Ending:
    """A run that is over; success only when every node succeeded, changed when one of them did something."""

    sentence: str
    success: bool
    changed: bool


def conclude(execution: Execution) -> Ending:
    """Record how the run ended, and prove its release when all of it succeeded and what is there is what it says."""
    outcomes = {result.outcome for result in execution.results.values()}
    success = all(outcome.is_success for outcome in outcomes)
    told = sentence(execution)
    if success and Stage.VERIFICATION in execution.plan.stages:
        proven = release(execution)
        execution.say_of_releases()
        refuted = equality.refuted(execution, proven)
        if refuted:
            told, success = f"{told} {refuted}", False
        else:
            execution.ledger.prove(execution.run, execution.place, proven)
            told += f" Release {proven.id} is proven in {execution.place}."
    execution.end(told, success=success)
    return Ending(told, success, Outcome.CHANGED in outcomes)


def release(execution: Execution) -> Release:
    """What this run proved: the release it carried, or the one it built."""
    if execution.plan.release is not None:
        return execution.plan.release
    kept = execution.definitions
    return Release(
        parts=execution.parts,
        definitions=kept.digest if kept else "",
        built_in=execution.place,
        nodes=equality.defined(execution),
        commit=kept.commit.as_json() if kept else {},
        tools=describe(execution.outside) if isinstance(execution.outside, Outside) else {},
        locks=execution.locks,
    )


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
