"""Patience: for what is not ready yet, shorter where looking is cheap, never for a refusal."""

import asyncio
import contextvars
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.states import Completed, Failed

from tasks import patience
from tasks.patience import Threads


@pytest.mark.parametrize(("poll", "seconds"), [(5.0, 60.0), (60.0, 60.0), (2.5, 30.0), (0.2, 4.0)])
def test_a_server_may_be_away_for_a_minute_and_in_a_rehearsal_for_seconds(poll: float, seconds: float) -> None:
    assert patience.away(poll) == seconds


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (Failed(name="Unsettled"), True),
        (Failed(name="Overdue"), False),
        (Failed(name="Refused"), False),
        (Failed(name="Broken"), False),
        (Failed(name="Unknown"), False),
        (Failed(), False),
        (Completed(), False),
    ],
)
def test_only_what_is_not_ready_yet_is_tried_again(state: Any, again: bool) -> None:
    run = cast(Any, SimpleNamespace())
    assert asyncio.run(patience.is_unsettled(None, run, state)) is again


WORD: contextvars.ContextVar[str] = contextvars.ContextVar("word")


def test_a_call_in_a_thread_has_the_context_of_its_caller() -> None:
    async def ask() -> tuple[str, bool]:
        WORD.set("here")
        with Threads(2) as threads:
            return await threads.run(lambda: (WORD.get(), threading.current_thread() is threading.main_thread()))

    assert asyncio.run(ask()) == ("here", False)


def test_as_many_calls_as_there_are_nodes_are_at_work_at_once() -> None:
    async def meet() -> None:
        together = threading.Barrier(6, timeout=20)
        with Threads(6) as threads:
            await asyncio.gather(*(threads.run(together.wait) for _ in range(6)))

    asyncio.run(meet())


def test_finishing_waits_for_what_is_at_work_and_starts_nothing_more() -> None:
    done: list[str] = []

    async def finish() -> None:
        begun, go = threading.Event(), threading.Event()

        def long() -> None:
            begun.set()
            go.wait(20)
            done.append("long")

        with Threads(2) as threads:
            at_work = asyncio.create_task(threads.run(long))
            await asyncio.to_thread(begun.wait, 20)
            finishing = asyncio.create_task(threads.finish())
            await asyncio.sleep(0)
            late = asyncio.create_task(threads.run(done.append, "late"))
            go.set()
            await finishing
            await at_work
            late.cancel()

    asyncio.run(finish())
    assert done == ["long"]


def test_who_leaves_early_waits_for_what_is_at_work() -> None:
    done: list[str] = []

    async def leave() -> None:
        begun = threading.Event()

        def long() -> None:
            begun.set()
            threading.Event().wait(0.1)
            done.append("long")

        with Threads(2) as threads:
            at_work = asyncio.create_task(threads.run(long))
            await asyncio.to_thread(begun.wait, 20)
            at_work.cancel()

    asyncio.run(leave())
    assert done == ["long"]
