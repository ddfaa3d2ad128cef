"""A world ends, whatever runs in it."""

from __future__ import annotations

import asyncio

from tests.simulation import world as worlds
from tests.simulation.loops import Spun


def test_a_task_that_never_waits_ends_the_world() -> None:
    async def spin(_: worlds.World) -> None:
        while True:  # noqa: ASYNC110 (what a fault of the product might do)
            await asyncio.sleep(0)

    error = worlds.run(0, spin).error
    assert isinstance(error, Spun)
    assert "turns of the loop at 0.000000 s" in str(error)


def test_a_wait_for_what_never_comes_ends_the_world() -> None:
    async def wait(_: worlds.World) -> None:
        await asyncio.get_running_loop().create_future()

    assert "never completed" in str(worlds.run(0, wait).error)
