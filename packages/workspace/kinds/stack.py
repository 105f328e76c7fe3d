"""A Terraform stack: planned, then exactly that plan applied; what it gives are its outputs that are not sensitive.

Settings: `root` (the folder below infra/terraform/stacks), `variables`, and `group`, the resource group it fills.
Optional: `adopts`, ids by address of what may exist already: what the plan would make and Azure has is taken over
instead. In those ids `{subscription}` stands for the variable `subscription_id`. Taken over is also what the provider
finds there that an earlier run of ours made, or was to make when it died, unless that would replace it.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from workspace import definitions
from workspace.errors import Broken, Refused, Unsettled
from workspace.work import Certainty, HeldLock, Outcome, Preview, Result, Work

if TYPE_CHECKING:
    from workspace.clients.terraform import Applied, Exists, PlanSummary, Stack

DEFINITIONS = "infra/terraform"
"""Where the definitions are, below the checkout; stacks are in its folder `stacks`, what they share beside it."""

_PREFIX = "sha256:"
_CREATES = "create "

T = TypeVar("T")


def preview(work: Work, outside: Any) -> Preview:
    """Plan; the plan is saved in the node's directory and the preview names it by its digest."""
    summary = _unlocked(work, _stack(work, outside), lambda stack: stack.plan())
    found = _existing(work, outside, summary.creates)
    if found:
        work.say(f"takes over what exists already: {', '.join(sorted(found))}")
        summary = _taking_over(_stack(work, outside, found), found)
    _say_drift(work, summary)
    if summary.is_empty:
        _require_passed(work, summary.failed_checks)
        return Preview()
    return Preview(
        changes=(*(f"adopt {address}" for address in sorted(found.keys() - {*summary.imports})), *summary.lines),
        certainty=_certainty(summary),
        deletes=len(summary.deletes) + len(summary.replaces),
        plan=f"{_PREFIX}{summary.digest}",
    )


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Apply exactly the previewed plan; with nothing to change there is nothing to do."""
    stack = _stack(work, outside)
    if preview.is_empty:
        return Result(Outcome.UNCHANGED, "had nothing to change")
    if not preview.plan.startswith(_PREFIX):
        raise Refused(f"{work.node.id} was not previewed: a stack is applied only from the plan that was shown.")
    from workspace.clients.terraform import Exists

    try:
        applied = _unlocked(work, stack, lambda stack: stack.apply(preview.plan.removeprefix(_PREFIX)))
    except Exists as error:
        _require_ours(work, stack, outside, error)
        raise Unsettled(f"{error}. It is ours and is taken over.") from error
    stack.note_found({})
    if applied.again:
        return Result(Outcome.UNCHANGED, "had been applied before", gives=dict(applied.outputs.values))
    _require_passed(work, applied.failed_checks)
    return Result(Outcome.CHANGED, _detail(work, outside, applied), gives=dict(applied.outputs.values))


def reads(work: Work, preview: Preview, outside: Any) -> Mapping[str, str]:
    """The stack's files with their modules and providers, and the engine that reads them."""
    defined = definitions.stack(work.definitions, str(work.settings["root"]))
    return {"definitions": defined, "terraform": str(outside.terraform.version())}


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result with the outputs as the state has them now; nothing sensitive among them."""
    return replace(result, gives=dict(_stack(work, outside).outputs().values))


def lineage(work: Work, outside: Any) -> str:
    """Which line of states the stack is in, as its backend says now; empty where there is no state."""
    return _stack(work, outside).lineage()


def lock(work: Work, outside: Any) -> str:
    """The lock file of the stack's providers as it was used last; empty where it needs none that is installed."""
    return _stack(work, outside).lock()


def _unlocked(work: Work, stack: "Stack", step: Callable[["Stack"], T]) -> T:
    """What the step gives; a lock that a dead run of ours left is broken first, every other one is left alone."""
    from workspace.clients.terraform import Locked

    try:
        return step(stack)
    except Locked as error:
        lock = HeldLock(error.lock.id, error.lock.who, error.lock.created, error.lock.operation)
        verdict = work.judge_lock(lock)
        if not verdict.may_break:
            raise (Unsettled(f"{error.held}. {verdict.reason}") if verdict.reason else error) from error
    work.say(f"breaks the lock {lock.id} of {lock.who}: {verdict.reason}")
    stack.force_unlock(lock.id)
    return step(stack)


