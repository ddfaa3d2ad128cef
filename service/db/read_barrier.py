"""The read barrier: requests wait until everything that was committed before them has been read.

One heartbeat notification serves all waiting requests, so PostgreSQL's load does not grow with their number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.errors import DirectoryUnavailable, Overloaded

MAX_WAITING = 1_000
"""Concurrent waiting requests. Only requests about unknown tokens wait, so most of them guess."""


class ReadBarrier:
    """`clock` is the one that `confirm` gets its moments from."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[asyncio.Future[None], tuple[float, Callable[[], bool]]] = {}  # oldest first
        self.requested = asyncio.Event()
        """Set when a request waits for a heartbeat that has not been sent yet."""

    async def wait(self, within: float, known: Callable[[], bool]) -> None:
        """Return once every commit before this call has been read, or once `known()` is true.

        Raises DirectoryUnavailable after `within` seconds, and Overloaded when too many wait.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("too many wait for what another replica may have changed")
        passed = asyncio.get_running_loop().create_future()
        self._waiting[passed] = self._clock(), known
        self.requested.set()
        try:
            async with asyncio.timeout(within):
                await passed
        except TimeoutError:
            raise DirectoryUnavailable(f"PostgreSQL proved nothing within {within:g} s") from None
        finally:
            self._waiting.pop(passed, None)

    def confirm(self, at: float) -> None:
        """Every commit before this moment of the clock has been read: release the requests that came before it."""
        self._release([waiting for waiting, (asked_at, _) in self._waiting.items() if asked_at <= at])

    def recheck(self) -> None:
        """Rows have been read: release the requests whose row is known now."""
        self._release([waiting for waiting, (_, known) in self._waiting.items() if known()])

    def _release(self, passed: list[asyncio.Future[None]]) -> None:
        for waiting in passed:
            del self._waiting[waiting]
            if not waiting.done():
                waiting.set_result(None)
