"""Say what happened, so that a person and the next environment can rely on it."""

from pathlib import Path
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from workspace.node import Stage
from workspace.release import digest_of
from workspace.work import Outcome, Result

from tasks.step import Step

_SHOWN = 5


async def outcome(step: Step, definitions: list[Path]) -> State[Any]:
    """Record how the run ended, prove its release when all of it succeeded, and return the state of the whole run."""
    execution = step.execution
    success = all(result.outcome.is_success for result in execution.results.values())
    sentence = told(step)
    if success and Stage.VERIFICATION in execution.plan.stages:
        release = execution.release(digest_of(definitions))
        execution.ledger.prove(execution.run, execution.place, release)
        sentence += f" Release {release.id} is proven in {execution.place}."
    execution.end(sentence, success=success)
    await acreate_markdown_artifact(key=f"result-{execution.place}", markdown=as_markdown(step, sentence))
    if not success:
        return Failed(message=sentence)
    changed = any(result.outcome is Outcome.CHANGED for result in execution.results.values())
    return Completed(name="Promoted" if changed else "Unchanged", message=sentence)


def told(step: Step) -> str:
    """One sentence on the whole run: what failed, where, and what to do; or what changed."""
    order, place = step.execution.plan.order, step.execution.place
    results = {name: step.execution.results[name] for name in order if name in step.execution.results}
    failed = _with(results, Outcome.FAILED, Outcome.UNKNOWN)
    if not failed:
        changed = len(_with(results, Outcome.CHANGED))
        verb = f"{changed} of {len(results)} nodes changed" if changed else f"nothing changed in {len(results)} nodes"
        return f"promote/{place}: {verb}."
    reasons = " ".join(f"{name} failed: {_sentence(results[name].detail)}" for name in failed[:_SHOWN])
    more = f" And {len(failed) - _SHOWN} more failed." if len(failed) > _SHOWN else ""
    blocked = _with(results, Outcome.BLOCKED)
    waiting = f" Not started because of that: {', '.join(blocked)}." if blocked else ""
    return (
        f"promote/{place}: {len(failed)} of {len(results)} nodes failed. {reasons}{more}{waiting} "
        f"Mend the cause and run promote/{place} again; what is done is not done again."
    )


def as_markdown(step: Step, sentence: str) -> str:
    """The result as a person reads it: the sentence, then one row a node, then what was real."""
    plan, results = step.execution.plan, step.execution.results
    rows = [
        f"| {name} | {plan.nodes[name].stage} | {results[name].outcome} | {_cell(results[name].detail)} |"
        for name in plan.order
        if name in results
    ]
    head = ["| node | stage | outcome | what was done |", "| --- | --- | --- | --- |"]
    parts = [f"* {name}: {what}" for name, what in (step.addresses.parts if step.addresses else {}).items()]
    where = ["", "## Real and stand-in", "", *parts] if parts else []
    return "\n".join([f"# Result for {step.execution.place}", "", sentence, "", *head, *rows, *where])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _with(results: dict[str, Result], *outcomes: Outcome) -> list[str]:
    return [name for name, result in results.items() if result.outcome in outcomes]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
