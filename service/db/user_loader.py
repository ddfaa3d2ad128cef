"""Users for many requests at once: whoever asks while a statement runs shares the next one.

A statement of its own for each request costs both sides far more than the row. Each answer is read after its request
came all the same: who comes while a statement runs is never answered from it.
"""

from __future__ import annotations

import asyncio
from collections import deque

import asyncpg

from service.db.pool import Database
from service.db.users import SQL, UserRow, shown_of
from service.errors import DatabaseUnavailable, RowUnreadable

# The columns stand in one place.
READ = SQL["get"].replace("= $1", "= any($1::bigint[])")
MOST = 100
"""Users that one statement reads: decoding them holds the loop for a millisecond or two."""
LARGEST = 2**63 - 1

Waiting = tuple[int, "asyncio.Future[asyncpg.Record | None]"]


class UserLoader:
    """One statement at a time, for all who wait. Each of them waits for `deadline` seconds at the most."""

    def __init__(self, database: Database, deadline: float) -> None:
        self._database = database
        self._deadline = deadline
        self._waiting: deque[Waiting] = deque()
        self._reading: asyncio.Task[None] | None = None

    async def get(self, user_id: int) -> UserRow | None:
        """One user, read from now on. Raises DatabaseUnavailable."""
        if user_id > LARGEST:
            return None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[asyncpg.Record | None] = loop.create_future()
        deadline = loop.call_later(self._deadline, _give_up, answer)  # half of what asyncio.timeout takes
        self._waiting.append((user_id, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name="user reads")
        try:
            row = await answer
        finally:
            deadline.cancel()
        return shown_of(row) if row else None

    async def _read_all(self) -> None:
        """Until nobody waits."""
        try:
            while batch := self._next():
                await self._read(batch)
        finally:
            self._reading = None

    def _next(self) -> list[Waiting]:
        """Those who have waited longest, without those who gave up."""
        batch: list[Waiting] = []
        while self._waiting and len(batch) < MOST:
            each = self._waiting.popleft()
            if not each[1].done():
                batch.append(each)
        return batch

    async def _read(self, batch: list[Waiting]) -> None:
        """Answer everybody in the batch: what fails fails for them only, and a row that cannot be read for one only."""
        try:
            async with self._database.connection() as connection:
                rows = await connection.fetch(READ, [user_id for user_id, _ in batch])
        except RowUnreadable as error:
            if len(batch) > 1:
                for each in batch:
                    await self._read([each])
                return
            _fail(batch, error)
            return
        except Exception as error:
            _fail(batch, error)
            return
        found = {row["user_id"]: row for row in rows}
        for user_id, answer in batch:
            if not answer.done():
                answer.set_result(found.get(user_id))


def _fail(batch: list[Waiting], error: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(error)


def _give_up(answer: asyncio.Future[asyncpg.Record | None]) -> None:
    if not answer.done():
        answer.set_exception(DatabaseUnavailable("PostgreSQL is out of reach: no user was read in time"))
