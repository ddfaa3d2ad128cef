"""Who logged in from where before, as prefixes of addresses. In memory and bounded; what PostgreSQL recorded is read.

Each replica learns what the others wrote: `activity` holds everybody's last login.
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

MOST = 50_000
"""Pairs of a person and a prefix."""
READ_EVERY = 60.0
"""Seconds between two reads, which only a login attempt asks for."""
OVERLAP = timedelta(minutes=2)
"""Activity is written in batches, so a login may be stored some time after it happened."""
SLICE = 500
"""Rows that are taken in one turn of the loop."""


class KnownAddresses:
    """One per process."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._pairs: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._prefixes: Counter[str] = Counter()
        self._read_at = float("-inf")
        self._since = datetime(1970, 1, 1, tzinfo=UTC)

    def add(self, user_id: int, prefix: str) -> None:
        """Somebody logged in from there."""
        pair = user_id, prefix
        if pair not in self._pairs:
            self._prefixes[prefix] += 1
        self._pairs[pair] = None
        self._pairs.move_to_end(pair)
        if len(self._pairs) > self._most:
            (_, forgotten), _ = self._pairs.popitem(last=False)
            self._prefixes[forgotten] -= 1
            if not self._prefixes[forgotten]:
                del self._prefixes[forgotten]

    def knows(self, user_id: int, prefix: str) -> bool:
        """Whether this person logged in from there before."""
        return (user_id, prefix) in self._pairs

    def has(self, prefix: str) -> bool:
        """Whether anybody did."""
        return prefix in self._prefixes

    async def refresh(self, database: Database) -> None:
        """Read what was written since the last time, if that is long ago.

        Raises DatabaseUnavailable: who logs in needs PostgreSQL next, and would wait for it a second time.
        """
        if self._clock() < self._read_at + READ_EVERY:
            return
        self._read_at = self._clock()
        now = datetime.now(UTC)
        found = await users.login_addresses(database, self._since, self._most)
        for number, (user_id, address, at) in enumerate(reversed(found)):
            self.add(user_id, prefix(address))
            self._since = max(self._since, min(at, now) - OVERLAP)  # a stray one in the future hides none that come
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)

    def __len__(self) -> int:
        return len(self._pairs)
