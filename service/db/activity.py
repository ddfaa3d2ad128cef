"""When and where from users were last seen and logged in: collected in memory, written in batches.

A process writes at most one statement per FLUSH_INTERVAL, however many polls arrive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import time

import structlog

from service.db import sql
from service.db.errors import raises_unavailable
from service.db.pool import Database
from service.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

SQL = sql.load("users")
FLUSH_INTERVAL = 30.0
"""Seconds between batches."""
ONLINE_FOR = timedelta(seconds=300)
"""Time after the last use of a token for which a user counts as online."""


@dataclass(slots=True)
class UserActivity:
    """A user's activity since the last batch."""

    seen_at: float
    """The last use of a token, in seconds since the epoch: each poll sets it, and a `datetime` costs more."""
    last_login_time: datetime | None = None
    login_ip: str | None = None

    @property
    def last_seen(self) -> datetime:
        """The last use of a token, in UTC."""
        return datetime.fromtimestamp(self.seen_at, UTC)


class Activity:
    """Records activity without waiting; `run` writes it. Memory is bounded by the number of users."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: dict[int, UserActivity] = {}
        self._writing: dict[int, UserActivity] = {}
        self._away = False

    def record_use(self, user_id: int) -> None:
        """Record that a token of the user was used now."""
        entry = self._pending.get(user_id)
        if entry is None:
            self._pending[user_id] = UserActivity(time())
        else:
            entry.seen_at = time()

    def record_login(self, user_id: int, address: str) -> None:
        """Record that the user logged in now, from this address."""
        entry = self._entry(user_id)
        entry.seen_at = time()
        entry.last_login_time = entry.last_seen
        entry.login_ip = address

    def pending(self, user_id: int) -> UserActivity | None:
        """Return a user's activity that may not be in PostgreSQL yet."""
        newer, older = self._pending.get(user_id), self._writing.get(user_id)
        return _merge(newer, older) if newer and older else newer or older

    def all_pending(self) -> dict[int, UserActivity]:
        """Return the activity of all users that may not be in PostgreSQL yet, by user id."""
        merged = {**self._writing, **self._pending}
        for user_id in self._writing.keys() & self._pending.keys():
            merged[user_id] = _merge(self._pending[user_id], self._writing[user_id])
        return merged

    async def run(self) -> None:
        """Write batches until cancelled. The caller flushes the last batch."""
        while True:
            await asyncio.sleep(FLUSH_INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        """Write the pending activity. It stays pending until PostgreSQL accepts it."""
        if not self._pending:
            return
        batch = self._writing = self._pending
        self._pending = {}
        written = False
        try:
            with raises_unavailable():
                async with self._database.connection() as connection:
                    await connection.execute(SQL["record_activity"], *columns(batch))
            written = True
            if self._away:
                log.info("activity_write_resumed")
            self._away = False
        except DatabaseUnavailable as error:
            level = logging.DEBUG if self._away else logging.WARNING
            log.log(level, "activity_write_failed", users=len(batch), error=str(error))
            self._away = True
        finally:
            if not written:
                self._pending = self.all_pending()
            self._writing = {}

    def _entry(self, user_id: int) -> UserActivity:
        entry = self._pending.get(user_id)
        if entry is None:
            entry = self._pending[user_id] = UserActivity(time())
        return entry


def columns(
    batch: Mapping[int, UserActivity],
) -> tuple[list[int], list[datetime], list[datetime | None], list[str | None]]:
    """Convert a batch to arrays for `unnest`: user ids, last seen, last login times and addresses."""
    entries = batch.values()
    last_seen = [entry.last_seen for entry in entries]
    return list(batch), last_seen, [entry.last_login_time for entry in entries], [entry.login_ip for entry in entries]


def _merge(newer: UserActivity, older: UserActivity) -> UserActivity:
    login = newer if newer.last_login_time is not None else older
    return UserActivity(newer.seen_at, login.last_login_time, login.login_ip)
