"""`migrate`: from nothing, again, and by several replicas at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from service.db.migrate import migrate
from service.db.migrations import all_migrations
from service.errors import ConfigurationError
from tests.support import command_line
from tests.support.database import OWNER, PASSWORD, TestDatabase

SHAPE = """
select 'column', table_name, column_name, data_type, column_default from information_schema.columns
where table_schema = 'public'
union all
select 'trigger', event_object_table, trigger_name, event_manipulation, action_timing
from information_schema.triggers
union all
select 'grant', table_name, grantee, privilege_type, '' from information_schema.table_privileges
where table_schema = 'public'
order by 1, 2, 3, 4
"""

LOCKS = {
    "0003": ["AccessExclusiveLock on ps_endpoints"],
    "0014": ["AccessExclusiveLock on ps_aors"],
    "0015": ["AccessExclusiveLock on call_servers", "AccessExclusiveLock on extensions"],
    "0017": ["ShareRowExclusiveLock on call_servers", "ShareRowExclusiveLock on extensions"],
    "0018": [
        "AccessExclusiveLock on extensions",
        "AccessExclusiveLock on ps_aors",
        "AccessExclusiveLock on ps_auths",
        "AccessExclusiveLock on ps_endpoints",
    ],
    "0019": ["ShareRowExclusiveLock on call_servers"],
    "0020": [
        "ShareRowExclusiveLock on extensions",
        "ShareRowExclusiveLock on phones",
        "ShareRowExclusiveLock on tokens",
        "ShareRowExclusiveLock on users",
    ],
    "0021": ["AccessExclusiveLock on call_servers", "AccessExclusiveLock on phones"],
    "0023": [
        "AccessExclusiveLock on extensions",
        "AccessExclusiveLock on live_phones",
        "AccessExclusiveLock on ps_auths",
        "AccessExclusiveLock on ps_endpoints",
        "ShareRowExclusiveLock on extensions",
        "ShareRowExclusiveLock on phones",
        "ShareRowExclusiveLock on users",
    ],
    "0025": ["AccessExclusiveLock on ps_aors", "AccessExclusiveLock on ps_endpoints"],
    "0026": ["ShareRowExclusiveLock on phones"],
    "0027": ["ShareRowExclusiveLock on call_servers", "ShareRowExclusiveLock on extensions"],
    "0028": ["AccessExclusiveLock on tokens", "ShareRowExclusiveLock on users"],
    "0029": [
        "AccessExclusiveLock on call_servers",
        "AccessExclusiveLock on own_phones",
        "AccessExclusiveLock on ps_endpoints",
    ],
}
"""The strong locks that a migration takes on what others use. One on a table that requests use is listed with a reason
why it is held for a moment only: 0015 adds columns without a value, 0017 holds off writes, not reads, while it copies
20,000 rows (0.6 s), 0018, 0019, 0023 and 0025 read no row, 0020 adds triggers, 0021 columns without a value, 0026 a
trigger and, like 0027, empty tables with foreign keys, 0028 adds a column with a constant, a trigger and such a table,
0029 a column with a constant."""


@pytest.fixture
def empty(template: TestDatabase) -> Iterator[TestDatabase]:
    """A database with nothing in it."""
    template.server.create_database("empty", OWNER, PASSWORD)
    yield TestDatabase(template.server, "empty")
    template.server.sql("drop database empty with (force)")


async def test_four_processes_migrate_an_empty_database_at_the_same_time(empty: TestDatabase) -> None:
    variables = command_line.environment(empty)
    processes = [command_line.started(variables, "migrate") for _ in range(4)]
    done = await asyncio.gather(*(asyncio.to_thread(command_line.ended, process) for process in processes))
    assert [process.returncode for process in done] == [0] * 4, [process.stderr for process in done]
    assert not any("Traceback" in process.stderr for process in done)
    assert [row["revision"] for row in await empty.rows("select revision from schema_migrations")]
    assert len(await empty.rows("select from service_keys")) == 1


async def test_migrating_again_changes_nothing(database: TestDatabase) -> None:
    async def snapshot() -> list[asyncpg.Record]:
        return [
            *await database.rows(SHAPE),
            *await database.rows("select * from service_keys"),
            *await database.rows("select * from call_servers"),
            *await database.rows("select * from users order by user_id"),
        ]

    before = await snapshot()
    await migrate(database.settings())
    assert await snapshot() == before


async def test_a_service_that_works_goes_on_while_it_is_migrated(database: TestDatabase) -> None:
    connection = await database.connect("connector_service")
    await migrate(database.settings())
    assert await connection.fetchval("select count(*) from users") == 5
    await connection.close()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"database_url": "owner"}, "a role of its own"),
        ({"database_password": "nöt ascii"}, "printable ASCII"),
        ({"owner_database_url": None}, "CONNECTOR_OWNER_DATABASE_URL is not set"),
    ],
)
async def test_what_cannot_work_is_said_and_nothing_is_changed(
    empty: TestDatabase, changed: dict[str, str | None], what: str
) -> None:
    if changed.get("database_url"):
        changed = {"database_url": empty.server.url(OWNER, empty.name)}
    with pytest.raises(ConfigurationError, match=what):
        await migrate(empty.settings(**changed))
    assert await empty.rows("select from information_schema.tables where table_schema = 'public'") == []


async def test_a_migration_takes_no_strong_lock_that_is_not_listed(empty: TestDatabase) -> None:
    """Asked of PostgreSQL just before each commit; the other connection does not see what the migration itself made."""
    work, eye = await empty.connect(), await empty.connect()
    taken: dict[str, list[str]] = {}
    for migration in all_migrations():
        transaction = work.transaction()
        if migration.in_transaction:
            await transaction.start()
        for statement in migration.statements:
            await work.execute(statement)
        rows = await eye.fetch(
            """
            select distinct l.mode || ' on ' || c.relname as lock from pg_locks as l
            join pg_class as c on c.oid = l.relation and c.relkind in ('r', 'v', 'S') and c.oid >= 16384
            where l.pid = $1 and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
            """,
            work.get_server_pid(),
        )
        if rows:
            taken[migration.revision] = sorted(row["lock"] for row in rows)
        if migration.in_transaction:
            await transaction.commit()
    await work.close()
    await eye.close()
    assert taken == LOCKS
