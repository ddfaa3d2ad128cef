"""What ends a SIP password at once, what overlaps, and what a key outside of the database opens: in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import pytest

from service.db import phone_secrets
from service.db.connection import DatabaseLogin
from service.db.pool import Database
from service.domain.secret_keys import MasterKey, asterisk_setting, service_setting
from service.errors import RotationUnderWay
from tests.support.database import ASTERISK, PASSWORD, TestDatabase
from tests.support.origins import PREPARED

KEY, OTHER_KEY = MasterKey.parse("a1" * 32), MasterKey.parse("b2" * 32)
FURTHER = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('main', '12342.desk', '12342', 'desk', 'a secret of the desk', 'sip')
"""
REWRITE = """
update phones
set secret = opened_secret(secret, sealed, sealed_with, call_server),
    former_secret = opened_secret(former_secret, former_sealed, former_sealed_with, call_server)
"""


async def auths(database: TestDatabase, keys: str = "") -> dict[str, list[str]]:
    """The passwords of each endpoint, as an Asterisk with these keys reads them: endpoints first, then their auths."""
    asterisk = await asyncpg.connect(
        database.server.url(ASTERISK, database.name),
        password=PASSWORD,
        server_settings={"connector.keys": keys} if keys else {},
    )
    try:
        endpoints = await asterisk.fetch("select id, auth from ps_endpoints")
        found = {}
        for endpoint in endpoints:
            rows = [
                await asterisk.fetchrow("select username, password from ps_auths where id = $1", name)
                for name in endpoint["auth"].split(",")
            ]
            assert all(rows), f"endpoint {endpoint['id']} names an auth that does not exist"
            found[endpoint["id"]] = [row["password"] for row in rows if row is not None]
        return found
    finally:
        await asterisk.close()


async def with_key(
    database: TestDatabase, *statements: str, key: MasterKey = KEY, more_keys: Sequence[MasterKey] = ()
) -> None:
    """Run statements as the owner, with master keys."""
    login = DatabaseLogin(database.server.url("connector_owner", database.name), PASSWORD, [key, *more_keys])
    connection = await login.connect()
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def sealed(database: TestDatabase, key: MasterKey = KEY) -> None:
    """Seal everything, as `secrets rekey` does."""
    await with_key(
        database,
        "create extension if not exists pgcrypto schema public",
        f"update call_servers set secrets_key = '{key.name}'",  # noqa: S608
        REWRITE,
        key=key,
    )


@pytest.mark.parametrize(
    "statement",
    [
        "update users set passwd = 'another hash' where user_id = 1795",
        "update users set active = false where user_id = 1795; update users set active = true where user_id = 1795",
        "update extensions set user_id = null where extension = '12342'",
        "update extensions set user_id = 1797 where extension = '12342'",
        "delete from users where user_id = 1795",
    ],
)
@pytest.mark.parametrize("at_rest", ["plain", "sealed"])
async def test_what_ends_a_persons_secrets_ends_all_of_them_without_overlap(
    database: TestDatabase, statement: str, at_rest: str
) -> None:
    keys = asterisk_setting([KEY], "main") if at_rest == "sealed" else ""
    await database.execute(FURTHER)
    await database.execute(
        "update phones set secret = 'newer', former_until = now() + interval '1 day' where extension = '12342'"
    )
    if at_rest == "sealed":
        await sealed(database)
    before = await auths(database, keys)
    assert [len(before[name]) for name in ("12342", "12342.desk", "12343")] == [2, 2, 1]
    await with_key(database, statement)
    after = await auths(database, keys)
    for name in ("12342", "12342.desk"):
        (new,) = after[name]
        assert len(new) == 32
        assert new not in before[name]
    assert after["12343"] == before["12343"]
    assert len(await database.rows("select from extensions where secret is not null")) == (2 if not keys else 0)


async def test_a_session_without_the_key_ends_a_secret_and_a_service_makes_another(database: TestDatabase) -> None:
    await sealed(database)
    before = await auths(database, asterisk_setting([KEY], "main"))
    await database.execute("update users set passwd = 'another hash' where user_id = 1795")
    assert (await auths(database, asterisk_setting([KEY], "main"))).keys() == {"12343"}
    async with Database.of(database.settings(secrets_key="a1" * 32)) as service:
        assert [await phone_secrets.fill_missing(service) for _ in range(2)] == [1, 0]
    after = await auths(database, asterisk_setting([KEY], "main"))
    assert after["12342"] != before["12342"]
    assert after["12343"] == before["12343"]


