"""Everything outside, at one target's addresses: one client per thing, made when it is first asked for."""

from functools import cached_property
from types import TracebackType
from typing import Any

from workspace.addresses import Addresses


class Outside:
    """The clients of one target. Any thread may use them; closing is harmless when nothing was opened."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses

    def __enter__(self) -> "Outside":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
