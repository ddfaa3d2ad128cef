"""A token that has ended is refused as soon as PostgreSQL tells of it, in both families, however it ended."""

from __future__ import annotations

import pytest

from tests.support.database import TestDatabase
from tests.support.server import Server

ENDS = {
    "it expired": "update tokens set expires_at = now() - interval '1 second' where user_id = 1",
    "it was revoked": "delete from tokens where user_id = 1",
    "its person was deactivated": "update users set active = false where user_id = 1",
    "its person was deleted": "delete from users where user_id = 1",
    "its person has another id": "update users set uid = '22222222222222222' where user_id = 1",
}


@pytest.mark.parametrize("statement", [pytest.param(statement, id=why) for why, statement in ENDS.items()])
async def test_a_token_ends(database: TestDatabase, server: Server, statement: str) -> None:
    headers = await server.headers_of(1, "6vHSSqdBHdm2R4gfi")
    assert (await server.registration(headers=headers)).status == 200
    assert (await server.client.get("/user/1795", headers=headers)).status == 200
    await database.execute(statement)
    await server.answers(401, headers)
    if "uid" not in statement:  # the user family asks for the token only
        answer = await server.client.get("/user/1795", headers=headers)
        assert (answer.status, (await answer.json())["error"]["code"]) == (401, 120)
        resumed = await server.client.post("/api/v1/login", json={"resume": headers["X-Auth-Token"]})
        assert resumed.status == 401


async def test_a_token_from_before_a_deactivation_stays_ended_after_it(database: TestDatabase, server: Server) -> None:
    headers = await server.headers_of()
    await database.execute("update users set active = false where user_id = 1795")
    await database.execute("update users set active = true where user_id = 1795")
    await server.answers(401, headers)


async def test_a_demoted_admin_is_no_admin_any_more(database: TestDatabase, server: Server) -> None:
    headers = await server.headers_of(1, "6vHSSqdBHdm2R4gfi")
    await database.execute("update users set user_type = 'agent' where user_id = 1")
    await server.answers(403, headers)
    assert (await server.client.get("/user/1795", headers=headers)).status == 403


async def test_an_unassigned_extension_is_not_answered_any_more(database: TestDatabase, server: Server) -> None:
    headers = await server.headers_of()
    await database.execute("update extensions set user_id = null where extension = '12342'")
    await server.answers(404, headers)
    assert "extension" not in await (await server.client.get("/api/v1/me", headers=headers)).json()


async def test_a_disabled_extension_is_not_answered(database: TestDatabase, server: Server) -> None:
    await database.execute("update extensions set enabled = false where extension = '12342'")
    await server.answers(404)


async def test_tokens_that_expired_are_removed_when_others_are_made(database: TestDatabase, server: Server) -> None:
    await server.headers_of()
    await database.execute("update tokens set expires_at = now() - interval '2 days' where user_id = 1795")
    await server.headers_of(1796, "Sq7mWdXk3nPzT9cRb")
    assert await database.rows("select from tokens where user_id = 1795") == []
