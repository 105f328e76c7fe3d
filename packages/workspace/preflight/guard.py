"""A rule that fails is a finding of its own: what the others find is still told."""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import ParamSpec

from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.limits import LOOK_SECONDS, within

FAILED = Rule(
    "preflight/rule-failed",
    Severity.RISK,
    "A rule could not be finished, because preflight itself failed.",
    "What the rule would have found is not known, and silence would look like a clean bill.",
    "Report the sentence with the file it names as a defect of preflight; look at the file by hand until then.",
)

Given = ParamSpec("Given")


def attempted(
    looks: Iterable[Callable[Given, Iterable[Finding]]], *arguments: Given.args, **named: Given.kwargs
) -> Iterator[Finding]:
    """What each look finds; one that fails, or takes too long, gives what it had found and says so.

    A look is a function that yields findings. The smaller it is, the less is lost with it.
    """
    for look in looks:
        found: list[Finding] = []
        try:
            with within(LOOK_SECONDS):
                found.extend(look(*arguments, **named))
        except Exception as error:
            found.append(failure(error, look))
        yield from found


def failure(error: Exception, look: Callable[..., object]) -> Finding:
    """Which rules were not finished, at which file; nothing of the error's text, which may hold a secret."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
    rules = next(filter(None, map(_rules, reversed(frames))), ()) or _all_rules(look)
    place = next(filter(None, map(_place, reversed(frames))), ".")
    said = ", ".join(each.id for each in rules) or "A rule"
    return FAILED.at(place, f"{said} could not be finished: {type(error).__name__} in {_where(error)}.")


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _rules(frame: FrameType) -> tuple[Rule, ...]:
    """The rules that a function judges by: those it names."""
    named = (frame.f_globals.get(each) for each in frame.f_code.co_names)
    return tuple(each for each in named if isinstance(each, Rule))


def _all_rules(look: Callable[..., object]) -> tuple[Rule, ...]:
    module = sys.modules.get(getattr(look, "__module__", ""))
    return tuple(getattr(module, "RULES", ()))


def _place(frame: FrameType) -> str:
    """The file that a function was about: a value of its own that is one or stands in one."""
    values = frame.f_locals
    for name in ("place", "file", "path"):
        if isinstance(values.get(name), str) and values[name]:
            return str(values[name])
    return next((found for each in values.values() if (found := _stands_at(each))), "")


def _stands_at(value: object) -> str:
    value = getattr(value, "item", value)
    files = getattr(value, "files", None)
    known: list[object] = [getattr(value, name, None) for name in ("place", "file", "path")]
    if isinstance(files, tuple) and not isinstance(value, Checkout):
        known += files[:1]
    return next((each for each in known if isinstance(each, str) and each), "")
