"""A deadline for each of many things that all have the same time: one timer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

PER_TURN = 20
"""Of those that are late, so many are told of in one turn of the loop."""


class Deadlines(Generic[T]):
    """Who is not ended within so many `seconds` after `begin` is handed to `late`, in order."""

    def __init__(self, seconds: float, late: Callable[[T], None]) -> None:
        self.seconds = seconds
        self._late = late
        self._began: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._began)

    def begin(self, one: T) -> None:
        """From now on; it must not have begun already."""
        loop = asyncio.get_running_loop()
        self._began[one] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._look)

    def end(self, one: T) -> None:
        """It is done, or was never begun."""
        self._began.pop(one, None)

    def older_than(self, seconds: float) -> Iterator[T]:
        """Those that began before, the oldest first."""
        before = asyncio.get_running_loop().time() - seconds
        for one, began in self._began.items():
            if began > before:
                return
            yield one

    def _look(self) -> None:
        for one in [*islice(self.older_than(self.seconds), PER_TURN)]:
            self.end(one)
            self._late(one)
        oldest = next(iter(self._began.values()), None)
        if oldest is None:
            self._timer = None
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(oldest + self.seconds, loop.time() + 0.001), self._look)
