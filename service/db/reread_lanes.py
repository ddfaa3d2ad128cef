"""Rows are read one by one while everything is read, which takes longer: who has to wait for which. Pure.

Where a hint said that everything is to be read, nothing that was committed after it is known to have been read until
that is done. What waits for it is kept by the number of the reading.
"""

from __future__ import annotations

import asyncio

Waiting = tuple[float | None, list[asyncio.Future[None]]]
"""The moment that is proved then, and who is told."""


class RereadLanes:
    """Readings of everything are numbered, from 1. One is under way at a time."""

    def __init__(self) -> None:
        self._begun = self._ended = 0
        self._counts = False
        self._later: dict[int, Waiting] = {}

    def needed(self, *, behind: bool) -> int:
        """Which reading has to end until all hints that have come are read; `behind`: one that has not begun.

        0: none, as when one is under way that no hint asked for.
        """
        if behind:
            return self._begun + 1
        return self._begun if self._counts and self._begun > self._ended else 0

    def later(self, needed: int, at: float | None, waiting: list[asyncio.Future[None]]) -> bool:
        """Keep these until that reading has ended. False: it has."""
        if needed <= self._ended:
            return False
        before, waits = self._later.get(needed, (None, []))
        latest = max((moment for moment in (before, at) if moment is not None), default=None)
        self._later[needed] = latest, waits + waiting
        return True

    def begin(self, *, counts: bool) -> None:
        """A reading begins; `counts`: a hint asked for it. One that was under way came to nothing."""
        for number in [number for number in self._later if number <= self._begun]:
            self.later(self._begun + 1, *self._later.pop(number))
        self._counts = counts or bool(self._later)
        self._begun += 1

    def end(self) -> list[Waiting]:
        """It has ended: these need not wait any more."""
        self._ended = self._begun
        return [self._later.pop(number) for number in sorted(self._later) if number <= self._ended]
