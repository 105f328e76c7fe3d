"""Turns: one at a time, the longest way first, and a waiter who left is passed over."""

import asyncio

from flows.turns import Turns


def test_the_longest_way_to_go_is_next_and_who_came_first_among_equals() -> None:
    async def served() -> list[str]:
        turns, order = Turns(), list[str]()

        async def waiter(name: str, way: int) -> None:
            await turns.take(way)
            order.append(name)
            turns.give()

        await turns.take(0)
        waiting = [asyncio.create_task(waiter(name, way)) for name, way in (("a", 1), ("b", 3), ("c", 2), ("d", 3))]
        await asyncio.sleep(0)
        assert not order
        turns.give()
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(served()) == ["b", "d", "c", "a"]


def test_who_left_is_passed_over_and_a_turn_nobody_wants_is_kept_for_the_next() -> None:
    async def served() -> None:
        turns = Turns()
        await turns.take(0)
        left = asyncio.create_task(turns.take(9))
        stayed = asyncio.create_task(turns.take(1))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        turns.give()
        await asyncio.wait_for(stayed, 1)
        turns.give()
        await asyncio.wait_for(turns.take(1), 1)

    asyncio.run(served())
