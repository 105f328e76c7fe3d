"""See what would change before anything does."""

import asyncio

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from workspace import scheduler
from workspace.work import Preview

from tasks.step import Step


@task(name="preview", task_run_name="preview", cache_policy=NO_CACHE, persist_result=False)
async def plan(step: Step) -> dict[str, Preview]:
    """The preview of every node, made side by side; what cannot be previewed now says why, and nothing is written."""
    names = step.execution.plan.order
    asked = (step.threads.run(scheduler.expected, step.execution, name) for name in names)
    previews = dict(zip(names, await asyncio.gather(*asked), strict=True))
    await acreate_markdown_artifact(key=f"plan-{step.execution.place}", markdown=as_markdown(step, previews))
    return previews


def as_markdown(step: Step, previews: dict[str, Preview]) -> str:
    """The plan as a person reads it: one row a node, in order."""
    plan = step.execution.plan
    release = f"carrying release {plan.release.id}" if plan.release else "building a release"
    rows = [
        f"| {name} | {plan.nodes[name].stage} | {previews[name].certainty} | {_told(previews[name])} "
        f"| {', '.join(sorted(plan.needs[name])) or '-'} |"
        for name in plan.order
    ]
    head = ["| node | stage | certainty | expected | needs |", "| --- | --- | --- | --- | --- |"]
    moved_on = [f"Note: {plan.moved_on}.", ""] if plan.moved_on else []
    return "\n".join([f"# Plan for {step.execution.place}, {release}", "", *moved_on, *head, *rows])


def _told(preview: Preview) -> str:
    if preview.is_empty:
        return "no change"
    shown = "; ".join(preview.changes[:3]).replace("|", "\\|")
    more = len(preview.changes) - 3
    return f"{shown}{f' and {more} more' if more > 0 else ''}"
