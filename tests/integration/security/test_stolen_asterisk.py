"""What a thief of an Asterisk's machine can do in PostgreSQL: with its role's password, its derived key, and a dump."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.db import schema
from service.db.connection import DatabaseLogin
from service.db.migrate import migrate
from service.domain.secret_keys import MasterKey
from service.errors import LocksHeld
from tests.support.database import ASTERISK, OWNER, PASSWORD, TestDatabase, call_server
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server
from tests.support.worked_cluster import KEY, enable_key

OTHER = "asterisk_other"


@pytest.fixture
async def sealed(database: TestDatabase) -> TestDatabase:
    """Two call servers, each with one key of its own."""
    servers = {"main": call_server(), "other": call_server(database_role=OTHER)}
    settings = database.settings(call_servers=servers, secrets_key=KEY.key.hex())
    await migrate(settings)
    await enable_key(settings)
    login = DatabaseLogin(database.server.url(OWNER, database.name), PASSWORD, [KEY])
    owner = await login.connect()
    for number, server in (("mine", "main"), ("theirs", "other")):
        await owner.execute(
            "insert into extensions (extension, secret, call_server) values ($1, $2, $3)",
            number,
            f"secret of {number}",
            server,
        )
    await owner.close()
    return database


@pytest.fixture
async def thief(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Logged in as the Asterisk of `main`."""
    connection = await database.connect(ASTERISK)
    yield connection
    await connection.close()


def keys_of(name: str, key: bytes) -> str:
    return f"{name}:{key.hex()}"


async def test_it_sees_the_phones_of_its_own_call_server_and_their_passwords(
    sealed: TestDatabase, thief: asyncpg.Connection
) -> None:
    """This is what it is for. So a thief has these passwords until each is changed."""
    await thief.execute("select set_config('connector.keys', $1, false)", keys_of(KEY.name, KEY.derive("main")))
    rows = await thief.fetch("select id, password from ps_auths")
    assert ("mine", "secret^20of^20mine") in {tuple(row) for row in rows}
    assert "theirs" not in {row["id"] for row in rows}


@pytest.mark.parametrize("setting", ["connector.keys", "connector.master_keys"])
async def test_its_key_opens_no_row_of_another_call_server_even_with_a_dump(
    sealed: TestDatabase, thief: asyncpg.Connection, setting: str
) -> None:
    """The dump gives it the sealed row; it presents its key as its own, and as the master key."""
    rows = await sealed.rows("select extension, sealed, sealed_with, call_server from phones")
    of = {row["extension"]: (row["sealed"], row["sealed_with"], row["call_server"]) for row in rows}
    await thief.execute("select set_config($1, $2, false)", setting, keys_of(KEY.name, KEY.derive("main")))
    opening = "select opened_secret(null, $1, $2, $3)"
    sealed_, with_, server = of["theirs"]
    assert sealed_ is not None
    assert await thief.fetchval(opening, sealed_, with_, server) is None
    assert await thief.fetchval(opening, sealed_, with_, "main") is None
    if setting == "connector.keys":
        assert await thief.fetchval(opening, *of["mine"]) == "secret of mine", "its own opens: the key is right"


def test_a_derived_key_is_not_the_name_of_a_master_key_that_derives_others() -> None:
    stolen = MasterKey.parse(KEY.derive("main").hex())
    assert stolen.derive("other") != KEY.derive("other")
    assert stolen.name != KEY.name


async def test_what_it_notifies_the_service_of_changes_nothing(server: Server, thief: asyncpg.Connection) -> None:
    """It may notify, as every role that may connect. A notification is a hint: the row itself decides."""
    headers = await server.headers_of()
    hashes = await thief.fetchval("select has_table_privilege('tokens', 'select')")
    assert not hashes
    for hint in ("user 1795", "user *", "token " + "0" * 64, "extension 12342", "extension *", "x" * 7000, "", "\x01"):
        await thief.execute("select pg_notify('connector_changes', $1)", hint)
    for _ in range(2000):
        await thief.execute("notify connector_changes, 'extension 12342'")
    await server.answers(200, headers)
    await server.answers(200, ADMIN)


async def test_what_it_hears_are_names_ids_and_hashes(
    database: TestDatabase, server: Server, thief: asyncpg.Connection
) -> None:
    """Of all call servers: PostgreSQL has no right to listen that could be withheld."""
    heard: list[str] = []
    await thief.add_listener("connector_changes", lambda *told: heard.append(str(told[3])))
    headers = await server.headers_of()
    await database.execute("update phones set secret = 'a new SIP password' where endpoint = '12342'")
    await eventually(lambda: "extension 12342" in heard and any(each.startswith("token ") for each in heard))
    said = "\n".join(heard)
    assert headers["X-Auth-Token"] not in said
    assert "a new SIP password" not in said


async def test_it_can_hold_up_a_migration_and_fill_the_disk(database: TestDatabase, thief: asyncpg.Connection) -> None:
    """What PostgreSQL permits every role: the page says so, and `migrate` names the holder."""
    await thief.execute("select pg_advisory_lock($1)", schema.LOCK)
    with pytest.raises(LocksHeld, match=str(await thief.fetchval("select pg_backend_pid()"))):
        async with asyncio.timeout(30):
            await migrate(database.settings(migrate_deadline=1))
    await thief.execute("select pg_advisory_unlock_all()")
    assert await thief.fetchval("select lo_from_bytea(0, 'a large object')") > 0