def _require_ours(work: Work, stack: "Stack", outside: Any, error: "Exists") -> None:
    """Keep for the next plan the ids of what an earlier run of ours made; broken where nothing of it is.

    That run said that it had made it, or was making it, and its state was not written; or it meant to make it, and did
    not live to say what became of it. Nobody else is taken for it.
    """
    from workspace.clients.terraform import made

    known = stack.found()
    meant = {change.removeprefix(_CREATES) for change in work.left if change.startswith(_CREATES)}
    ours = ((made(work.said) | meant) - known.keys()) & error.found.keys()
    ids = {address: error.found[address] or _assignment(stack, outside, address) for address in ours}
    found = {address: its for address, its in ids.items() if its}
    if not found:
        raise error
    work.say(f"an earlier run made these, and no state has them: {', '.join(sorted(found))}")
    stack.note_found({**known, **found})


def _taking_over(stack: "Stack", ids: Mapping[str, str]) -> "PlanSummary":
    """The plan that takes over what exists; broken, and forgotten, where a thing would be destroyed and made anew."""
    found = stack.found()
    try:
        summary = stack.plan()
        _require_kept(found.keys() & {*summary.replaces, *summary.deletes}, ids)
    except (Broken, Refused):
        stack.note_found({})
        raise
    return summary


def _require_kept(spoilt: Set[str], ids: Mapping[str, str]) -> None:
    for address in sorted(spoilt):
        raise Broken(
            f"{address} exists as {ids[address]} and no state has it; an earlier run was to make it, and it is not as "
            f"that run would have made it: to take it over would be to destroy it and make it anew. Look at it, then "
            f"import it or remove it, and run again."
        )


def _assignment(stack: "Stack", outside: Any, address: str) -> str:
    """The id of the assignment of a role that a plan would make; empty where Azure has none like it."""
    changes = stack.show().get("resource_changes") or ()
    after: Mapping[str, Any] = next(
        (each["change"]["after"] or {} for each in changes if each["address"] == address), {}
    )
    scope, principal = after.get("scope"), after.get("principal_id")
    role = after.get("role_definition_id") or after.get("role_definition_name")
    if not (scope and principal and role):
        return ""
    return str(outside.inspection.role_assignment(scope, principal, role))


def _existing(work: Work, outside: Any, creates: Iterable[str]) -> dict[str, str]:
    """By address, the ids of what the plan would make although Azure has it, where the settings or a run know it."""
    known: Mapping[str, str] = work.settings.get("adopts") or {}
    variables: Mapping[str, Any] = work.settings.get("variables") or {}
    subscription = str(variables.get("subscription_id", ""))
    ids = {address: known[address].replace("{subscription}", subscription) for address in creates if address in known}
    there = {address: resource_id for address, resource_id in ids.items() if outside.arm.exists(resource_id)}
    found = _stack(work, outside).found()
    return {**there, **{address: found[address] for address in creates if address in found}}


def _stack(work: Work, outside: Any, adopts: Mapping[str, str] | None = None) -> "Stack":
    root = str(work.settings["root"])
    variables: Mapping[str, Any] = work.settings.get("variables") or {}
    stack: Stack = outside.terraform.stack(
        definitions=work.definitions / DEFINITIONS,
        root=f"stacks/{root}",
        work=work.directory,
        key=f"{work.environment.name}/{root}.tfstate",
        variables=variables,
        adopts=adopts or {},
        lock=work.lock,
        say=work.say,
    )
    return stack


def _say_drift(work: Work, summary: "PlanSummary") -> None:
    """Name what somebody else changed and this plan changes back; other drift concerns nothing that is declared."""
    concerned = {each.address for each in summary.changes}
    for each in summary.drift:
        if each.address in concerned:
            work.say(f"changed outside of Terraform: {each}")


def _certainty(summary: "PlanSummary") -> Certainty:
    return Certainty.DEFERRED if summary.deferred else Certainty.EXACT


def _detail(work: Work, outside: Any, applied: "Applied") -> str:
    count = f"{applied.changes} resource{'' if applied.changes == 1 else 's'}"
    return f"applied {count} of {work.settings['root']} with {outside.terraform.version()}"


def _require_passed(work: Work, failed_checks: tuple[str, ...]) -> None:
    if failed_checks:
        raise Broken(f"{work.node.id} stands, but its own check does not pass: {failed_checks[0]}")
