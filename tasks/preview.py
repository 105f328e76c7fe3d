"""See what would change before anything does."""

import asyncio

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from workspace.errors import WorkspaceError
from workspace.work import Certainty, Preview

from tasks.step import Step


@task(name="preview", task_run_name="preview", cache_policy=NO_CACHE, persist_result=False)
async def plan(step: Step) -> dict[str, Preview]:
    """The preview of every node, made side by side; what cannot be previewed now says why, and nothing is written."""
    names = step.execution.plan.order
    previews = dict(zip(names, await asyncio.gather(*(_one(step, name) for name in names)), strict=True))
    await acreate_markdown_artifact(key=f"plan-{step.execution.place}", markdown=as_markdown(step, previews))
    return previews


async def _one(step: Step, name: str) -> Preview:
    try:
        return await step.threads.run(step.execution.expect, name)
    except WorkspaceError as error:
        get_run_logger().info("%s cannot be previewed now: %s", name, error)
        return Preview((f"not previewed: {error}",), Certainty.UNCERTAIN)


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
    return "\n".join([f"# Plan for {step.execution.place}, {release}", "", *head, *rows])


def _told(preview: Preview) -> str:
    if preview.is_empty:
        return "no change"
    shown = "; ".join(preview.changes[:3]).replace("|", "\\|")
    more = len(preview.changes) - 3
    return f"{shown}{f' and {more} more' if more > 0 else ''}"
