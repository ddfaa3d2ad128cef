"""Who waits until PostgreSQL has proved that everything committed by now has been read.

However many wait, one notification to oneself answers all of them: what they cost PostgreSQL does not grow with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.errors import DirectoryUnavailable, Overloaded

AT_MOST = 1_000
"""So many wait at one time. Only those wait who ask about what is not known here, so most of them only guess."""


class ReadBarrier:
    """`clock` is that of the proofs' own times."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[asyncio.Future[None], tuple[float, Callable[[], bool]]] = {}  # oldest first
        self.wanted = asyncio.Event()
        """Set when somebody waits for a proof that is not under way yet."""

    async def next(self, within: float, known: Callable[[], bool]) -> None:
        """Return once everything that was committed before this call has been read, or what is asked about is `known`.

        Raises DirectoryUnavailable when that is not so within so many seconds, and Overloaded when too many wait.
        """
        if len(self._waiting) >= AT_MOST:
            raise Overloaded("too many wait for what another replica may have changed")
        given = asyncio.get_running_loop().create_future()
        self._waiting[given] = self._clock(), known
        self.wanted.set()
        try:
            async with asyncio.timeout(within):
                await given
        except TimeoutError:
            raise DirectoryUnavailable(f"PostgreSQL proved nothing within {within:g} s") from None
        finally:
            self._waiting.pop(given, None)

    def given(self, at: float) -> None:
        """Everything that was committed by this moment of the clock has been read."""
        self._end([waiting for waiting, (asked_at, _) in self._waiting.items() if asked_at <= at])

    def look(self) -> None:
        """Rows have been read: who waits for one of them need not wait for a proof."""
        self._end([waiting for waiting, (_, known) in self._waiting.items() if known()])

    def _end(self, satisfied: list[asyncio.Future[None]]) -> None:
        for waiting in satisfied:
            del self._waiting[waiting]
            if not waiting.done():
                waiting.set_result(None)
