"""Whether all of a release can still be had, asked before anything changes and before a person is asked to approve."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from workspace.errors import Overdue, Refused, Unsettled
from workspace.kinds import image, package
from workspace.node import Kind
from workspace.plan import Plan

_LACKING: Mapping[Kind, Callable[[Mapping[str, Any], str, Any], tuple[str, ...]]] = {
    Kind.IMAGE: image.lacking,
    Kind.PACKAGE: package.lacking,
}


def require(
    plan: Plan,
    outside: Any,
    delays: Sequence[float],
    say: Callable[[str], None],
    halt: threading.Event | None = None,
) -> None:
    """Return once every part that the plan carries was found where it is to come from.

    Refused with all that is missing, in one sentence: images with their layers and platform, packages whose bytes are
    not theirs. Asked again after each delay while the other side cannot answer, until `halt` is set. Where nothing is
    carried nothing is looked for.
    """
    if plan.release is None:
        return
    lacking = _patiently(lambda: list(missing(plan, outside)), delays, say, halt or threading.Event())
    if lacking:
        raise Refused(
            f"Release {plan.release.id} cannot be carried to {plan.environment.name}, and nothing was touched, because "
            f"this is missing: {'; '.join(lacking)}. Bring it back, or run promote/{plan.release.built_in} again to "
            f"make a release that is whole, or promote an earlier one by name."
        )


def missing(plan: Plan, outside: Any) -> Iterator[str]:
    """What is missing of what a plan carries, in words, part after part; of a part of a plan what its nodes carry."""
    for name, content in sorted(plan.carried.items()):
        if (node := plan.nodes.get(name)) is None:
            continue
        yield from _LACKING[node.kind](node.settings, content, outside)


def _patiently(
    ask: Callable[[], list[str]], delays: Sequence[float], say: Callable[[str], None], halt: threading.Event
) -> list[str]:
    for delay in delays:
        try:
            return ask()
        except Overdue:
            raise
        except Unsettled as error:
            say(str(error))
            if halt.wait(max(delay, error.after)):
                raise
    return ask()
