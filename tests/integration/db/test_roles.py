"""What each role in PostgreSQL may do, and what it may not: asked of a real server, as that role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.db.migrate import migrate
from tests.support.database import ASTERISK, OWNER, PASSWORD, SERVICE, TestDatabase, call_server, cloned

OTHER = "asterisk_other"
VIEWS = ("ps_endpoints", "ps_auths", "ps_aors")
TABLES = (
    "users",
    "tokens",
    "activity",
    "extensions",
    "call_servers",
    "service_keys",
    "schema_migrations",
    "alembic_version",
)


@pytest.fixture(scope="module")
async def two_servers(template: TestDatabase) -> AsyncIterator[TestDatabase]:
    """A migrated database of two Asterisks. Nobody here may change it, so all tests share it."""
    with cloned(template) as database:  # a copy lacks what is granted on the database itself
        servers = {"main": call_server(), "other": call_server(database_role=OTHER)}
        await migrate(database.settings(call_servers=servers))
        await database.execute(
            """
            insert into extensions (extension, secret, call_server, user_id, enabled) values
                ('free', 's1', 'main', null, true), ('off', 's2', 'main', null, false),
                ('gone', 's3', 'main', 1798, true), ('elsewhere', 'others secret', 'other', null, true)
            """
        )
        await database.execute(
            """
            create function leak(text) returns boolean language plpgsql cost 0.0000001 as
            $$ begin raise notice '%', $1; return true; end $$
            """
        )
        yield database


@pytest.fixture
async def service(two_servers: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Logged in as the service; what it does is undone."""
    connection = await two_servers.connect(SERVICE)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
