"""How often and how long to try again: for what is not ready yet, never for a refusal."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State, TaskRun
from workspace.errors import Unsettled
from workspace.patience import scale

SERVER_SECONDS = 60.0
"""How long a Prefect server may be away (restarted, moved) before a run ends without it."""

_SHORTEST_AWAY_SECONDS = 4.0
_MOST_THREADS = 1000

P = ParamSpec("P")
T = TypeVar("T")


def away(poll_seconds: float) -> float:
    """How long the server may be away, for a target: in a rehearsal nobody brings it back."""
    return max(_SHORTEST_AWAY_SECONDS, SERVER_SECONDS * scale(poll_seconds))


async def is_unsettled(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Prefect's question whether to try again: yes for what is not ready yet, no for everything else."""
    return state.name == Unsettled.__name__


class Threads:
    """Threads for calls that block, as many as there are nodes; a context manager that waits for those at work."""

    def __init__(self, nodes: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=max(4, min(nodes, _MOST_THREADS)), thread_name_prefix="node")
        self._at_work: set[asyncio.Future[Any]] = set()
        self._finishing = False

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call in a thread, with the context of the caller; once `finish` was called nothing starts, and this waits."""
        if self._finishing:
            await asyncio.Event().wait()
        context = contextvars.copy_context()
        call = functools.partial(context.run, function, *arguments, **named)
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        self._at_work.add(future)
        future.add_done_callback(self._at_work.discard)
        return await future

    async def finish(self) -> None:
        """Start nothing more; returns when every call at work has ended."""
        self._finishing = True
        if self._at_work:
            await asyncio.wait(self._at_work)

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever leaves early gives the environment free: first let what is at work end and be recorded.
        self._pool.shutdown(wait=True, cancel_futures=True)
