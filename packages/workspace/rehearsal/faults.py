"""Faults by name: what a rehearsal is told to do wrong, read afresh from one small file.

`faults.json` holds a list of `{"point": "rollout", "subject": "mystira-chain", "how": "CrashLoopBackOff", ...}`. A
stand-in asks at each point of interest; `times` (default: always) counts down. What a fault met is told in
`faults-met.jsonl` beside it, a line each time, so that a practice can say whether it practised anything.
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


@dataclass(frozen=True)
class Fault:
    """One thing to do wrong: where (`point`), to what (`subject`, a glob), and how."""

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
        self._used: dict[int, int] = {}
        self._stamp = 0

    def find(self, point: str, subject: str) -> Fault | None:
        """The first fault for this point and subject that is not used up, counted as used; or None."""
        with self._lock:
            for index, entry in enumerate(self._entries()):
                if entry["point"] != point or not fnmatch.fnmatch(subject.lower(), entry.get("subject", "*").lower()):
                    continue
                if self._used.get(index, 0) >= entry.get("times", float("inf")):
                    continue
                self._used[index] = self._used.get(index, 0) + 1
                with self._met.open("a") as met:
                    met.write(json.dumps({"point": point, "subject": subject, "how": entry.get("how", "")}) + "\n")
                return Fault(point, subject, entry.get("how", ""), entry)
        return None

    def _entries(self) -> list[dict[str, Any]]:
        try:
            stamp = self._file.stat().st_mtime_ns
            if stamp != self._stamp:
                self._used, self._stamp = {}, stamp
            entries: list[dict[str, Any]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return []
        return entries
