"""Wait for a person where an environment asks for one."""

from functools import partial
from typing import Any

from prefect import pause_flow_run
from prefect.input import RunInput
from pydantic import Field
from workspace import presence
from workspace.errors import Refused
from workspace.inputs import fingerprint
from workspace.ledger import Event
from workspace.work import Preview

from tasks.step import Step

_PATIENCE_SECONDS = 24 * 3600
_LOOK_SECONDS = 2


class Approval(RunInput):
    """A person's answer to a plan."""

    phrase: str = Field(description="The exact phrase that the description asks for.")
    approver: str = Field(description="Who approves.", min_length=1)


async def asked(step: Step, previews: dict[str, Preview]) -> None:
    """Return once a person approved exactly this plan, where the place asks for one; refused on another answer.

    A person may take a day: after that what is carried is looked for again before anything changes, and what had
    nothing to do is compared again before it is skipped.
    """
    place = step.execution.plan.environment
    if not place.needs_approval:
        return
    digest = _digest(step, previews)
    phrase = f"DEPLOY TO {place.name.upper()} {digest}"
    description = (
        f"Plan {digest} is in the artifact plan-{place.name}. To approve it, answer with the phrase `{phrase}`."
    )
    execution = step.execution
    asking = (Event.ASKED, "", {"plan": digest, "phrase": phrase})
    (entry,) = execution.ledger.write_all(execution.run, place.name, [asking])
    form = Approval.with_initial_data(description=description)
    pause: Any = pause_flow_run
    # A flow run that is started again must ask anew: Prefect pauses once for a key, and then gives no answer at all.
    answer: Approval = await pause(
        wait_for_input=form,
        timeout=_PATIENCE_SECONDS,
        poll_interval=_LOOK_SECONDS,
        key=f"approval-{digest}-{entry.number}",
    )
    if answer.phrase != phrase:
        raise Refused(f"The plan {digest} for {place.name} was not approved: the phrase was not `{phrase}`.")
    execution.ledger.write(execution.run, place.name, Event.APPROVED, plan=digest, approver=answer.approver)
    await step.threads.run(
        presence.require, execution.plan, execution.outside, step.delays, partial(_say, step), execution.halt
    )
    execution.look_again()


def _digest(step: Step, previews: dict[str, Preview]) -> str:
    """What a person approves: these changes, of this release. The same lines may be shown for another one."""
    execution = step.execution
    kept = execution.definitions.digest if execution.definitions else ""
    release = execution.plan.release.id if execution.plan.release else kept
    return fingerprint([release, {name: preview.changes for name, preview in previews.items()}])[:12]


def _say(step: Step, line: str) -> None:
    step.execution.ledger.write(step.execution.run, step.execution.place, Event.PROGRESS, line=line)
