"""Long lists in slices, so that other tasks on the event loop run in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

SLICE = 500
"""Items that `map_in_slices` handles per turn of the event loop: a few milliseconds."""


async def in_slices(items: Iterable[T], size: int) -> AsyncIterator[list[T]]:
    """Lists of at most `size` items, each in a turn of the event loop of its own."""
    remaining = iter(items)
    part = list(islice(remaining, size))
    while part:
        yield part
        part = list(islice(remaining, size))
        if part:
            await asyncio.sleep(0)


async def map_in_slices(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The function's results in order. A list of up to SLICE items takes a single turn."""
    results: list[R] = []
    async for part in in_slices(items, SLICE):
        results += map(function, part)
    return results
