"""How often and how long to try again: for what is not ready yet, never for a refusal."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State, TaskRun
from workspace.errors import Unsettled

DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 60.0)
"""Seconds between tries: two and a half minutes in all, on top of the deadlines of the kinds themselves."""

_SHORTEST_SECONDS = 0.05
_USUAL_POLL_SECONDS = 5.0
_MOST_THREADS = 1000

P = ParamSpec("P")
T = TypeVar("T")


def delays(poll_seconds: float) -> list[float]:
    """The delays for a target: shorter where looking is cheap, as in a rehearsal, and never longer than usual."""
    scale = min(1.0, poll_seconds / _USUAL_POLL_SECONDS)
    return [max(_SHORTEST_SECONDS, delay * scale) for delay in DELAYS]


async def is_unsettled(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Prefect's question whether to try again: yes for what is not ready yet, no for everything else."""
    return state.name == Unsettled.__name__


class Threads:
    """Threads for calls that block, as many as there are nodes; a context manager."""

    def __init__(self, nodes: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=max(4, min(nodes, _MOST_THREADS)), thread_name_prefix="node")

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call in a thread, with the context of the caller."""
        context = contextvars.copy_context()
        call = functools.partial(context.run, function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
