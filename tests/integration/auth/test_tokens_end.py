"""A token that has ended is refused as soon as PostgreSQL tells of it, in both families, however it ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import bcrypt
import pytest

from service.credentials import token_hash
from service.db import tokens
from service.db.pool import Database
from service.errors import NotFound
from service.web.app_keys import DATABASE
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from tests.support.database import TestDatabase
from tests.support.events import events
from tests.support.origins import PREPARED
from tests.support.server import Server, Start

HOUR = timedelta(hours=1)
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


async def test_one_login_too_many_ends_the_oldest_token_and_what_hangs_on_it(
    database: TestDatabase, start: Start
) -> None:
    """Of logins only: what an operator issued is neither counted nor ended. On two replicas, in both families."""
    hashed = bcrypt.hashpw(b"password", bcrypt.gensalt(4)).decode()
    await database.execute("update users set passwd = $1 where user_id = 1795", hashed)
    settings = database.settings(tokens_per_person=2)
    one, other = await start(settings), await start(settings)
    issued = await one.headers_of()
    first = await one.login("dnhai", "password")
    async with events(one.port, first) as stream:
        second = await other.login("dnhai", "password")
        assert len(one.app[STREAM_SCHEDULER]) == 1
        answer = await other.client.post("/auth", json={"email_or_name": "dnhai", "password": "password"})
        third = {**second, "X-Auth-Token": (await answer.json())["payload"]["token"]}
        async with asyncio.timeout(10):
            await stream.follow()
    for server in (one, other):
        await server.answers(401, first)
        for headers in (second, third, issued):
            await server.answers(200, headers)


async def test_many_logins_at_once_on_two_replicas_leave_exactly_as_many_tokens_as_are_allowed(
    database: TestDatabase, server: Server
) -> None:
    async with Database.of(database.settings()) as other:
        places = [server.app[DATABASE], other] * 15
        issuing = (tokens.issue_for_login(place, 1795, HOUR, "login", 3, origin=PREPARED) for place in places)
        await asyncio.gather(*issuing)
    assert len(await database.rows("select from tokens where user_id = 1795")) == 3
    newest = [
        (await tokens.issue_for_login(server.app[DATABASE], 1795, HOUR, "auth", 2, origin=PREPARED))[0] for _ in "ab"
    ]
    left = await database.rows("select token_hash from tokens where user_id = 1795")
    assert {row["token_hash"] for row in left} == {token_hash(token) for token in newest}


async def test_expired_tokens_do_not_count_and_a_deactivated_person_gets_none(
    database: TestDatabase, server: Server
) -> None:
    async def issue() -> str:
        return (await tokens.issue_for_login(server.app[DATABASE], 1795, HOUR, "login", 2, origin=PREPARED))[0]

    await issue()
    await issue()
    await database.execute("update tokens set expires_at = now() - interval '1 s' where user_id = 1795")
    await issue()
    assert len(await database.rows("select from tokens where user_id = 1795")) == 3
    await database.execute("update users set active = false where user_id = 1795")
    with pytest.raises(NotFound):
        await issue()
