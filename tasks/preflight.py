"""Look at the definitions before anything is touched."""

from pathlib import Path

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from workspace import gate
from workspace.preflight.baseline import Sifted
from workspace.preflight.families import Facts
from workspace.preflight.told import counted

from tasks.step import Step


@task(name="preflight", task_run_name="preflight", cache_policy=NO_CACHE, persist_result=False)
async def look(step: Step, sources: Path, facts: Facts) -> None:
    """Look, show what was found as the artifact preflight-ENV, log the risks; refused when anything would fail.

    `facts` are what the checkout says of its environments.
    """
    found = await step.threads.run(gate.looked, step.execution, sources, facts)
    await acreate_markdown_artifact(key=f"preflight-{step.execution.place}", markdown=as_markdown(step, found))
    for each in gate.risks(found):
        get_run_logger().warning(gate.sentence(each))
    gate.refuse(found)


def as_markdown(step: Step, found: Sifted) -> str:
    """What was found as a person reads it: a row a finding, worst first, then what was accepted and looked at."""
    rows = [
        f"| {each.rule.severity} | {_cell(each.place)} | {_cell(each.what)} | {', '.join(each.environments) or '-'} "
        f"| {each.rule.id} | {_cell(each.rule.todo)} |"
        for each in found.report.findings
    ]
    head = ["| severity | place | what | environments | rule | what to do |", "| --- | --- | --- | --- | --- | --- |"]
    summary = counted(found.report.findings) or "Nothing to mend."
    accepted = [f"* {_cell(gate.sentence(each))} [{each.rule.id}]" for each in found.accepted]
    looked = [f"* {each.count} {each.what}" for each in found.report.checked]
    parts = [f"# Preflight for {step.execution.place}", "", summary, ""]
    parts += [*head, *rows, ""] if rows else []
    parts += ["## Accepted by the baseline", "", *accepted, ""] if accepted else []
    return "\n".join([*parts, "## Looked at", "", *looked])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