async def asterisk(two_servers: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Logged in as the first Asterisk."""
    connection = await two_servers.connect(ASTERISK)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine ()", "create temp table mine ()", "create schema mine", "create role mine",
        "create view mine as select 1", "create function mine() returns int language sql as 'select 1'",
        "alter table users add column mine int", "alter table users disable trigger all", "drop table tokens",
        "drop view ps_auths", "truncate users", "create index on users (passwd)", "create extension pgcrypto",
        "alter role asterisk_main password 'x'", "grant asterisk_main to connector_service",
        "set role asterisk_main", "set role connector_owner",
        "insert into call_servers (name) values ('mine')", "delete from call_servers", "delete from service_keys",
        "delete from schema_migrations", "copy users to program 'cat'",
        "select pg_read_file('/etc/passwd')",
    ],
)  # fmt: skip
async def test_the_service_changes_rows_and_nothing_else(service: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


async def test_the_service_reads_and_writes_its_tables(service: asyncpg.Connection) -> None:
    for table in ("users", "tokens", "activity", "extensions"):
        await service.fetch(f"select * from {table}")  # noqa: S608 - a name from above
        await service.execute(f"delete from {table}")  # noqa: S608


async def test_an_asterisk_sees_only_its_own_call_servers_live_extensions(asterisk: asyncpg.Connection) -> None:
    for view in VIEWS:
        rows = await asterisk.fetch(f"select id from {view} order by id")  # noqa: S608
        assert [row["id"] for row in rows] == ["12342", "12343", "free"]


async def test_a_second_asterisk_sees_only_its_own(two_servers: TestDatabase) -> None:
    other = await two_servers.connect(OTHER)
    rows = await other.fetch("select id, username, password from ps_auths")
    await other.close()
    assert [tuple(row) for row in rows] == [("elsewhere", "elsewhere", "others^20secret")]


@pytest.mark.parametrize(
    "statement",
    [
        *(f"select * from {table}" for table in (*TABLES, "live_extensions")),  # noqa: S608
        *(f"delete from {view}" for view in VIEWS),  # noqa: S608
        "update ps_auths set password = 'x'", "insert into ps_aors (id) values ('x')", "truncate extensions",
        "create table mine ()", "create temp table mine ()", "create schema mine", "create view mine as select 1",
        "create function mine() returns int language sql as 'select 1'", "create role mine",
        "set role connector_service", "set role connector_owner", "set session authorization asterisk_other",
        "alter role asterisk_other password 'x'", "drop view ps_auths",
        "select nextval('users_user_id_seq')", "select pg_read_file('/etc/passwd')", "copy ps_auths to program 'cat'",
        "begin; lock table extensions", "select rolpassword from pg_authid",
        "do $$ begin perform * from extensions; end $$",
    ],
)  # fmt: skip
async def test_an_asterisk_reads_its_three_views_and_nothing_else(asterisk: asyncpg.Connection, statement: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)):
        await asterisk.execute(statement)


async def test_an_asterisk_is_granted_three_views_and_nothing_else(asterisk: asyncpg.Connection) -> None:
    """Asked of PostgreSQL's own catalogue, so that whatever comes later is found too."""
    rows = await asterisk.fetch(
        """
        select relname from pg_class as c join pg_namespace as n on n.oid = relnamespace
        where nspname = 'public' and relkind in ('r', 'v', 'm', 'p', 'f')
            and has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
        union
        select c.relname from information_schema.column_privileges as p
        join pg_class as c on c.relname = p.table_name where p.grantee in (current_user, 'PUBLIC')
            and p.table_schema = 'public'
        """
    )
    assert {row["relname"] for row in rows} == set(VIEWS)
    assert await asterisk.fetchval(
        "select not rolsuper and not rolcreaterole and not rolcreatedb and not rolbypassrls and not rolreplication "
        "from pg_roles where rolname = current_user"
    )
    assert await asterisk.fetchval("select count(*) from pg_auth_members where member = current_user::regrole") == 0


async def test_a_cheap_function_of_the_asker_is_shown_no_others_rows(asterisk: asyncpg.Connection) -> None:
    """Without the views' barrier PostgreSQL would call it first, for every row, as it claims to cost nothing."""
    heard: list[str] = []
    asterisk.add_log_listener(lambda _, message: heard.append(message.message))
    await asterisk.fetch("select id from ps_auths where leak(password) and leak(id)")
    assert sorted(set(heard)) == ["12342", "12343", "an0ther$up3erP@ssw0rd", "free", "my$up3erP@ssw0rd", "s1"]


async def test_strangers_may_not_even_connect(two_servers: TestDatabase) -> None:
    two_servers.server.sql(f"create role stranger login password '{PASSWORD}'")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await two_servers.connect("stranger")
    finally:
        two_servers.server.sql("drop role stranger")


async def test_nobody_hands_on_what_they_were_granted(
    service: asyncpg.Connection, asterisk: asyncpg.Connection
) -> None:
    """PostgreSQL only warns of a grant without the right to grant."""
    await service.execute("grant select on users to asterisk_main")
    assert not await service.fetchval("select has_table_privilege('asterisk_main', 'users', 'select')")
    await asterisk.execute(
        "grant select on ps_auths to asterisk_other with grant option; grant select on ps_auths to public"
    )
    assert not await asterisk.fetchval("select has_table_privilege('connector_service', 'ps_auths', 'select')")


async def test_migrate_changes_the_roles_passwords(database: TestDatabase) -> None:
    changed = {
        "database_password": "another-1",
        "call_servers": {"main": call_server(database_password="another-2")},
    }
    try:
        await migrate(database.settings(**changed))
        for role, password in ((SERVICE, "another-1"), (ASTERISK, "another-2")):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await database.connect(role)
            connection = await asyncpg.connect(database.server.url(role, database.name), password=password)
            await connection.close()
    finally:
        await migrate(database.settings())
    connection = await database.connect(ASTERISK)
    await connection.close()


async def test_the_owner_needs_no_superuser_and_stays_apart_from_the_others(database: TestDatabase) -> None:
    connection = await database.connect(OWNER)
    assert not await connection.fetchval("select rolsuper from pg_roles where rolname = current_user")
    await connection.close()
    verifiers = await asyncio.to_thread(database.server.sql, "select rolpassword from pg_authid where rolcanlogin")
    assert all(line.startswith("SCRAM-SHA-256$") for line in verifiers.split())
