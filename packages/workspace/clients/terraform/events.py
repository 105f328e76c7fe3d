"""Understands what Terraform says while it works: one JSON object per line, or plain text where it fails early."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_GERUNDS = {"create": "creating", "update": "updating", "delete": "deleting"}
_PAST = {"create": "created", "update": "updated", "delete": "deleted"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TEXT_ERROR = re.compile(r"^[\s│|]*(?P<severity>Error|Warning): (?P<summary>.+)$")
_FRAME = re.compile(r"^[\s│╷╵|]*")
_MADE = re.compile(
    r"^created (?P<made>.+) in \S+ s$|^still creating (?P<begun>.+) after \S+ s$|^deleted (?P<gone>.+) in \S+ s$"
)
_WITH_ERROR = re.compile(r"\bwith error: ", re.IGNORECASE)
_MOST_CHARACTERS = 500
_TOTALS = (("add", "added"), ("change", "changed"), ("remove", "destroyed"), ("import", "imported"))


@dataclass(frozen=True)
class Diagnostic:
    """An error or a warning: what, in which resource, in which file and line."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int = 0

    @property
    def is_error(self) -> bool:
        """False for a warning."""
        return self.severity == "error"

    @property
    def place(self) -> str:
        """Address and position, as far as they are known."""
        position = f"{self.file}:{self.line}" if self.file else ""
        return ", ".join(part for part in (self.address, position) if part)

    @property
    def cause(self) -> str:
        """The innermost thing that was said: after the last `with error:`, on one line, of bearable length."""
        said = f"{self.summary}: {self.detail}" if self.detail and self.detail != self.summary else self.summary
        inner = _WITH_ERROR.split(" ".join(said.split()))[-1]
        return inner if len(inner) <= _MOST_CHARACTERS else inner[: _MOST_CHARACTERS - 1] + "…"

    def __str__(self) -> str:
        return f"{self.cause} ({self.place})" if self.place else self.cause


@dataclass
class Stream:
    """Everything one command said, taken in line by line; `say` gets the lines a person wants to see.

    `announces` is false where the planned changes have been told before.
    """

    say: Callable[[str], None]
    mask: Callable[[str], str]
    announces: bool = True
    diagnostics: list[Diagnostic] = field(default_factory=list)
    drift: list[tuple[str, str]] = field(default_factory=list)
    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changed: int = 0
    text: list[str] = field(default_factory=list)

    def line(self, line: str) -> None:
        """Take in one line; what is no event is kept as text."""
        event = event_in(line)
        if event is None:
            if line.strip():
                self.text.append(line)
            return
        self._take(event)
        progress = progress_of(event)
        if progress and (self.announces or event.get("type") != "planned_change"):
            self.say(self.mask(progress))

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "diagnostic":
                self.diagnostics.append(diagnostic(event.get("diagnostic") or {}, self.mask))
            case "change_summary":
                totals = event.get("changes") or {}
                self.changed = sum(int(totals.get(name) or 0) for name, _ in _TOTALS)
            case "resource_drift":
                self.drift.append(_change(event))
            case "outputs":
                self.outputs = dict(event.get("outputs") or {})

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors, in the order they came; plain text is read where there is no other."""
        told = [each for each in self.diagnostics if each.is_error]
        return told or [each for each in text_diagnostics("\n".join(self.text), self.mask) if each.is_error]


def event_in(line: str) -> Mapping[str, Any] | None:
    """The event on this line; None when it is something else."""
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and ("@level" in event or "type" in event) else None


def diagnostic(value: Mapping[str, Any], mask: Callable[[str], str]) -> Diagnostic:
    """One diagnostic, from an event or from `validate`."""
    place = value.get("range") or {}
    return Diagnostic(
        severity=str(value.get("severity", "error")),
        summary=mask(str(value.get("summary", ""))),
        detail=mask(str(value.get("detail", ""))),
        address=str(value.get("address", "")),
        file=str(place.get("filename", "")),
        line=int((place.get("start") or {}).get("line", 0)),
    )


def text_diagnostics(text: str, mask: Callable[[str], str]) -> list[Diagnostic]:
    """The diagnostics in what Terraform prints for people."""
    found: list[Diagnostic] = []
    for raw in _COLOUR.sub("", text).splitlines():
        head = _TEXT_ERROR.match(raw)
        if head:
            found.append(Diagnostic(head["severity"].lower(), mask(head["summary"].strip())))
        elif found:
            more = mask(_FRAME.sub("", raw).rstrip())
            last = found[-1]
            found[-1] = Diagnostic(last.severity, last.summary, f"{last.detail}\n{more}".strip("\n"))
    return found


def _change(event: Mapping[str, Any]) -> tuple[str, str]:
    change = event.get("change") or {}
    return str(change.get("action", "")), str((change.get("resource") or {}).get("addr", ""))


def progress_of(event: Mapping[str, Any]) -> str:
    """The event as one short line; empty when nobody needs it."""
    reader = _LINES.get(str(event.get("type")))
    return reader(event) if reader and (event.get("hook") or {}).get("action") != "read" else ""


def made(lines: Iterable[str]) -> frozenset[str]:
    """The addresses that a command had made, or was making for some time, when it said these lines.

    What was there before would have been told within a moment, long before the first "still creating" after 10 s.
    """
    found: set[str] = set()
    for each in filter(None, map(_MADE.match, lines)):
        found |= {each["made"] or each["begun"] or each["gone"]}
        found -= {each["gone"]}
    return frozenset(found)


def _hook(event: Mapping[str, Any]) -> tuple[str, str, Any]:
    hook = event.get("hook") or {}
    action = str(hook.get("action", ""))
    return action, str((hook.get("resource") or {}).get("addr", "")), hook.get("elapsed_seconds", 0)


def _started(event: Mapping[str, Any]) -> str:
    action, address, _ = _hook(event)
    return f"{_GERUNDS.get(action, action)} {address}"


def _going_on(event: Mapping[str, Any]) -> str:
    action, address, seconds = _hook(event)
    return f"still {_GERUNDS.get(action, action)} {address} after {seconds} s"


def _completed(event: Mapping[str, Any]) -> str:
    action, address, seconds = _hook(event)
    return f"{_PAST.get(action, action)} {address} in {seconds} s"


def _failed(event: Mapping[str, Any]) -> str:
    action, address, seconds = _hook(event)
    return f"failed {_GERUNDS.get(action, action)} {address} after {seconds} s"


def _planned(event: Mapping[str, Any]) -> str:
    return "will {} {}".format(*_change(event))


def _totals(event: Mapping[str, Any]) -> str:
    totals = event.get("changes") or {}
    is_plan = totals.get("operation") == "plan"
    told = [f"{totals[name]} {'to be ' if is_plan else ''}{word}" for name, word in _TOTALS if totals.get(name)]
    return ", ".join(told)


def _diagnosed(event: Mapping[str, Any]) -> str:
    told = diagnostic(event.get("diagnostic") or {}, str)
    return f"{told.severity}: {told}"


_LINES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "apply_complete": _completed,
    "apply_errored": _failed,
    "apply_progress": _going_on,
    "apply_start": _started,
    "change_summary": _totals,
    "diagnostic": _diagnosed,
    "planned_change": _planned,
}
