"""How long a copy of what changes elsewhere may be used: see `ConfirmedCopy`. Synchronous and pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from service.errors import DirectoryUnavailable


class ConfirmedCopy:
    """A copy of PostgreSQL's rows that is confirmed to be current, again and again.

    `clock` returns monotonic seconds, `now` seconds since the epoch. `stale_after`: seconds without a confirmation
    after which the copy is stale. `grace_period`: seconds for which it still answers then.
    """

    def __init__(
        self, clock: Callable[[], float], now: Callable[[], float], *, stale_after: float, grace_period: float
    ) -> None:
        self._clock = clock
        self.now = now
        self._stale_after = stale_after
        self._grace_period = grace_period
        self._current_until = self._usable_until = float("-inf")

    def confirm(self, at: float) -> None:
        """Confirm that every commit before this moment of `clock` has been read."""
        self._current_until = max(self._current_until, at + self._stale_after)
        self._usable_until = self._current_until + self._grace_period

    @property
    def overdue(self) -> float:
        """Seconds by which a confirmation is overdue; 0 or less while the directory is current."""
        return self._clock() - self._current_until

    @property
    def stale_since(self) -> datetime | None:
        """The time of the last confirmation, in UTC, if one is overdue."""
        overdue = self._clock() - self._current_until
        if overdue <= 0:
            return None
        now = datetime.fromtimestamp(self.now(), UTC)
        return now - timedelta(seconds=min(overdue + self._stale_after, 1e9))

    @property
    def usable(self) -> bool:
        """Whether the directory still answers."""
        return self._clock() <= self._usable_until

    def _check(self) -> None:
        if self._clock() > self._usable_until:
            raise DirectoryUnavailable("PostgreSQL could not be followed for too long")
