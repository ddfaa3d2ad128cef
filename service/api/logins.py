"""Checking a name and a password: limited per account and per address, the same answer and time for every failure."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.api.errors import LoginFailed, TooManyRequests
from service.credentials import PasswordHasher
from service.errors import Overloaded
from service.model import Person
from service.networks import may_come_from
from service.store import users
from service.store.activity import Activity
from service.store.database import Database

TURN_DEADLINE = 5.0
"""Seconds that an attempt waits for others of its account or address to be decided."""


class Logins:
    """One per process. The limits live in its memory: workers share them, N replicas let N times as many through."""

    def __init__(
        self, database: Database, hasher: PasswordHasher, activity: Activity, failures_per_minute: int
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._activity = activity
        self._limit = RateLimitItemPerMinute(failures_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._under_way: Counter[str] = Counter()
        self._decided = asyncio.Event()
        self.refused = 0
        """How many logins failed or were limited, since the start."""

    async def check(self, name_or_email: str, password: str, address: str) -> Person:
        """The active person who proved to be who they say. Raises LoginFailed, TooManyRequests, Unavailable."""
        async with self._attempt(f"address {address}") as failed_from_address:
            login = await users.by_login(self._database, name_or_email)
            account = f"user {login.person.user_id}" if login else f"name {name_or_email.casefold()[:320]}"
            async with self._attempt(f"account {account}") as failed_for_account:
                fits = await self._hasher.verify(password, login.passwd if login else None)
                if login is None or not fits or not login.person.active or not may_come_from(login.auth_ip, address):
                    failed_from_address()
                    failed_for_account()
                    self.refused += 1
                    raise LoginFailed
        self._activity.logged_in(login.person.user_id, address)
        return login.person

    @asynccontextmanager
    async def _attempt(self, key: str) -> AsyncIterator[Callable[[], bool]]:
        """Attempts that are being checked count as failures until they are known, so that none slips past."""
        await self._turn(key)
        self._under_way[key] += 1
        try:
            yield lambda: self._limiter.hit(self._limit, key)
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
            self._decided.set()
            self._decided = asyncio.Event()

    async def _turn(self, key: str) -> None:
        """Wait while attempts under way, which may yet succeed, fill the limit. Failures that fill it are a 429."""
        try:
            async with asyncio.timeout(TURN_DEADLINE):
                while not self._limiter.test(self._limit, key, cost=self._under_way[key] + 1):
                    if not self._limiter.test(self._limit, key):
                        self.refused += 1
                        reset_at = self._limiter.get_window_stats(self._limit, key).reset_time
                        raise TooManyRequests(reset_at - time())
                    await self._decided.wait()
        except TimeoutError:
            raise Overloaded("too many logins of one account or address are being checked") from None
