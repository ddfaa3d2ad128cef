"""The same deadline for many items, with a single timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

LATE_PER_TURN = 20
"""Late items handled per turn of the event loop."""


class Deadlines(Generic[T]):
    """Calls `on_late`, in order, with each item that is not cancelled within `seconds` of its start."""

    def __init__(self, seconds: float, on_late: Callable[[T], None]) -> None:
        self.seconds = seconds
        self._on_late = on_late
        self._started: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._started)

    def start(self, item: T) -> None:
        """Start an item's deadline. It must not be running."""
        loop = asyncio.get_running_loop()
        self._started[item] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._check)

    def cancel(self, item: T) -> None:
        """Cancel an item's deadline, if it is running."""
        self._started.pop(item, None)

    def older_than(self, seconds: float) -> Iterator[T]:
        """The items that started more than `seconds` ago, oldest first."""
        before = asyncio.get_running_loop().time() - seconds
        for item, started_at in self._started.items():
            if started_at > before:
                return
            yield item

    def _check(self) -> None:
        for item in [*islice(self.older_than(self.seconds), LATE_PER_TURN)]:
            self.cancel(item)
            self._on_late(item)
        oldest = next(iter(self._started.values()), None)
        if oldest is None:
            self._timer = None
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(oldest + self.seconds, loop.time() + 0.001), self._check)