async def test_a_secret_typed_in_a_session_without_the_key_is_refused_and_the_old_one_stays(
    database: TestDatabase,
) -> None:
    await sealed(database)
    with pytest.raises(asyncpg.RaiseError, match="lacks key"):
        await database.execute("update phones set secret = 'typed by hand' where endpoint = '12342'")
    await database.execute("update phones set label = 'renamed' where endpoint = '12342'")
    assert (await auths(database, asterisk_setting([KEY], "main"))).keys() == {"12342", "12343"}


async def test_a_routine_rotation_overlaps_and_a_second_one_waits_for_its_end(database: TestDatabase) -> None:
    (first,) = (await auths(database))["12342"]
    async with Database.of(database.settings()) as service:
        rotated = await phone_secrets.rotate(service, "12342", origin=PREPARED, overlap=60)
        assert rotated.former_until is not None
        second, former = (await auths(database))["12342"]
        assert former == first != second
        with pytest.raises(RotationUnderWay):
            await phone_secrets.rotate(service, "12342", origin=PREPARED, overlap=60)
        assert (await auths(database))["12342"] == [second, first]
        await database.execute("update phones set former_until = now() where former_until is not null")
        assert (await auths(database))["12342"] == [second]
        await phone_secrets.rotate(service, "12342", origin=PREPARED, overlap=0)
        (third,) = (await auths(database))["12342"]
        assert third not in (first, second)


@pytest.mark.parametrize(
    "keys", ["", "00000000:" + "a1" * 32, f"{KEY.name}:{'00' * 32}", f"{KEY.name}:xyz", "'", KEY.name]
)
async def test_an_asterisk_without_the_right_key_sees_no_endpoint_and_no_error(
    database: TestDatabase, keys: str
) -> None:
    await sealed(database)
    assert await auths(database, keys) == {}


async def test_each_asterisk_gets_a_key_that_opens_its_rows_only(database: TestDatabase) -> None:
    await sealed(database)
    assert await auths(database, asterisk_setting([KEY], "second")) == {}
    assert (await auths(database, asterisk_setting([OTHER_KEY, KEY], "main"))).keys() == {"12342", "12343"}
    assert asterisk_setting([KEY], "main") not in service_setting([KEY])


async def test_one_row_that_cannot_be_opened_costs_no_other(database: TestDatabase) -> None:
    await sealed(database)
    await database.execute(r"update phones set sealed = '\x00' where endpoint = '12343'")
    assert (await auths(database, asterisk_setting([KEY], "main"))).keys() == {"12342"}


async def test_rows_of_an_old_and_a_new_key_are_read_side_by_side_until_all_are_rewritten(
    database: TestDatabase,
) -> None:
    plain = await auths(database)
    await sealed(database)
    await database.execute("update call_servers set secrets_key = $1", OTHER_KEY.name)
    login = DatabaseLogin(database.server.url("connector_owner", database.name), PASSWORD, [OTHER_KEY, KEY])
    connection = await login.connect()
    await connection.execute(REWRITE + " where endpoint = '12342'")
    assert await auths(database, asterisk_setting([OTHER_KEY, KEY], "main")) == plain
    assert (await auths(database, asterisk_setting([OTHER_KEY], "main"))).keys() == {"12342"}
    await connection.execute(REWRITE)
    assert await auths(database, asterisk_setting([OTHER_KEY], "main")) == plain
    await connection.close()


async def test_a_lookup_of_one_auth_uses_the_keys_whatever_the_number_of_phones(database: TestDatabase) -> None:
    """Asterisk looks up each REGISTER's auth by its id; the id of a former secret is one too."""
    await database.execute(
        "insert into extensions (extension, secret, call_server) "
        "select 'e' || n, 'a secret', 'main' from generate_series(1, 5000) as n"
    )
    await database.execute("update phones set secret = 'newer', former_until = now() + interval '1 day'")
    await database.execute("analyze")
    connection = await database.connect(ASTERISK)
    for id_ in ("e77", "e77~"):
        rows = await connection.fetch(f"explain select * from ps_auths where id = '{id_}'")  # noqa: S608
        plan = "\n".join(row[0] for row in rows)
        assert "Seq Scan on phones" not in plan, plan
    await connection.close()
