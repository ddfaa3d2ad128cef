"""The request rate limit per token: generous for polls, a bound for a client that loops. Counted in each process."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from aiohttp import web

from service.web.http.errors import TooManyRequests


class FixedWindow:
    """Counts each key within windows of `seconds`. `clock` is monotonic.

    It is the cheapest algorithm; its burst at the edge of a window does no harm here. The library `limits` scans all
    keys in a new thread up to a hundred times a second, which is too much for every poll.
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._window_ends = float("-inf")
        self._counts: dict[bytes, int] = {}

    def hit(self, key: bytes) -> float:
        """Count a request. Returns 0, or the seconds until the next window if the limit is exceeded."""
        now = self._clock()
        if now >= self._window_ends:
            self._counts, self._window_ends = {}, now + self._seconds
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return 0.0 if count <= self._limit else self._window_ends - now

    def admit(self, key: bytes) -> bool:
        """Count a request unless the limit is reached. Returns whether it is counted."""
        if self._clock() >= self._window_ends:
            return self.hit(key) == 0
        count = self._counts.get(key, 0)
        if count >= self._limit:
            return False
        self._counts[key] = count + 1
        return True


MAX_SOURCES = 10_000
"""Sources that are counted one by one within a window. All others share a count."""
OTHERS = b"others"


class SourceLimit(FixedWindow):
    """Counts the requests of each source: an IPv4 address or an IPv6 /64. Memory is bounded."""

    def check(self, source: str) -> None:
        """Count a request of a source. Raises TooManyRequests beyond the limit."""
        key = source.encode()
        if len(self._counts) >= MAX_SOURCES and key not in self._counts:
            key = OTHERS
        if wait := self.hit(key):
            raise TooManyRequests(wait)


class RateLimit(FixedWindow):
    """The limiter; one per process. Memory is bounded by the tokens used within a minute."""

    def __init__(self, requests_per_minute: int) -> None:
        super().__init__(requests_per_minute, 60)

    def check(self, token_hash: bytes) -> None:
        """Count a request with this token. Raises TooManyRequests."""
        if wait := self.hit(token_hash):
            raise TooManyRequests(wait)


RATE_LIMIT = web.AppKey("rate_limit", RateLimit)
