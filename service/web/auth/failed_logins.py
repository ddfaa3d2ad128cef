"""Counts failed logins per key in a sliding window. Pure; memory is bounded."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic


class FailedLogins:
    """A sliding window of `seconds` that keeps the newest `max_failures` of each of at most `max_keys` keys.

    The key with the oldest last failure is dropped first. Dropping one early takes a failure of every other key, and
    passwords are checked too slowly for that.
    """

    def __init__(
        self,
        max_failures: int,
        *,
        seconds: float = 60.0,
        max_keys: int = 100_000,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._max_failures = max_failures
        self._seconds = seconds
        self._max_keys = max_keys
        self._clock = clock
        self._failed: OrderedDict[bytes, deque[float]] = OrderedDict()

    def hit(self, key: bytes) -> None:
        """Count one failure."""
        now = self._clock()
        times = self._failed.setdefault(key, deque(maxlen=self._max_failures))
        times.append(now)
        self._failed.move_to_end(key)
        while self._failed and (
            len(self._failed) > self._max_keys or next(iter(self._failed.values()))[-1] <= now - self._seconds
        ):
            self._failed.popitem(last=False)

    def count(self, key: bytes) -> int:
        """The number of failures within the window."""
        times = self._failed.get(key)
        if times is None:
            return 0
        since = self._clock() - self._seconds
        while times and times[0] <= since:
            times.popleft()
        if not times:
            del self._failed[key]
        return len(times)

    def seconds_until_below(self, key: bytes, limit: int) -> float:
        """Seconds until fewer than `limit` failures are within the window; 0 or less means now."""
        if self.count(key) < limit:
            return 0.0
        return self._failed[key][-limit] + self._seconds - self._clock()

    def __len__(self) -> int:
        return len(self._failed)
