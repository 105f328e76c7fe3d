"""How fast a rehearsal's Azure is: a few figures in one file, `settings.json`, read afresh whenever one is needed.

The file is written with the figures below at the first start, so that it can be found and edited; a figure that is not
in it is the one below. All are seconds.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Pace:
    """The figures, in seconds."""

    dns: float = 0.0
    """How long public resolvers still answer what a record set said before; the zone's own servers know at once."""
    operations: float = 0.05
    """How long a write, a deletion, a deployment, a swap or a zip deployment that takes its time takes."""
    identities: float = 1.0
    """How long a new identity is not known to Authorization (PrincipalNotFound)."""


class Settings:
    """The figures in one directory's `settings.json`, or the defaults without one; a wrong file is a ValueError."""

    def __init__(self, directory: Path | None = None) -> None:
        self._file = directory / "settings.json" if directory else None
        self._stamp = 0
        self._pace = Pace()
        if self._file and self._file.exists():
            self._pace = read(self._file)
        elif self._file:
            self._file.write_text(json.dumps(asdict(Pace()), indent=1) + "\n")

    @property
    def pace(self) -> Pace:
        """The figures as the file has them now; while it is half written, or wrong, those of before."""
        if self._file is None:
            return self._pace
        try:
            stamp = self._file.stat().st_mtime_ns
            if stamp != self._stamp:
                self._pace = read(self._file)
                self._stamp = stamp
        except (OSError, ValueError):
            pass
        return self._pace


def operation_seconds(settings: Settings | None, fixed: float | None = None) -> Callable[[], float]:
    """How long an operation takes, whenever asked: a fixed figure, or what the settings say by then."""
    figures = settings or Settings()
    return lambda: figures.pace.operations if fixed is None else fixed


def read(file: Path) -> Pace:
    """The figures in a file; raises ValueError for a name or a figure that means nothing."""
    found = json.loads(file.read_text())
    names = {each.name for each in fields(Pace)}
    if not isinstance(found, dict) or set(found) - names:
        raise ValueError(f"{file}: the figures are {', '.join(sorted(names))}, in seconds")
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{file}: {name} is a number of seconds, not {value!r}")
    return Pace(**found)
