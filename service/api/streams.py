"""How many streams are open in this process, and whose turn it is to write."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 20
"""Streams that write in one turn of the loop: everybody else gets their turns between."""


class Streams:
    """Counts the open streams and lets them write, a few at a time, first come first served.

    So the flush adapts itself: while nothing waits, a change is written at once; the more there is to write, the longer
    each stream waits for its turn, and the more changes it finds then to write as one.
    """

    def __init__(self) -> None:
        self._open = 0
        self._let_in = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return self._open

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Count one while the block lasts."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def turn(self) -> None:
        """Return when it is this stream's turn to write: at once, unless many want to."""
        loop = asyncio.get_running_loop()
        if not self._let_in:
            loop.call_soon(self._next)
        if self._let_in < AT_ONCE and not self._waiting:
            self._let_in += 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        """Let the next few write. Those of the turn before have written: what woke them was put in line before this."""
        self._let_in = 0
        while self._waiting and self._let_in < AT_ONCE:
            turn = self._waiting.popleft()
            if not turn.done():  # its reader went away
                turn.set_result(None)
                self._let_in += 1
        if self._let_in:
            asyncio.get_running_loop().call_soon(self._next)
