"""Full reads of the database, and what waits for each. Pure.

Single rows are read while a full read is under way, which takes longer. Once a hint has asked for a full read, no
commit after that hint is known to have been read until the full read ends. What waits for it is kept by the read's
number.
"""

from __future__ import annotations

import asyncio

Deferred = tuple[float | None, list[asyncio.Future[None]]]
"""The commit time that the read confirms, and the futures to resolve."""


class FullReads:
    """Numbers full reads from 1. One is under way at a time."""

    def __init__(self) -> None:
        self._last_begun = self._last_ended = 0
        self._requested = False
        self._deferred: dict[int, Deferred] = {}

    def required(self, *, behind: bool) -> int:
        """Return the number of the full read that must end before all hints so far are covered; 0 for none.

        `behind`: a hint asks for a full read that has not begun. A read that no hint asked for need not be waited for.
        """
        if behind:
            return self._last_begun + 1
        return self._last_begun if self._requested and self._last_begun > self._last_ended else 0

    def defer(self, required: int, at: float | None, waiting: list[asyncio.Future[None]]) -> bool:
        """Keep these until that read has ended. Returns False, and keeps nothing, if it has."""
        if required <= self._last_ended:
            return False
        earlier, kept = self._deferred.get(required, (None, []))
        latest = max((moment for moment in (earlier, at) if moment is not None), default=None)
        self._deferred[required] = latest, kept + waiting
        return True

    def begin(self, *, requested: bool) -> None:
        """Begin a read. `requested`: a hint asked for it. What waited for a read that failed waits for this one."""
        for number in [number for number in self._deferred if number <= self._last_begun]:
            self.defer(self._last_begun + 1, *self._deferred.pop(number))
        self._requested = requested or bool(self._deferred)
        self._last_begun += 1

    def end(self) -> list[Deferred]:
        """End the read. Returns what waited for it."""
        self._last_ended = self._last_begun
        return [self._deferred.pop(number) for number in sorted(self._deferred) if number <= self._last_ended]
