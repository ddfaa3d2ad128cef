"""How much one token may ask: generous for polls, a wall for a client that went wild. In each process's memory."""

from __future__ import annotations

from time import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from service.api.errors import TooManyRequests

UNKNOWN_TOKENS = RateLimitItemPerSecond(20)
"""Unknown tokens that one process looks up: guessing must not become PostgreSQL's load."""


class Limits:
    """Fixed windows: the cheapest count there is, and nobody polls at the edge of a minute on purpose."""

    def __init__(self, requests_per_minute: int) -> None:
        self._requests: RateLimitItem = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def request(self, token_hash: bytes) -> None:
        """Count a request with this token. Raises TooManyRequests."""
        key = token_hash.hex()
        if not self._limiter.hit(self._requests, key):
            raise TooManyRequests(self._limiter.get_window_stats(self._requests, key).reset_time - time())

    def may_look_up(self) -> bool:
        """Whether one more unknown token may be looked up in PostgreSQL now."""
        return self._limiter.hit(UNKNOWN_TOKENS, "unknown")
