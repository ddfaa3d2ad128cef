"""Checking a name and a password: limited per account and per address, the same answer and time for every failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.api.errors import LoginFailed, TooManyRequests
from service.credentials import PasswordHasher
from service.model import Person
from service.store import users
from service.store.activity import Activity
from service.store.database import Database


class Logins:
    """One per process. The limits live in its memory: N replicas let N times as many failures through."""

    def __init__(
        self, database: Database, hasher: PasswordHasher, activity: Activity, failures_per_minute: int
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._activity = activity
        self._limit = RateLimitItemPerMinute(failures_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._under_way: Counter[str] = Counter()
        self.refused = 0
        """How many logins failed or were limited, since the start."""

    async def check(self, name_or_email: str, password: str, address: str) -> Person:
        """The active person who proved to be who they say. Raises LoginFailed, TooManyRequests, Unavailable."""
        with self._attempt(f"address {address}") as failed_from_address:
            login = await users.by_login(self._database, name_or_email)
            account = f"user {login.person.user_id}" if login else f"name {name_or_email.casefold()[:320]}"
            with self._attempt(f"account {account}") as failed_for_account:
                fits = await self._hasher.verify(password, login.passwd if login else None)
                if login is None or not fits or not login.person.active:
                    failed_from_address()
                    failed_for_account()
                    self.refused += 1
                    raise LoginFailed
        self._activity.logged_in(login.person.user_id, address)
        return login.person

    @contextmanager
    def _attempt(self, key: str) -> Iterator[Callable[[], bool]]:
        """Attempts that are being checked count as failures until they are known, so that none slips past."""
        if not self._limiter.test(self._limit, key, cost=self._under_way[key] + 1):
            self.refused += 1
            reset_at = self._limiter.get_window_stats(self._limit, key).reset_time
            raise TooManyRequests(reset_at - time())
        self._under_way[key] += 1
        try:
            yield lambda: self._limiter.hit(self._limit, key)
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
