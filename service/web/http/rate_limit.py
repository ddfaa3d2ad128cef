"""How much one token may ask: generous for polls, a wall for a client that went wild. In each process's memory."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from aiohttp import web

from service.web.http.errors import TooManyRequests


class FixedWindow:
    """Counts each key, from zero again every so many `seconds`; `clock` gives seconds that only grow.

    The cheapest count there is, and nobody polls at the edge of a minute on purpose. The library `limits`, which counts
    logins, walks over all keys in a new thread up to a hundred times a second: too much for every poll.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._ends = float("-inf")
        self._counts: dict[bytes, int] = {}

    def hit(self, key: bytes) -> float:
        """Count one more. Returns 0, or after how many seconds to come again if it is one too many."""
        now = self._clock()
        if now >= self._ends:
            self._counts, self._ends = {}, now + self._seconds
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return 0.0 if count <= self._most else self._ends - now


class RateLimit:
    """One per process; memory is bounded by the tokens that are used within a minute."""

    def __init__(self, requests_per_minute: int) -> None:
        self._requests = FixedWindow(requests_per_minute, 60)

    def request(self, token_hash: bytes) -> None:
        """Count a request with this token. Raises TooManyRequests."""
        if wait := self._requests.hit(token_hash):
            raise TooManyRequests(wait)


RATE_LIMIT = web.AppKey("limits", RateLimit)
