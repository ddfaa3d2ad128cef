"""What is made of very many is made a few at a time."""

from __future__ import annotations

import asyncio

from service.slices import SLICE, map_in_slices


async def test_others_have_their_turns_between_the_slices_of_a_long_list() -> None:
    made = 0
    seen: list[int] = []

    def make(number: int) -> int:
        nonlocal made
        made += 1
        return -number

    async def watch() -> None:
        while True:
            seen.append(made)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    many = range(5 * SLICE + 1)
    assert await map_in_slices(make, many) == [-number for number in many]
    watching.cancel()
    assert seen == [SLICE, 2 * SLICE, 3 * SLICE, 4 * SLICE, 5 * SLICE]


async def test_a_short_list_is_made_in_one_turn() -> None:
    assert await map_in_slices(str, []) == []
    assert await map_in_slices(str, [1, 2]) == ["1", "2"]
