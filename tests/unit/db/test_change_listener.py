"""What may be taken as read after a hint."""

from __future__ import annotations

import asyncio

from service.db.change_hints import Rows
from service.db.change_listener import ChangeListener
from service.db.connection import DatabaseLogin


class Reader:
    """Notes what is read; a full read waits until the test lets it end."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []
        self.may_end = asyncio.Event()

    async def read_all(self) -> None:
        await self.may_end.wait()

    async def read_rows(self, rows: Rows) -> None:
        self.rows.append(rows)

    def confirm(self, at: float) -> None: ...

    def left_out_rows(self) -> Rows:
        return Rows()


async def test_a_refresh_waits_for_the_full_read_that_covers_its_row() -> None:
    """After a reconnect everything is read again, and no row by itself."""
    reader = Reader()
    listener = ChangeListener(DatabaseLogin("postgresql://nowhere/nothing", None), reader)
    refreshed = asyncio.create_task(listener.refresh("user 7", within=10))
    await asyncio.sleep(0)
    listener._hints.request_full_read_now()
    async with asyncio.TaskGroup() as tasks:
        followers = [tasks.create_task(listener._follow_row_hints())]
        followers.append(tasks.create_task(listener._follow_full_read_hints()))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not refreshed.done()
        reader.may_end.set()
        assert await refreshed
        for follower in followers:
            follower.cancel()
    assert reader.rows == []


async def test_a_refresh_does_not_wait_for_a_full_read_that_its_row_does_not_need() -> None:
    reader = Reader()
    listener = ChangeListener(DatabaseLogin("postgresql://nowhere/nothing", None), reader)
    listener._hints.request_full_read_now()
    async with asyncio.TaskGroup() as tasks:
        followers = [tasks.create_task(listener._follow_full_read_hints())]
        await asyncio.sleep(0)
        followers.append(tasks.create_task(listener._follow_row_hints()))
        assert await listener.refresh("user 7", within=10)
        for follower in followers:
            follower.cancel()
    assert [rows.user_ids for rows in reader.rows] == [{7}]
