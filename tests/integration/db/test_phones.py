"""Phones in PostgreSQL: own and further ones, what Asterisk reads of them, and what triggers see to."""

from __future__ import annotations

import asyncpg
import pytest

from tests.support.database import ASTERISK, TestDatabase

FURTHER = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('main', '12342.k3f9', '12342', 'desk', 'a secret of the desk', 'sip')
"""
IMPORTED = "update call_servers set credentials = 'imported'"


async def secrets_of(database: TestDatabase) -> dict[str, str]:
    """The secret of each endpoint of 12342, once the copies agree."""
    rows = await database.rows("select endpoint, secret from phones where extension = '12342' order by phone_id")
    copy = await database.rows("select secret from extensions where extension = '12342'")
    secrets = {row["endpoint"]: row["secret"] for row in rows}
    assert secrets["12342"] == copy[0]["secret"]
    return secrets


async def seen(database: TestDatabase, view: str) -> dict[str, asyncpg.Record]:
    """What Asterisk reads, by id."""
    connection = await database.connect(ASTERISK)
    try:
        return {row["id"]: row for row in await connection.fetch(f"select * from {view}")}  # noqa: S608
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "update extensions set secret = 'another secret', profile = 'sip' where extension = '12342'",
        "update phones set secret = 'another secret', profile = 'sip' where endpoint = '12342'",
    ],
)
async def test_an_own_phone_and_its_copy_agree_whichever_is_written(database: TestDatabase, statement: str) -> None:
    await database.execute(statement)
    rows = await database.rows(
        "select e.secret, e.profile, p.secret, p.profile from extensions as e "
        "join phones as p on p.endpoint = e.extension where e.extension = '12342'"
    )
    assert [tuple(row) for row in rows] == [("another secret", "sip", "another secret", "sip")]
    assert (await seen(database, "ps_endpoints"))["12342"]["webrtc"] == "no"


async def test_a_further_phone_is_an_endpoint_with_an_auth_of_its_own(database: TestDatabase) -> None:
    await database.execute(FURTHER)
    endpoint = (await seen(database, "ps_endpoints"))["12342.k3f9"]
    auth = (await seen(database, "ps_auths"))["12342.k3f9"]
    assert (endpoint["aors"], endpoint["auth"], endpoint["webrtc"]) == ("12342.k3f9", "12342.k3f9", "no")
    assert endpoint["callerid"] == '"string" <12342>'
    assert (auth["username"], auth["password"]) == ("desk", "a^20secret^20of^20the^20desk")
    assert "12342.k3f9" in await seen(database, "ps_aors")


@pytest.mark.parametrize(
    "statement",
    [
        "update extensions set enabled = false where extension = '12342'",
        "update users set active = false where user_id = 1795",
        "delete from extensions where extension = '12342'",
        IMPORTED,
    ],
)
async def test_asterisk_sees_no_phone_that_may_not_register(database: TestDatabase, statement: str) -> None:
    await database.execute(FURTHER)
    await database.execute(statement)
    for view in ("ps_endpoints", "ps_auths", "ps_aors"):
        assert not {"12342", "12342.k3f9"} & (await seen(database, view)).keys()


async def test_who_loses_an_extension_loses_the_secrets_of_all_its_phones(database: TestDatabase) -> None:
    await database.execute(FURTHER)
    before = await secrets_of(database)
    await database.execute("update extensions set user_id = null where extension = '12342'")
    after = await secrets_of(database)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


async def test_a_secret_that_asterisk_owns_does_not_change_with_the_person(database: TestDatabase) -> None:
    await database.execute(FURTHER)
    await database.execute(IMPORTED)
    before = await secrets_of(database)
    await database.execute("update extensions set user_id = null where extension = '12342'")
    assert await secrets_of(database) == before


async def test_a_number_that_changes_takes_its_own_phone_along_and_no_other(database: TestDatabase) -> None:
    await database.execute(FURTHER)
    await database.execute("update extensions set extension = '777' where extension = '12342'")
    rows = await database.rows("select endpoint, auth_username from phones where extension = '777' order by phone_id")
    assert [tuple(row) for row in rows] == [("777", "777"), ("12342.k3f9", "desk")]


async def test_phones_follow_their_extension_to_another_call_server(database: TestDatabase) -> None:
    await database.execute("insert into call_servers (name) values ('east')")
    await database.execute("update extensions set call_server = 'east' where extension = '12342'")
    rows = await database.rows("select call_server from phones where endpoint = '12342'")
    assert [row["call_server"] for row in rows] == ["east"]


async def test_no_two_phones_of_a_call_server_share_an_endpoint(database: TestDatabase) -> None:
    await database.execute(FURTHER)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(FURTHER.replace("'12342',", "'12343',"))


async def test_an_extension_without_a_phone_is_no_endpoint(database: TestDatabase) -> None:
    await database.execute("insert into extensions (extension, call_server) values ('777', 'main')")
    assert "777" not in await seen(database, "ps_endpoints")


async def lists(database: TestDatabase) -> dict[str, str]:
    """What the dialplan dials, by number."""
    rows = await seen(database, "ps_aors")
    return {name: row["voicemail_extension"] for name, row in rows.items() if row["voicemail_extension"] is not None}


async def test_asterisk_learns_all_phones_of_a_number_and_dials_no_other_name(database: TestDatabase) -> None:
    assert await lists(database) == {"12342": "PJSIP/12342", "12343": "PJSIP/12343"}
    await database.execute(FURTHER)
    await database.execute(FURTHER.replace("12342.k3f9", "a+b.c"))
    phones = "PJSIP/12342&PJSIP/12342.k3f9&PJSIP/a+b.c"
    assert await lists(database) == {"12342": phones, "12343": "PJSIP/12343"}
    endpoints = await seen(database, "ps_endpoints")
    variables = {name: endpoints[name]["set_var"] for name in ("12342", "12342.k3f9", "a+b.c", "12343")}
    assert variables == {
        "12342": "EXTENSION=12342",
        "12342.k3f9": "EXTENSION=12342",
        "a+b.c": "EXTENSION=12342",
        "12343": "EXTENSION=12343",
    }


@pytest.mark.parametrize(
    "statement",
    [
        "update extensions set enabled = false where extension = '12342'",
        "update users set active = false where user_id = 1795",
        "update extensions set call_server = 'east' where extension = '12342'",
    ],
)
async def test_asterisk_dials_nobody_who_is_disabled_inactive_or_elsewhere(
    database: TestDatabase, statement: str
) -> None:
    await database.execute(FURTHER)
    await database.execute("insert into call_servers (name) values ('east')")
    await database.execute(statement)
    assert await lists(database) == {"12343": "PJSIP/12343"}
