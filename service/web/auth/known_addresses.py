"""Address prefixes from which each person logged in before. In memory, bounded, and read from PostgreSQL.

Each replica learns of the others' logins: `activity` holds every person's last login.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

from service.db import users
from service.db.pool import Database
from service.domain.networks import prefix

MAX_PAIRS = 50_000
"""Maximum pairs of a person and a prefix."""
REFRESH_INTERVAL = 60.0
"""Minimum seconds between two reads; only login attempts cause one."""
OVERLAP = timedelta(minutes=2)
"""Activity is written in batches, so a login may be stored this long after it happened."""
SLICE = 500
"""Rows handled per turn of the event loop."""


class KnownAddresses:
    """The known addresses; one instance per process."""

    def __init__(self, max_pairs: int = MAX_PAIRS, clock: Callable[[], float] = monotonic) -> None:
        self._max_pairs = max_pairs
        self._clock = clock
        self._pairs: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._prefixes: Counter[str] = Counter()
        self._read_at = float("-inf")
        self._since = datetime(1970, 1, 1, tzinfo=UTC)

    def add(self, user_id: int, prefix: str) -> None:
        """Record a login."""
        pair = user_id, prefix
        if pair not in self._pairs:
            self._prefixes[prefix] += 1
        self._pairs[pair] = None
        self._pairs.move_to_end(pair)
        if len(self._pairs) > self._max_pairs:
            (_, dropped), _ = self._pairs.popitem(last=False)
            self._prefixes[dropped] -= 1
            if not self._prefixes[dropped]:
                del self._prefixes[dropped]

    def has_login(self, user_id: int, prefix: str) -> bool:
        """Whether this person logged in from this prefix before."""
        return (user_id, prefix) in self._pairs

    def has_any_login(self, prefix: str) -> bool:
        """Whether any person logged in from this prefix before."""
        return prefix in self._prefixes

    async def refresh(self, database: Database) -> None:
        """Read the logins recorded since the last read, if REFRESH_INTERVAL has passed.

        Raises DatabaseUnavailable: the login needs PostgreSQL next, and would wait for it a second time.
        """
        if self._clock() < self._read_at + REFRESH_INTERVAL:
            return
        self._read_at = self._clock()
        now = datetime.now(UTC)
        logins = await users.list_login_addresses(database, self._since, self._max_pairs)
        for number, (user_id, address, at) in enumerate(reversed(logins)):
            self.add(user_id, prefix(address))
            self._since = max(self._since, min(at, now) - OVERLAP)  # a time in the future must hide no later login
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)

    def __len__(self) -> int:
        return len(self._pairs)
