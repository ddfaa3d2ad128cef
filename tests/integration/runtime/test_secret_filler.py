"""A phone whose SIP password ended in a session without the key gets another one from a serving process."""

from __future__ import annotations

from typing import Any

import pytest

from service.runtime.secret_filler import NOT_MADE
from tests.integration.db.test_secret_life import FURTHER, auths, sealed
from tests.integration.secrets.keys import KEY, OTHER, settings_with
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import AGENT_UID, Start

Logged = list[dict[str, object]]
ENDED = "update phones set secret = null, sealed = null, sealed_with = null"


def events(logged: Logged, name: str, level: str | None = None) -> Logged:
    return [line for line in logged if line["event"] == name and level in (None, line["log_level"])]


async def without(database: TestDatabase) -> int:
    return len(await database.rows("select from phones where secret is null and sealed is null"))


async def all_filled(database: TestDatabase, within: float = 15.0) -> None:
    async def there() -> bool:
        return await without(database) == 0

    await eventually(there, within, "every phone has a password")


async def made_by_service(database: TestDatabase) -> list[Any]:
    return await database.rows("select subject, count(*) from audit where actor_kind = 'service' group by subject")


async def test_a_password_that_psql_ended_is_made_anew_and_answered(
    database: TestDatabase, start: Start, logged: Logged
) -> None:
    await sealed(database)
    server = await start(database.settings(**settings_with(KEY)))
    before = (await (await server.registration()).json())["extensionDetails"]["password"]
    await database.execute("update users set passwd = 'another hash' where user_id = 1795")
    assert await without(database) <= 1
    await all_filled(database)

    async def answered() -> bool:
        answer = await server.registration(AGENT_UID)
        return answer.status == 200 and (await answer.json())["extensionDetails"]["password"] != before

    await eventually(answered)
    assert [line["phones"] for line in events(logged, "sip_passwords_made")] == [1]
    assert events(logged, "sip_passwords_not_made") == []


async def test_at_their_start_several_processes_make_one_password_for_each_phone(
    database: TestDatabase, start: Start, logged: Logged
) -> None:
    await database.execute(FURTHER)
    await database.execute(
        "insert into extensions (extension, secret, call_server) "
        "select 'e' || n, 'a secret', 'main' from generate_series(1, 250) as n"
    )
    await database.execute(ENDED)
    for _ in range(3):
        await start(database.settings())
    await all_filled(database)
    made = await made_by_service(database)
    assert len(made) == 253
    assert {row["count"] for row in made} == {1}
    assert sum(int(str(line["phones"])) for line in events(logged, "sip_passwords_made")) == 253


async def test_while_postgresql_takes_no_changes_it_is_said_once_and_made_up_for_later(
    database: TestDatabase, start: Start, logged: Logged
) -> None:
    await start(database.settings())
    owner = database.server.superuser
    await database.execute(ENDED + " where endpoint = '12343'")
    await all_filled(database)
    connection = await database.connect(owner)
    await connection.execute(
        f"alter role connector_service in database {database.name} set default_transaction_read_only = on"
    )
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'connector_service'"
    )
    await database.execute(ENDED + " where endpoint = '12342'")
    await eventually(lambda: len(events(logged, "sip_passwords_not_made")) >= 2, 20)
    assert len(events(logged, "sip_passwords_not_made", "warning")) == 1
    assert await without(database) == 1
    await connection.execute(
        f"alter role connector_service in database {database.name} reset default_transaction_read_only"
    )
    await connection.close()
    await all_filled(database, 30)


async def test_an_extension_that_another_session_holds_holds_up_no_other(database: TestDatabase, start: Start) -> None:
    one = await database.connect()
    transaction = one.transaction()
    await transaction.start()
    await one.execute("select from extensions where extension = '12342' for no key update")
    await database.execute("update phones set label = 'x'")
    await start(database.settings())
    await one.execute(ENDED + " where endpoint = '12342'")
    other = await database.connect()
    await other.execute(ENDED + " where endpoint = '12343'")
    await other.close()
    await all_filled(database)
    assert [row["subject"] for row in await made_by_service(database)] == ["12343"]
    await transaction.commit()
    await one.close()
    await all_filled(database)


@pytest.mark.parametrize("keys", [(), (OTHER,)], ids=["no key", "another key"])
async def test_a_process_without_the_key_says_once_that_it_makes_none(
    database: TestDatabase, start: Start, logged: Logged, keys: tuple[Any, ...]
) -> None:
    await sealed(database)
    await start(database.settings(**settings_with(*keys)))
    await database.execute(ENDED)
    await eventually(lambda: len(events(logged, "sip_passwords_not_made")) >= 2, 20)
    assert [line["error"] for line in events(logged, "sip_passwords_not_made", "warning")] == [NOT_MADE]
    assert await made_by_service(database) == []
    await start(database.settings(**settings_with(KEY)))
    await all_filled(database)
    found = await auths(database)
    assert found == {}, "an Asterisk without the key reads none of them"


async def test_a_phone_of_an_imported_call_server_gets_none(
    database: TestDatabase, start: Start, logged: Logged
) -> None:
    await database.execute("update call_servers set credentials = 'imported'")
    await database.execute(ENDED)
    server = await start(database.settings())
    await database.execute("update phones set label = 'renamed'")
    await server.answers(503)
    assert await without(database) == 2
    assert events(logged, "sip_passwords_not_made") == []
