"""Whose turn it is to open a subflow: an embedded server has one writer, and some are in more of a hurry."""

import asyncio
import heapq
import itertools


class Turns:
    """One at a time; of those who wait, the one with the longest way to go is next, and who came first among equals."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._came = itertools.count()

    async def take(self, way: int) -> None:
        """Return when it is the caller's turn, who passes it on with `give`; `way` counts nodes still to go."""
        if not self._taken:
            self._taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-way, next(self._came), turn))
        await turn

    def give(self) -> None:
        """Pass the turn on to the next who waits for it, if any still does."""
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False
