"""Faults by name: what a rehearsal is told to do wrong, read afresh from one small file.

`faults.json` holds a list of `{"point": "rollout", "subject": "mystira-chain", "how": "CrashLoopBackOff", ...}`. A
stand-in asks at each point of interest. Of what a fault fits, the first `after` (default: none) pass unharmed, then
`times` (default: all) meet it. What a fault met is told in `faults-met.jsonl` beside it, a line each time, so that a
practice can say whether it practised anything. `node` names who meets it; `deadline_seconds` is how long that one
waits, where the fault would never let it end.
"""

import fnmatch
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MET = "faults-met.jsonl"
"""The file in which each meeting of a fault is told."""

_ALWAYS = float("inf")


@dataclass(frozen=True)
class Fault:
    """One thing to do wrong: where (`point`), to what (`subject`), and how."""

    point: str
    subject: str
    how: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Faults:
    """The faults in force, from `directory/faults.json`; none when the file is absent."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "faults.json"
        self._met = directory / MET
        self._lock = threading.Lock()
        self._asked: dict[int, int] = {}
        self._bitten: dict[int, int] = {}
        self._stamp = 0

    def find(self, point: str, subject: str) -> Fault | None:
        """The first fault for this point and subject that is due, told as met; or None."""
        with self._lock:
            for index, entry in enumerate(self._entries()):
                if entry["point"] == point and _fits(entry, subject) and self._is_due(index, entry):
                    fault = Fault(point, subject, str(entry.get("how", "")), entry)
                    self._tell(fault)
                    return fault
        return None

    def of(self, point: str) -> list[Fault]:
        """Every fault of a point, not yet met: for whoever acts by itself instead of being asked."""
        with self._lock:
            found = [entry for entry in self._entries() if entry["point"] == point]
        return [Fault(point, str(each.get("subject", "*")), str(each.get("how", "")), each) for each in found]

    def holds(self, fault: Fault) -> bool:
        """True until the fault is lifted, however often it was met."""
        with self._lock:
            return fault.details in self._entries()

    def note(self, fault: Fault) -> None:
        """Tell that a fault given by `of` was met."""
        with self._lock:
            self._tell(fault)

    @property
    def deadlines(self) -> dict[str, float]:
        """How long the nodes that meet these faults shall wait, by name."""
        with self._lock:
            return {each["node"]: each["deadline_seconds"] for each in self._entries() if "deadline_seconds" in each}

    def _is_due(self, index: int, entry: Mapping[str, Any]) -> bool:
        self._asked[index] = self._asked.get(index, 0) + 1
        if self._asked[index] <= entry.get("after", 0) or self._bitten.get(index, 0) >= entry.get("times", _ALWAYS):
            return False
        self._bitten[index] = self._bitten.get(index, 0) + 1
        return True

    def _tell(self, fault: Fault) -> None:
        with self._met.open("a") as met:
            met.write(json.dumps({"point": fault.point, "subject": fault.subject, "how": fault.how}) + "\n")

    def _entries(self) -> list[dict[str, Any]]:
        try:
            stamp = self._file.stat().st_mtime_ns
            if stamp != self._stamp:
                self._asked, self._bitten, self._stamp = {}, {}, stamp
            entries: list[dict[str, Any]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return []
        return entries


def _fits(entry: Mapping[str, Any], subject: str) -> bool:
    return fnmatch.fnmatch(subject.lower(), str(entry.get("subject", "*")).lower())
