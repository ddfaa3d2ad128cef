"""When and from where phones fetched their configuration last: collected in memory, written in batches.

Only right tokens get here, so memory is bounded by the number of phones.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from service.db import sql
from service.db.errors import raises_unavailable
from service.db.pool import Database
from service.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

SQL = sql.load("phone_setups")
FLUSH_INTERVAL = 15.0
"""Seconds between batches."""
MAX_ADDRESS = 100
"""Characters of the column."""


@dataclass(frozen=True, slots=True)
class PhoneFetch:
    """The last fetch of a phone."""

    at: datetime
    address: str


class PhoneActivity:
    """Records fetches without waiting; `run` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: dict[int, PhoneFetch] = {}
        self._writing: dict[int, PhoneFetch] = {}
        self._away = False

    def record(self, phone_id: int, address: str) -> None:
        """Record that a phone fetched its configuration now, from this address."""
        self._pending[phone_id] = PhoneFetch(datetime.now(UTC), address[:MAX_ADDRESS])

    def pending(self, phone_id: int) -> PhoneFetch | None:
        """Return a phone's last fetch if it may not be in PostgreSQL yet."""
        return self._pending.get(phone_id) or self._writing.get(phone_id)

    async def run(self) -> None:
        """Write batches until cancelled. The caller flushes the last batch."""
        while True:
            await asyncio.sleep(FLUSH_INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        """Write the pending fetches. They stay pending until PostgreSQL accepts them."""
        if not self._pending:
            return
        batch, self._pending = self._pending, {}
        self._writing, written = batch, False
        fetches = batch.values()
        columns = list(batch), [fetch.at for fetch in fetches], [fetch.address for fetch in fetches]
        try:
            with raises_unavailable():
                async with self._database.connection() as connection:
                    await connection.execute(SQL["record_fetches"], *columns)
            written = True
            if self._away:
                log.info("phone_activity_write_resumed")
            self._away = False
        except DatabaseUnavailable as error:
            level = logging.DEBUG if self._away else logging.WARNING
            log.log(level, "phone_activity_write_failed", phones=len(batch), error=str(error))
            self._away = True
        finally:
            if not written:
                self._pending = {**batch, **self._pending}
            self._writing = {}
