"""Failed logins within the last minute, per key: how many, and how long they count. Pure; memory is bounded."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic


class FailedLogins:
    """A sliding window of `seconds`. It remembers the newest `most` failures of a key, and `keys` keys.

    A key that failed longest ago is forgotten first: it takes a failure of every other key to be forgotten early, and
    passwords are checked too slowly for that.
    """

    def __init__(
        self, most: int, *, seconds: float = 60.0, keys: int = 100_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._keys = keys
        self._clock = clock
        self._failed: OrderedDict[bytes, deque[float]] = OrderedDict()

    def hit(self, key: bytes) -> None:
        """Count one failure."""
        now = self._clock()
        times = self._failed.setdefault(key, deque(maxlen=self._most))
        times.append(now)
        self._failed.move_to_end(key)
        while self._failed and (
            len(self._failed) > self._keys or next(iter(self._failed.values()))[-1] <= now - self._seconds
        ):
            self._failed.popitem(last=False)

    def count(self, key: bytes) -> int:
        """How many failures count now."""
        times = self._failed.get(key)
        if times is None:
            return 0
        since = self._clock() - self._seconds
        while times and times[0] <= since:
            times.popleft()
        if not times:
            del self._failed[key]
        return len(times)

    def wait(self, key: bytes, limit: int) -> float:
        """Seconds until fewer than `limit` failures count; 0 or less: now."""
        if self.count(key) < limit:
            return 0.0
        return self._failed[key][-limit] + self._seconds - self._clock()

    def __len__(self) -> int:
        return len(self._failed)
