"""Batched reads of users: requests that arrive while a statement runs share the next one.

A statement per request costs both sides far more than the row. No request is answered from a statement that began
before the request arrived.
"""

from __future__ import annotations

import asyncio
from collections import deque

import asyncpg

from service.db.pool import Database
from service.db.users import SQL, UserRow, parse_user_row
from service.domain.models import MAX_USER_ID
from service.errors import DatabaseUnavailable, RowUnreadable

READ = SQL["get"].replace("= $1", "= any($1::bigint[])")
MAX_BATCH = 100
"""Users per statement. Decoding them blocks the loop for one or two milliseconds."""

Waiting = tuple[int, "asyncio.Future[asyncpg.Record | None]"]


class UserLoader:
    """Runs one statement at a time. A request waits at most `deadline` seconds."""

    def __init__(self, database: Database, deadline: float) -> None:
        self._database = database
        self._deadline = deadline
        self._waiting: deque[Waiting] = deque()
        self._reading: asyncio.Task[None] | None = None

    async def get(self, user_id: int) -> UserRow | None:
        """Read one user. Raises DatabaseUnavailable."""
        if user_id > MAX_USER_ID:
            return None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[asyncpg.Record | None] = loop.create_future()
        deadline = loop.call_later(self._deadline, _time_out, answer)  # half the cost of asyncio.timeout
        self._waiting.append((user_id, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name="user reads")
        try:
            row = await answer
        finally:
            deadline.cancel()
        return parse_user_row(row) if row else None

    async def _read_all(self) -> None:
        """Read batches until no request waits."""
        try:
            while batch := self._next_batch():
                await self._read(batch)
        finally:
            self._reading = None

    def _next_batch(self) -> list[Waiting]:
        """Take the oldest requests that have not timed out."""
        batch: list[Waiting] = []
        while self._waiting and len(batch) < MAX_BATCH:
            each = self._waiting.popleft()
            if not each[1].done():
                batch.append(each)
        return batch

    async def _read(self, batch: list[Waiting]) -> None:
        """Answer a batch. A failure affects this batch only, an unreadable row one request only."""
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
        rows_by_id = {row["user_id"]: row for row in rows}
        for user_id, answer in batch:
            if not answer.done():
                answer.set_result(rows_by_id.get(user_id))


def _fail(batch: list[Waiting], error: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(error)


def _time_out(answer: asyncio.Future[asyncpg.Record | None]) -> None:
    if not answer.done():
        answer.set_exception(DatabaseUnavailable("PostgreSQL is out of reach: no user was read in time"))
