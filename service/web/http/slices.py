"""Lists of everything: what is made for each of very many is made a few at a time, and others have their turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

SLICE = 500
"""Made in one turn of the loop: a few milliseconds."""


async def in_slices(make: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The same as mapping them; a short list takes one turn."""
    made: list[R] = []
    for first in range(0, len(items), SLICE):
        if first:
            await asyncio.sleep(0)
        made += map(make, items[first : first + SLICE])
    return made
