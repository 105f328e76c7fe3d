"""What has aged: products and versions with the day their support ended, from one data file, `ages.json`.

A row names the product, a version (`18` stands for `18.3` too, `*` for anything), the day it `ends`, what to take
`instead`, the `source` of the date, and `gone` when it does not work at all afterwards.
"""

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Age:
    """The end of one version of a product."""

    product: str
    version: str
    ends: date
    instead: str
    source: str
    gone: bool

    def is_of(self, version: str) -> bool:
        """True for the version itself and everything within it."""
        return fnmatch.fnmatchcase(version, self.version) or version.startswith(f"{self.version}.")


@cache
def ages() -> tuple[Age, ...]:
    """All rows of the data file."""
    rows = json.loads(Path(__file__).with_name("ages.json").read_text(encoding="utf-8"))
    return tuple(Age(**{**row, "ends": date.fromisoformat(row["ends"])}) for row in rows)


def ended(product: str, version: str, today: date) -> Age | None:
    """The row of a version whose support has ended by a day; None while it is supported, and for what nobody knows."""
    return next((each for each in _of(product) if each.is_of(version) and each.ends <= today), None)


def _of(product: str) -> Iterator[Age]:
    return (each for each in ages() if each.product == product)


def age_of(product: str, version: str) -> Age | None:
    """The row of a version, whatever the day; None for what nobody knows."""
    return next((each for each in _of(product) if each.is_of(version)), None)
