"""When people were last seen and logged in: gathered in memory, written in batches.

At most one statement per process and `FLUSH_EVERY` seconds, however many polls come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from service.db import sql
from service.db.errors import not_now
from service.db.pool import Database
from service.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

SQL = sql.load("users")
FLUSH_EVERY = 30.0
"""Seconds between two batches."""
ONLINE_FOR = timedelta(seconds=300)
"""How long after their last use somebody counts as online."""


@dataclass(slots=True)
class Seen:
    """What one person did since the last batch."""

    last_seen: datetime
    last_login_time: datetime | None = None
    login_ip: str | None = None


class Activity:
    """Takes notes without waiting; `run` writes them down. Memory is bounded by the number of users."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: dict[int, Seen] = {}
        self._writing: dict[int, Seen] = {}
        self._away = False

    def used(self, user_id: int) -> None:
        """Note that somebody's token was used now."""
        self._of(user_id).last_seen = datetime.now(UTC)

    def logged_in(self, user_id: int, address: str) -> None:
        """Note that somebody logged in now, from this address."""
        seen = self._of(user_id)
        seen.last_seen = seen.last_login_time = datetime.now(UTC)
        seen.login_ip = address

    def pending(self, user_id: int) -> Seen | None:
        """What is known here and perhaps not yet in PostgreSQL."""
        newer, older = self._pending.get(user_id), self._writing.get(user_id)
        return _both(newer, older) if newer and older else newer or older

    def all_pending(self) -> dict[int, Seen]:
        """The same of everybody, by user id."""
        both = {**self._writing, **self._pending}
        for user_id in self._writing.keys() & self._pending.keys():
            both[user_id] = _both(self._pending[user_id], self._writing[user_id])
        return both

    async def run(self) -> None:
        """Write batches until cancelled. Whoever cancels it writes the last one."""
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what is pending. While PostgreSQL does not take it, for whatever reason, it stays pending."""
        if not self._pending:
            return
        batch = self._writing = self._pending
        self._pending = {}
        written = False
        try:
            with not_now():
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

    def _of(self, user_id: int) -> Seen:
        seen = self._pending.get(user_id)
        if seen is None:
            seen = self._pending[user_id] = Seen(datetime.now(UTC))
        return seen


def columns(batch: Mapping[int, Seen]) -> tuple[list[int], list[datetime], list[datetime | None], list[str | None]]:
    """A batch as `unnest` takes it: user ids, last seen, last login, and from where."""
    seen = batch.values()
    return list(batch), [s.last_seen for s in seen], [s.last_login_time for s in seen], [s.login_ip for s in seen]


def _both(newer: Seen, older: Seen) -> Seen:
    login = newer if newer.last_login_time is not None else older
    return Seen(newer.last_seen, login.last_login_time, login.login_ip)
