"""Users read for many requests at once: each answer is newer than its question, and nobody's trouble is another's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.db.pool import Database
from service.db.user_loader import MAX_BATCH, UserLoader
from service.db.users import UserRow
from service.errors import DatabaseUnavailable
from tests.support.database import TestDatabase
from tests.support.eventually import eventually

HELD = """
insert into activity (user_id, last_seen) values (1795, now());
alter table activity rename to activity_stored;
create function held() returns boolean language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(1);
    return true;
end $$;
create view activity as select * from activity_stored where held();
grant select on activity to connector_service;
"""
"""Reading user 1795 waits, in the middle of the statement, as long as somebody holds the lock."""
WAITING = "select 1 from pg_locks where locktype = 'advisory' and not granted"


@asynccontextmanager
async def held(database: TestDatabase) -> AsyncIterator[None]:
    """No statement that reads user 1795 ends before the block does."""
    connection = await database.connect()
    try:
        await connection.execute("select pg_advisory_lock(1)")
        yield
    finally:
        await connection.close()


@pytest.fixture
async def reads(database: TestDatabase) -> AsyncIterator[UserLoader]:
    await database.execute(HELD)
    settings = database.settings(database_deadline=10)
    async with Database.of(settings) as opened:
        yield UserLoader(opened, deadline=10)


def asked(reads: UserLoader, user_id: int = 1795) -> asyncio.Task[UserRow | None]:
    return asyncio.create_task(reads.get(user_id))


async def under_way(database: TestDatabase) -> None:
    await eventually(lambda: database.rows(WAITING), what="a statement waits")


async def test_everybody_gets_their_own_and_who_is_not_there_is_not_found(reads: UserLoader) -> None:
    numbers = [1, 1795, 1796, 999_999, 0, 2**63 - 1, 2**70] * MAX_BATCH
    found = await asyncio.gather(*map(reads.get, numbers))
    assert [row.user_id if row else None for row in found] == [1, 1795, 1796, None, None, None, None] * MAX_BATCH


async def test_who_asks_while_a_statement_runs_is_answered_by_the_next(
    database: TestDatabase, reads: UserLoader
) -> None:
    await database.execute("update users set fullname = 'before' where user_id = 1795")
    async with held(database):
        first = asked(reads)
        await under_way(database)
        await database.execute("update users set fullname = 'after' where user_id = 1795")
        later = [asked(reads) for _ in range(3)]
    assert [row.fullname for row in await asyncio.gather(first, *later) if row] == ["before", "after", "after", "after"]


async def test_who_gives_up_harms_nobody(database: TestDatabase, reads: UserLoader) -> None:
    async with held(database):
        first, other = asked(reads), asked(reads)
        await under_way(database)
        waiting, leaving = asked(reads, 1796), asked(reads, 1796)
        first.cancel()
        leaving.cancel()
    assert [row.user_id for row in await asyncio.gather(other, waiting) if row] == [1795, 1796]
    assert first.cancelled()
    assert leaving.cancelled()


async def test_each_waits_for_the_deadline_and_no_longer_and_it_heals(database: TestDatabase) -> None:
    await database.execute(HELD)
    async with Database.of(database.settings(database_deadline=1)) as opened:
        reads = UserLoader(opened, deadline=1)
        async with held(database):
            began = time.monotonic()
            first = asked(reads)
            await under_way(database)
            second = asked(reads)
            for task in (first, second):
                with pytest.raises(DatabaseUnavailable):
                    await task
            assert time.monotonic() - began < 5
        row = await reads.get(1795)
        assert row is not None


async def test_a_statement_that_fails_fails_for_its_own_readers_only(database: TestDatabase, reads: UserLoader) -> None:
    async with held(database):
        lost = [asked(reads) for _ in range(3)]
        await under_way(database)
        later = asked(reads, 1796)
        superuser = await database.connect(database.server.superuser)
        await superuser.execute(WAITING.replace("1", "pg_terminate_backend(pid)"))
        await superuser.close()
        for task in lost:
            with pytest.raises(DatabaseUnavailable):
                await task
        row = await later
    assert row is not None
    assert row.user_id == 1796
