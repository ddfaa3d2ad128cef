"""A limit for log lines that strangers cause: one a second per address, and a number in all."""

from __future__ import annotations

from collections.abc import Callable


class LineLimit:
    """`clock` counts seconds. Memory is bounded by the lines of one second."""

    def __init__(self, lines_per_second: int, clock: Callable[[], float]) -> None:
        self._most = lines_per_second
        self._clock = clock
        self._second = float("-inf")
        self._addresses: set[str] = set()
        self._left_out = 0

    def admits(self, address: str) -> bool:
        """Whether to write a line about this address now. If not, it is counted as left out."""
        now = self._clock()
        if now >= self._second + 1:
            self._second = now
            self._addresses.clear()
        if address in self._addresses or len(self._addresses) >= self._most:
            self._left_out += 1
            return False
        self._addresses.add(address)
        return True

    def take_left_out(self) -> int:
        """The number of lines left out since the last call."""
        left_out, self._left_out = self._left_out, 0
        return left_out
