"""A code hands the board to a screen, once; and what ends codes and the tokens that they made."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from service.credentials import token_hash
from service.db import board_codes, tokens
from service.domain.board_codes import CODE_LIFETIME, MAX_BOARD_TOKENS, MAX_CODES, hash_board_code
from service.errors import NoSuchCode, NotFound
from service.web.app_keys import DATABASE
from service.web.auth.board_calls import REDEMPTIONS_PER_MINUTE
from tests.support.boards import CODES, TOKENS, board_of, new_code, redeem
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, ADMIN_UID, Server, Start, told

PRESENCE = "/api/v1/presence"
WRONG = (401, {"success": False, "error": "The code is not valid"})
ENDS_BOTH = {
    "the admin is deactivated": "update users set active = false where user_id = 1",
    "the admin is deleted": "delete from users where user_id = 1",
    "the admin has a new password": "update users set passwd = 'another hash' where user_id = 1",
}


async def status_of(server: Server, headers: dict[str, str]) -> int:
    return (await server.client.get(PRESENCE, headers=headers)).status


async def comes(server: Server, headers: dict[str, str], status: int) -> None:
    async def there() -> bool:
        return await status_of(server, headers) == status

    await eventually(there, what=f"presence answers {status}")


async def test_a_code_makes_a_token_once_and_says_until_when(database: TestDatabase, server: Server) -> None:
    answer = await server.client.post(CODES, headers=ADMIN)
    body = await answer.json()
    assert answer.status == 201
    remaining = datetime.fromisoformat(body["expiresAt"]) - datetime.now(UTC)
    assert timedelta(seconds=CODE_LIFETIME - 30) < remaining <= timedelta(seconds=CODE_LIFETIME)
    status, first = await told(await redeem(server, body["code"].lower().replace("-", " ")))
    assert (status, first.keys()) == (200, {"userId", "authToken", "expiresAt", "success"})
    assert first["userId"] == ADMIN_UID
    days = datetime.fromisoformat(first["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=89) < days <= timedelta(days=90)
    assert await status_of(server, {"X-Auth-Token": first["authToken"], "X-User-Id": ADMIN_UID}) == 200
    assert await told(await redeem(server, body["code"])) == WRONG
    (row,) = await database.rows("select scope, label, token_hash from tokens where scope <> 'all'")
    assert (row["scope"], row["label"], row["token_hash"]) == ("board", "board", token_hash(first["authToken"]))


async def test_of_two_that_redeem_at_the_same_time_on_two_replicas_one_gets_a_token(
    database: TestDatabase, start: Start
) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    for _ in range(5):
        code = await new_code(one)
        answers = await asyncio.gather(*(redeem(server, code) for server in (one, other, one, other)))
        assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    assert len(await database.rows("select from tokens where scope = 'board'")) == 5


async def test_a_token_is_good_on_another_replica_at_once(database: TestDatabase, start: Start) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    assert await status_of(other, await board_of(one)) == 200


@pytest.mark.parametrize("code", ["7K3M0-1QX2D", "", "x", "\N{SNOWMAN}" * 10, "7" * 5000, "' or 1=1 --"])
async def test_a_wrong_code_is_refused(server: Server, code: str) -> None:
    answer = await redeem(server, code)
    assert answer.status == (400 if code == "" else 401), await answer.text()


@pytest.mark.parametrize("code", [None, 1, ["7K3M0-1QX2D"], {"code": "7K3M0-1QX2D"}, True])
async def test_what_is_no_text_is_a_bad_request(server: Server, code: object) -> None:
    assert (await redeem(server, code)).status == 400


async def test_an_expired_code_makes_nothing_and_is_swept(database: TestDatabase, server: Server) -> None:
    code = await new_code(server)
    await database.execute("update board_codes set expires_at = now() - interval '1 second'")
    assert await told(await redeem(server, code)) == WRONG
    await new_code(server)
    assert len(await database.rows("select from board_codes")) == 1


async def test_only_admins_make_codes(server: Server) -> None:
    for user_id, uid in ((1795, "ByehQjC44FwMeiLbX"), (1797, "hT5rLwQ8vKz2fYj6N")):
        answer = await server.client.post(CODES, headers=await server.headers_of(user_id, uid))
        assert await told(answer) == (403, {"success": False, "error": "unauthorized"})
        with pytest.raises(NotFound):
            await board_codes.make(server.app[DATABASE], user_id, origin=PREPARED)
    assert (await server.client.post(CODES)).status == 401


async def test_guesses_are_throttled_per_source_and_a_right_code_waits_too(server: Server) -> None:
    code = await new_code(server)
    guesses = [await server.client.post(TOKENS, json={"code": "7K3M0-1QX2D"}) for _ in range(REDEMPTIONS_PER_MINUTE)]
    assert {answer.status for answer in guesses} == {401}
    late = await server.client.post(TOKENS, json={"code": code})
    assert late.status == 429
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert (await redeem(server, code)).status == 200, "it was not consumed"


async def test_a_code_is_stored_as_a_hash_alone(database: TestDatabase, server: Server) -> None:
    code = await new_code(server)
    (row,) = await database.rows("select * from board_codes")
    assert row["code_hash"] == hash_board_code(code)
    assert code not in str(dict(row))
    assert code.replace("-", "") not in str(dict(row))


async def test_an_admin_has_ten_codes_and_fifty_boards_at_most(database: TestDatabase, server: Server) -> None:
    codes = [await new_code(server) for _ in range(MAX_CODES + 1)]
    assert len(await database.rows("select from board_codes")) == MAX_CODES
    assert await told(await redeem(server, codes[0])) == WRONG
    first = await board_of(server)
    await database.execute(
        "insert into tokens (token_hash, user_id, expires_at, label, scope) "
        "select sha256(n::text::bytea), 1, now() + interval '1 day', 'board', 'board' from generate_series(1, $1) as n",
        MAX_BOARD_TOKENS - 1,
    )
    await board_of(server)
    await comes(server, first, 401)
    assert len(await database.rows("select from tokens where scope = 'board'")) == MAX_BOARD_TOKENS
    assert await status_of(server, ADMIN) == 200, "other tokens do not count"


@pytest.mark.parametrize("statement", [pytest.param(statement, id=why) for why, statement in ENDS_BOTH.items()])
async def test_what_ends_the_admins_tokens_ends_boards_and_codes(
    database: TestDatabase, server: Server, statement: str
) -> None:
    board, code = await board_of(server), await new_code(server)
    await database.execute(statement)
    await comes(server, board, 401)
    assert await told(await redeem(server, code)) == WRONG
    assert await database.rows("select from board_codes") == []


async def test_another_role_ends_codes_and_narrows_boards_as_it_does_other_tokens(
    database: TestDatabase, server: Server
) -> None:
    board, code = await board_of(server), await new_code(server)
    await database.execute("update users set user_type = 'client' where user_id = 1")
    assert await told(await redeem(server, code)) == WRONG

    async def own_alone() -> bool:
        body = await (await server.client.get(PRESENCE, headers=board)).json()
        found: list[object] = body["presence"]
        return found == []

    await eventually(own_alone, what="the board sees what a client sees")
    assert (await server.client.get("/api/v1/queues", headers=board)).status == 403


async def test_a_board_ends_by_its_logout_and_by_revocation_of_its_hash(server: Server) -> None:
    one, other = await board_of(server), await board_of(server)
    assert (await server.client.post("/api/v1/logout", headers=one)).status == 200
    assert [await status_of(server, headers) for headers in (one, other)] == [401, 200]
    listed = [row for row in await tokens.list_all(server.app[DATABASE]) if row["scope"] == "board"]
    assert [row["hash"] for row in listed] == [token_hash(other["X-Auth-Token"]).hex()]
    await tokens.revoke_by_prefix(server.app[DATABASE], listed[0]["hash"][:16], origin=PREPARED)
    await comes(server, other, 401)


async def test_a_demoted_or_inactive_admin_whose_code_is_left_redeems_nothing(
    database: TestDatabase, server: Server
) -> None:
    """As if the trigger had missed it."""
    code = await new_code(server)
    await database.execute("alter table users disable trigger end_board_codes")
    await database.execute("update users set user_type = 'agent' where user_id = 1")
    with pytest.raises(NoSuchCode):
        await board_codes.redeem(server.app[DATABASE], hash_board_code(code) or b"", timedelta(days=1), origin=PREPARED)


async def test_the_trail_has_codes_that_were_made_redeemed_and_refused(database: TestDatabase, server: Server) -> None:
    code = await new_code(server)
    assert (await redeem(server, code)).status == 200
    assert (await redeem(server, code)).status == 401

    async def rows() -> list[tuple[str, str, str | None]]:
        found = await database.rows("select * from audit where action ~ '^(board|token[.]refused)' order by audit_id")
        assert code not in str([dict(row) for row in found])
        return [(row["action"], row["actor_kind"], row["subject"]) for row in found]

    expected = [
        ("board.code", "person", "admin"),
        ("board.token", "unknown", "admin"),
        ("token.refused", "unknown", None),
    ]

    async def complete() -> bool:
        return await rows() == expected

    await eventually(complete, what="the refusal has its row")


async def test_codes_that_are_made_redeemed_and_ended_at_once_wait_for_each_other(
    database: TestDatabase, server: Server
) -> None:
    """None of them fails, as one would if they locked in different orders."""
    database_ = server.app[DATABASE]

    async def made_and_redeemed() -> None:
        made = await board_codes.make(database_, 1, origin=PREPARED)
        await asyncio.gather(
            *(_try_to_redeem(server, made.code) for _ in "ab"),
            database.execute("update users set passwd = passwd || 'x' where user_id = 1"),
        )

    await asyncio.gather(*(made_and_redeemed() for _ in range(10)))


async def _try_to_redeem(server: Server, code: str) -> None:
    code_hash = hash_board_code(code) or b""
    with contextlib.suppress(NoSuchCode):
        await board_codes.redeem(server.app[DATABASE], code_hash, timedelta(days=1), origin=PREPARED)
