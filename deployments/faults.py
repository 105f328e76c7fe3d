"""The faults that can be practised: `faults.json` beside this file, and putting one in force for a rehearsal."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workspace.errors import Refused
from workspace.rehearsal.faults import MET

_CATALOGUE = Path(__file__).parent / "faults.json"


def known() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The entries of each fault by its name, as a rehearsal reads them."""
    found: dict[str, list[dict[str, Any]]] = json.loads(_CATALOGUE.read_text())
    return found


def put(rehearsal: Path, name: str) -> None:
    """Put a fault in force for the rehearsal in that folder, or none for an empty name; refused when it is unknown."""
    faults = known()
    if name and name not in faults:
        raise Refused(f"There is no fault {name!r}; there are {', '.join(sorted(faults))}.")
    rehearsal.mkdir(parents=True, exist_ok=True, mode=0o700)
    (rehearsal / MET).unlink(missing_ok=True)
    (rehearsal / "faults.json").write_text(json.dumps(faults[name] if name else []))


def in_force(rehearsal: Path) -> Sequence[Mapping[str, Any]]:
    """The entries that are in force for the rehearsal in that folder."""
    file = rehearsal / "faults.json"
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return found


def tell(rehearsal: Path, entry: Mapping[str, Any]) -> None:
    """Note that a fault was met."""
    with (rehearsal / MET).open("a") as file:
        file.write(json.dumps({name: entry[name] for name in ("point", "subject", "how")}) + "\n")


def met(rehearsal: Path) -> Counter[str]:
    """How often faults were met since one was put in force, by subject."""
    file = rehearsal / MET
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(str(json.loads(line)["subject"]) for line in lines)
