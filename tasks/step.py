"""What a task is handed: one run of a plan, its threads and its patience."""

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.addresses import Addresses
from workspace.execution import Execution

from tasks.patience import SERVER_SECONDS, Threads


@dataclass(frozen=True)
class Step:
    """A run in progress, as the tasks see it."""

    execution: Execution
    threads: Threads
    delays: Sequence[float] = ()
    addresses: Addresses | None = None
    server_patience: float = SERVER_SECONDS
