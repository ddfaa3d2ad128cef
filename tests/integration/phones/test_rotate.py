"""A phone's SIP password is rotated over HTTP: whose, how often, and what stays valid meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.integration.db.test_secret_life import FURTHER, auths
from tests.support.database import TestDatabase
from tests.support.imported import HOLDER_ID, HOLDER_UID, both, import_alice
from tests.support.server import ADMIN, AGENT_UID, Server, Start, told

NO = object()


def failed(error: str) -> dict[str, Any]:
    return {"success": False, "error": error}


async def phone_ids(database: TestDatabase) -> dict[str, int]:
    return {row["endpoint"]: row["phone_id"] for row in await database.rows("select endpoint, phone_id from phones")}


async def rotate(
    server: Server, phone: object, headers: dict[str, str] = ADMIN, given: Any = NO
) -> tuple[int, dict[str, Any]]:
    body = {} if given is NO else {"json": given}
    return await told(await server.client.post(f"/api/v1/phones/{phone}/rotate", headers=headers, **body))


async def password_of(server: Server, uid: str = AGENT_UID) -> str:
    return str((await (await server.registration(uid)).json())["extensionDetails"]["password"])


async def test_a_person_rotates_their_own_phone_and_both_passwords_are_valid_for_a_day(
    database: TestDatabase, server: Server
) -> None:
    phone = (await phone_ids(database))["12342"]
    status, body = await rotate(server, phone, await server.headers_of())
    until = body.pop("formerValidUntil")
    shown = {"id": phone, "extension": "12342", "endpoint": "12342"}
    assert (status, body) == (200, {"phone": shown, "success": True})
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert 86_300 < left.total_seconds() <= 86_400
    new, former = (await auths(database))["12342"]
    assert (new, former) == (await password_of(server), SIP_PASSWORD), "this process answers the new one at once"
    assert new not in str(body)


async def test_a_second_rotation_waits_for_the_end_of_the_overlap_unless_it_ends_it(
    database: TestDatabase, server: Server
) -> None:
    phone = (await phone_ids(database))["12342"]
    _, first = await rotate(server, phone)
    new, former = (await auths(database))["12342"]
    until = first["formerValidUntil"][:19]
    refused = failed(
        f"the SIP password before the last rotation is valid until {until}Z: rotate then, or without an overlap"
    )
    for given in (NO, {}, {"overlap": 60}, {"overlap": None}):
        assert await rotate(server, phone, given=given) == (409, refused)
    assert (await auths(database))["12342"] == [new, former]
    status, body = await rotate(server, phone, given={"overlap": 0})
    assert (status, body["formerValidUntil"]) == (200, None)
    (last,) = (await auths(database))["12342"]
    assert last == await password_of(server)
    assert last not in (new, former)


async def test_an_overlap_may_be_shorter_and_not_longer_than_the_setting(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(rotation_overlap=600))
    phone = (await phone_ids(database))["12342"]
    assert await rotate(server, phone, given={"overlap": 600.5}) == (
        400,
        failed("Match error: Expected a number from 0 to 600 in field overlap"),
    )
    status, body = await rotate(server, phone, given={"overlap": 1.5})
    left = datetime.fromisoformat(body["formerValidUntil"]) - datetime.now(UTC)
    assert status == 200
    assert left.total_seconds() <= 1.5


async def test_where_the_setting_allows_no_overlap_nothing_overlaps(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(rotation_overlap=0))
    phone = (await phone_ids(database))["12342"]
    assert (await rotate(server, phone))[1]["formerValidUntil"] is None
    assert SIP_PASSWORD not in (await auths(database))["12342"]


async def test_all_phones_but_ones_own_are_the_same_to_whoever_is_no_admin(
    database: TestDatabase, server: Server
) -> None:
    phones = await phone_ids(database)
    agent, without_phone = await server.headers_of(), await server.headers_of(HOLDER_ID, HOLDER_UID)
    refused = (403, failed("unauthorized"))
    for phone in (phones["12343"], 0, 10**17, 10**30, "-1", "1.0", "%D9%A1", "alice", "%00"):
        assert await rotate(server, phone, agent) == refused
    assert await rotate(server, phones["12342"], without_phone) == refused
    assert (await rotate(server, phones["12342"], {}))[0] == 401
    assert [len(found) for found in (await auths(database)).values()] == [1, 1]


async def test_an_admin_rotates_anybodys_phone_and_is_told_of_one_that_there_is_not(
    database: TestDatabase, server: Server
) -> None:
    phones = await phone_ids(database)
    assert (await rotate(server, phones["12343"]))[0] == 200
    for phone in (0, 10**17, 10**30, "alice", "1%20", "0x1", "01"):
        assert await rotate(server, phone) == (404, failed("Phone not found"))


async def test_a_further_phone_is_rotated_alone(database: TestDatabase, server: Server) -> None:
    await database.execute(FURTHER)
    phone = (await phone_ids(database))["12342.desk"]
    status, body = await rotate(server, phone, await server.headers_of(), {"overlap": 0})
    assert (status, body["phone"]) == (200, {"id": phone, "extension": "12342", "endpoint": "12342.desk"})
    found = await auths(database)
    assert found["12342"] == [SIP_PASSWORD]
    assert len(found["12342.desk"]) == 1


async def test_on_an_imported_call_server_the_refusal_says_where_it_is_changed(
    database: TestDatabase, start: Start
) -> None:
    phones = await import_alice(database)
    server = await start(both(database))
    own = await server.headers_of(HOLDER_ID, HOLDER_UID)
    for headers in (ADMIN, own):
        status, body = await rotate(server, phones["alice"], headers)
        assert status == 409
        assert body["error"] == (
            "Asterisk owns the endpoints of call server pbx: change the SIP password in its configuration, then run "
            "extension import --call-server pbx --from-ami USER --apply"
        )


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"overlap": -1}, "Expected a number of 0 or more in field overlap"),
        ({"overlap": "60"}, "Expected a number of 0 or more in field overlap"),
        ({"overlap": True}, "Expected a number of 0 or more in field overlap"),
        ({"overlap": [0]}, "Expected a number of 0 or more in field overlap"),
        ({"overlap": 1e300}, "Expected a number from 0 to 86400 in field overlap"),
        ([], "Expected object, got array"),
    ],
)
async def test_what_is_wrong_with_an_overlap_is_named(
    template: TestDatabase, shared: Server, given: Any, error: str
) -> None:
    phone = (await phone_ids(template))["12342"]
    assert await rotate(shared, phone, given=given) == (400, failed(f"Match error: {error}"))


async def test_each_rotation_is_audited_and_logged_without_a_password(
    database: TestDatabase, server: Server, logged: list[dict[str, object]]
) -> None:
    phone = (await phone_ids(database))["12342"]
    await rotate(server, phone, await server.headers_of(), {"overlap": 30})
    (row,) = await database.rows("select * from audit where action = 'phone.rotated'")
    assert (row["actor"], row["subject"], row["subject_id"]) == ("dnhai", "12342", phone)
    passwords = {password for found in (await auths(database)).values() for password in found}
    (line,) = [line for line in logged if line["event"] == "sip_password_rotated"]
    assert (line["phone"], line["endpoint"], line["by"], line["overlap"]) == (phone, "12342", 1795, 30.0)
    assert not [password for password in passwords if password in str(logged) or password in str(dict(row))]


async def test_a_long_poll_gets_the_new_password_when_it_is_made(database: TestDatabase, server: Server) -> None:
    """Also of an admin's rotation in psql: the tag of registration info covers the password."""
    agent = await server.headers_of()
    phone = (await phone_ids(database))["12342"]
    before = await server.registration(headers=agent)
    held = asyncio.create_task(
        server.client.get(before.url.path_qs + "&wait=20", headers={**agent, "If-None-Match": before.headers["ETag"]})
    )
    await rotate(server, phone)
    async with asyncio.timeout(5):
        after = await held
    assert after.status == 200
    assert (await after.json())["extensionDetails"]["password"] == await password_of(server) != SIP_PASSWORD
    held = asyncio.create_task(
        server.client.get(after.url.path_qs, headers={**agent, "If-None-Match": after.headers["ETag"]})
    )
    await database.execute("update phones set secret = 'typed-by-hand' where endpoint = '12342'")
    async with asyncio.timeout(5):
        assert (await (await held).json())["extensionDetails"]["password"] == "typed-by-hand"


async def test_setting_a_password_ends_the_present_and_the_former_one_at_once(
    database: TestDatabase, server: Server
) -> None:
    await rotate(server, (await phone_ids(database))["12342"])
    path = "/api/v1/connector.extension.update"
    for _ in range(2):
        change = {"extension": "12342", "secret": "9fK3mQ7xP0aZ-chosen"}
        assert (await server.client.post(path, headers=ADMIN, json=change)).status == 200
        assert (await auths(database))["12342"] == ["9fK3mQ7xP0aZ-chosen"]
    await rotate(server, (await phone_ids(database))["12342"])
    assert (await server.client.post(path, headers=ADMIN, json={"extension": "12342", "profile": "sip"})).status == 200
    assert len((await auths(database))["12342"]) == 2, "another change ends no overlap"
