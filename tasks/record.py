"""Say what happened, so that a person and the next environment can rely on it."""

from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from workspace import ending

from tasks.step import Step


async def outcome(step: Step) -> State[Any]:
    """Record how the run ended, prove its release when all of it succeeded, and return the state of the whole run."""
    ended = ending.conclude(step.execution)
    markdown = as_markdown(step, ended.sentence)
    await acreate_markdown_artifact(key=f"result-{step.execution.place}", markdown=markdown)
    if not ended.success:
        return Failed(message=ended.sentence)
    return Completed(name="Promoted" if ended.changed else "Unchanged", message=ended.sentence)


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


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
