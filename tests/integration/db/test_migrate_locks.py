"""`migrate` beside others who hold locks: requests go on, it tries again, and says who is in the way."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from service.db import migrations
from service.db.migrate import APPLICATION, migrate
from service.db.pool import Database
from service.errors import LocksHeld, Refused
from tests.support.database import SERVICE, TestDatabase
from tests.support.eventually import eventually
from tests.support.server import Start
from tests.support.traffic import FREE_PHONE, Traffic

Write = Callable[[str], None]


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Gives this release one more migration, 9001, with this text."""
    folder = tmp_path / "versions"
    shutil.copytree(migrations.VERSIONS, folder)
    monkeypatch.setattr(migrations, "VERSIONS", folder)
    return lambda text: print(text, file=(folder / "9001_next.sql").open("w"), flush=True)


@asynccontextmanager
async def holding(database: TestDatabase, statement: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that did something, and now sits there."""
    connection = await database.connect()
    await connection.execute("set application_name = 'report'")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement)
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


async def waiting(database: TestDatabase) -> None:
    """Return once the migration waits for a lock."""

    async def there() -> bool:
        return bool(
            await database.rows(
                "select from pg_stat_activity where application_name = $1 and cardinality(pg_blocking_pids(pid)) > 0",
                APPLICATION,
            )
        )

    await eventually(there, what="the migration waits")


async def revisions(database: TestDatabase) -> list[str]:
    return [row["revision"] for row in await database.rows("select revision from schema_migrations order by 1")]


@pytest.mark.parametrize(
    ("held", "mode"),
    [
        ("lock table users in share update exclusive mode", "ShareUpdateExclusiveLock on users"),  # vacuum
        ("select from extensions", "AccessShareLock on extensions"),  # a report, or pg_dump
    ],
)
async def test_a_transaction_that_sits_there_stops_the_migration_and_no_request(
    database: TestDatabase, start: Start, next_migration: Write, held: str, mode: str
) -> None:
    """The second table's lock is asked for while the first one's is held: nobody may wait long for that one either."""
    await database.execute(
        "insert into extensions (extension, secret, call_server) values ($1, 'a-secret-of-12', 'main')", FREE_PHONE
    )
    server = await start(database.settings(requests_per_minute=1_000_000))
    next_migration("alter table users add column later integer; alter table extensions add column later integer;")
    traffic = Traffic([server.port])
    before = await revisions(database)
    async with traffic.flowing(), holding(database, held) as holder:
        trying = asyncio.create_task(migrate(database.settings(migrate_deadline=4)))
        await waiting(database)
        await traffic.goes_on()
        with pytest.raises(LocksHeld) as told:
            await trying
    assert f"process {holder.get_server_pid()} (connector_owner, report) holds {mode}" in str(told.value)
    assert "9001_next: no lock within 4 s" in str(told.value)
    assert traffic.failures == []
    assert await revisions(database) == before
    await migrate(database.settings())
    assert await revisions(database) == [*before, "9001"]


async def test_it_goes_on_by_itself_once_the_lock_is_free(database: TestDatabase, next_migration: Write) -> None:
    next_migration("alter table users add column later integer")
    async with holding(database, "select from users"):
        trying = asyncio.create_task(migrate(database.settings()))
        await waiting(database)
    await trying
    assert (await revisions(database))[-1] == "9001"


async def test_of_two_who_wait_for_each_other_the_migration_gives_up(
    database: TestDatabase, next_migration: Write
) -> None:
    """PostgreSQL ends whoever has waited for `deadlock_timeout` first, and that would be the request."""
    next_migration("lock table users; select pg_sleep(0.3); lock table extensions;")
    async with holding(database, "update extensions set enabled = enabled") as request:
        trying = asyncio.create_task(migrate(database.settings()))

        async def holds_users() -> bool:
            return bool(
                await database.rows(
                    "select from pg_locks where relation = 'users'::regclass and mode = 'AccessExclusiveLock'"
                )
            )

        await eventually(holds_users)
        await request.fetch("select from users")
    await trying
    assert (await revisions(database))[-1] == "9001"


async def test_a_migration_that_fails_is_undone_and_says_so_without_a_row(
    database: TestDatabase, next_migration: Write
) -> None:
    before = await revisions(database)
    next_migration("create table later (); alter table users add constraint mine check (user_id < 0);")
    with pytest.raises(Refused, match=r"^migration 9001_next failed and is undone: .*\"mine\"") as told:
        await migrate(database.settings())
    assert "$2b$" not in str(told.value)
    assert await revisions(database) == before
    assert await database.rows("select from pg_class where relname = 'later'") == []


async def test_an_interrupted_migration_is_undone_and_done_by_the_next_run(
    database: TestDatabase, next_migration: Write
) -> None:
    before = await revisions(database)
    next_migration("create table later (); alter table users add column later integer")
    async with holding(database, "select from users"):
        trying = asyncio.create_task(migrate(database.settings()))
        await waiting(database)
        trying.cancel()
        await asyncio.wait({trying})

        async def gone() -> bool:
            return not await database.rows("select from pg_stat_activity where application_name = $1", APPLICATION)

        await eventually(gone, what="PostgreSQL has noticed")
    assert await revisions(database) == before
    await migrate(database.settings())
    assert await revisions(database) == [*before, "9001"]


async def test_an_index_that_was_interrupted_is_made_by_the_next_run(
    database: TestDatabase, next_migration: Write
) -> None:
    """Such an index is there, and never used, until somebody drops it."""
    next_migration(
        "-- transaction: no\ndrop index concurrently if exists users_fullname;\n"
        "create index concurrently users_fullname on users (fullname);"
    )
    valid = "select indisvalid from pg_index where indexrelid = to_regclass('users_fullname')"
    async with holding(database, "update users set fullname = fullname"):
        trying = asyncio.create_task(migrate(database.settings()))
        await waiting(database)
        trying.cancel()
        await asyncio.wait({trying})
        assert [row["indisvalid"] for row in await database.rows(valid)] == [False]
    await migrate(database.settings())
    assert [row["indisvalid"] for row in await database.rows(valid)] == [True]
    assert (await revisions(database))[-1] == "9001"


async def test_work_in_batches_commits_each(database: TestDatabase, next_migration: Write) -> None:
    next_migration(
        """
        -- transaction: no
        do $$ begin
            loop
                update users set landing_page = txid_current()::text
                where user_id in (select user_id from users where landing_page = '' limit 2);
                exit when not found;
                commit;
            end loop;
        end $$;
        """.replace("        ", "")
    )
    await migrate(database.settings())
    batches = await database.rows("select count(*) from users group by landing_page order by 1")
    assert [row["count"] for row in batches] == [1, 2, 2]


async def test_a_start_waits_for_a_migration_that_is_under_way(database: TestDatabase, next_migration: Write) -> None:
    next_migration("create table later (); alter table users add column later integer")
    async with holding(database, "select from users"):
        migrating = asyncio.create_task(migrate(database.settings()))
        await waiting(database)
        opened = Database.of(database.settings())
        starting = asyncio.create_task(opened.__aenter__())

        async def looks() -> bool:
            asked = f"select query from pg_stat_activity where (usename, datname) = ('{SERVICE}', '{database.name}')"  # noqa: S608
            return "schema_migrations" in await asyncio.to_thread(database.server.sql, asked)

        await eventually(looks, what="the start looks at the schema")
        assert not starting.done()
    await migrating
    await starting
    await opened.__aexit__(None, None, None)
