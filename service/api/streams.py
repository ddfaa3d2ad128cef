"""How many streams are open in this process, and how long each rests between two writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_PER_STREAM = 0.0001
LONGEST_PAUSE = 0.25


class Streams:
    """Counts the open streams."""

    def __init__(self) -> None:
        self._open = 0

    def __len__(self) -> int:
        return self._open

    @property
    def pause(self) -> float:
        """Seconds that a stream rests after it wrote: the more streams, the more changes go into one write."""
        return min(LONGEST_PAUSE, self._open * PAUSE_PER_STREAM)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Count one while the block lasts."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
