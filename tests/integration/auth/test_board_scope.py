"""What a token with the scope `board` may do, over a real Asterisk: a closed list, whatever else there will be."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from local import asterisk_programs
from local.asterisk_programs import Programs
from service.credentials import token_hash
from service.db import tokens
from service.web import routes
from service.web.app_keys import ACTIVITY, DATABASE
from service.web.openapi.examples import EXAMPLES
from service.web.openapi.operation import Auth, Operation
from service.web.openapi.operation_description import operation_id
from tests.support.ami import Ami
from tests.support.boards import board_of
from tests.support.database import TestDatabase
from tests.support.events import events
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx
from tests.support.queues import IN_TIME, hang_up_all
from tests.support.raw import answer_on, line_to, request
from tests.support.repeated_polls import TARGETS
from tests.support.repeated_polls import told as read_everything
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, REGISTRATION, Server, Start

LET_IN = {
    ("GET", "/api/v1/presence"),
    ("GET", "/api/v1/presence/{extension}"),
    ("GET", "/api/v1/presence/stream"),
    ("POST", "/api/v1/presence/streamTicket"),
    ("GET", "/api/v1/queues"),
    ("GET", "/api/v1/me"),
    ("GET", "/api/v1/logout"),
    ("POST", "/api/v1/logout"),
}
OPEN_TO_ALL = {
    ("POST", "/api/v1/login"),
    ("POST", "/api/v1/board/tokens"),
    ("POST", "/auth"),
    ("POST", "/v1/auth"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/"),
    ("GET", "/favicon.ico"),
}
"""These read no token; what the login does with one is tested below."""
OPERATIONS = [each for family in routes.families(with_metrics=True).values() for each in family]
WITH_TOKEN = [each for each in OPERATIONS if each.auth is not Auth.NONE]
OUT_OF_SCOPE = "The scope of the token does not include this call [error-unauthorized]"
FROM_ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}
"""Without it a program on this machine may read metrics without a token."""
PATH_ARGUMENTS = {"extension": "12342", "user_id": "1795", "username": "dnhai", "id": "1"}


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: what is asked here is HTTP."""
    return asterisk_programs.find()


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


async def call(server: Server, operation: Operation, headers: dict[str, str]) -> tuple[int, str]:
    """Call an operation as its example does. A stream is not read."""
    example = EXAMPLES.get(operation_id(operation), {})
    arguments = dict(example.get("arguments", {}))
    path = re.sub(r"\{(\w+)\}", lambda found: arguments.pop(found[1], PATH_ARGUMENTS[found[1]]), operation.path)
    async with server.client.request(
        operation.method, path, params=arguments, json=example.get("body"), headers=headers | FROM_ELSEWHERE
    ) as answer:
        return answer.status, "" if answer.content_type == "text/event-stream" else await answer.text()


def test_the_list_of_calls_for_boards_is_closed() -> None:
    assert {(each.method, each.path) for each in OPERATIONS if each.board} == LET_IN
    assert {(each.method, each.path) for each in OPERATIONS if each.auth is Auth.NONE} == OPEN_TO_ALL


@pytest.mark.parametrize("operation", WITH_TOKEN, ids=name_of)
async def test_a_board_gets_its_calls_and_403_from_every_other(phoned: Server, operation: Operation) -> None:
    board = await board_of(phoned)
    status, text = await call(phoned, operation, board)
    if (operation.method, operation.path) in LET_IN:
        assert status == operation.status, text
        return
    assert status == 403, text
    body = json.loads(text)
    if operation.path.startswith("/api/v1"):
        assert body == {"success": False, "error": OUT_OF_SCOPE}
    elif operation.path.startswith(("/user", "/v1/user")):
        assert body["error_type"] == "permission_error"
    else:
        assert body == {"success": False, "error": "Only an admin may do this"}


async def test_another_persons_id_is_still_401(phoned: Server) -> None:
    board = {**await board_of(phoned), "X-User-Id": AGENT_UID}
    for path in ("/api/v1/presence", REGISTRATION, "/api/v1/queues"):
        assert (await phoned.client.get(path, params={"id": AGENT_UID}, headers=board)).status == 401


async def test_a_board_cannot_log_in_with_its_token(phoned: Server) -> None:
    board = await board_of(phoned)
    answer = await phoned.client.post("/api/v1/login", json={"resume": board["X-Auth-Token"]})
    assert (answer.status, (await answer.json())["error"]) == (403, OUT_OF_SCOPE)


async def test_a_board_of_somebody_with_a_phone_gets_no_registration_info_of_their_own(
    server: Server, database: TestDatabase
) -> None:
    """Their id is the caller's own, so no role is looked at."""
    await database.execute("update extensions set user_id = 1 where extension = '12342'")
    await read_everything(server)
    assert (await server.registration(ADMIN_UID)).status == 200
    board = await board_of(server)
    for _ in range(3):
        answer = await server.registration(ADMIN_UID, board)
        assert (answer.status, (await answer.json())["error"]) == (403, OUT_OF_SCOPE)


async def test_a_board_sees_what_its_admin_sees_of_states_and_nothing_secret(phoned: Server) -> None:
    board = await board_of(phoned)
    for path in ("/api/v1/presence", "/api/v1/presence/12342"):
        of_admin, of_board = [await (await phoned.client.get(path, headers=who)).json() for who in (ADMIN, board)]
        assert of_board["presence"] == of_admin["presence"]
    assert of_board["presence"].keys() == {
        *("extension", "userId", "username", "callServer", "state", "registered", "reachable", "roundTripMs"),
        *("inCall", "presence", "message", "live", "asOf"),
    }
    me = await (await phoned.client.get("/api/v1/me", headers=board)).json()
    assert (me["_id"], me["scope"], me["emails"]) == (ADMIN_UID, "board", [])
    assert "scope" not in await (await phoned.client.get("/api/v1/me", headers=ADMIN)).json()


async def test_a_board_opens_a_stream_by_a_ticket(phoned: Server) -> None:
    answer = await phoned.client.post("/api/v1/presence/streamTicket", headers=await board_of(phoned))
    ticket = (await answer.json())["ticket"]
    async with events(phoned.port, {}, f"?ticket={ticket}") as stream:
        assert await stream.block() == ["snapshot"]
        assert "12342" in stream.known


async def test_a_stream_of_a_board_does_not_tell_of_its_admins_new_sip_password(
    server: Server, database: TestDatabase
) -> None:
    await database.execute("update extensions set user_id = 1 where extension = '12342'")
    await read_everything(server)
    board = await board_of(server)
    async with events(server.port, board) as of_board, events(server.port, ADMIN) as of_admin:
        for stream in (of_board, of_admin):
            assert await stream.block() == ["snapshot"]
        await database.execute("update phones set secret = 'typed-by-hand' where endpoint = '12342'")
        async with asyncio.timeout(10):
            while "credentials" not in await of_admin.block():
                pass
        await database.execute("update extensions set user_id = null where extension = '12342'")
        seen: list[str] = []
        async with asyncio.timeout(10):
            while of_board.known["12342"]["userId"] is not None:
                seen += await of_board.block()
        assert "change" in seen
        assert "credentials" not in seen


@pytest.mark.parametrize("target", [*TARGETS, f"{REGISTRATION}?id={ADMIN_UID}"])
async def test_a_poll_that_was_answered_from_its_bytes_obeys_a_scope_that_is_changed_by_hand(
    server: Server, database: TestDatabase, target: str
) -> None:
    """The same bytes on the same connection, so that the poll is kept; then back to what it was."""
    await database.execute("update extensions set user_id = 1 where extension = '12343'")
    token, _ = await tokens.issue(server.app[DATABASE], 1, timedelta(hours=1), origin=PREPARED)
    await read_everything(server)
    data = request(target, f"X-Auth-Token: {token}", f"X-User-Id: {ADMIN_UID}")
    refused = 403 if target.startswith(REGISTRATION) else 200

    async def set_scope(scope: str) -> None:
        await database.execute("update tokens set scope = $2 where token_hash = $1", token_hash(token), scope)
        await read_everything(server)

    async with line_to(server.port) as (reader, writer):

        async def statuses() -> list[int]:
            found = []
            for _ in range(3):
                writer.write(data)
                found.append((await answer_on(reader)).status)
            return found

        assert await statuses() == [200] * 3
        await set_scope("board")
        assert await statuses() == [refused] * 3
        await set_scope("all")
        assert await statuses() == [200] * 3


async def test_a_scope_that_is_changed_by_hand_ends_the_stream_and_the_power(
    server: Server, database: TestDatabase
) -> None:
    headers = await server.headers_of(1, ADMIN_UID)
    async with events(server.port, headers) as stream:
        assert await stream.block() == ["snapshot"]
        await database.execute("update tokens set scope = 'board' where user_id = 1 and label = ''")
        async with asyncio.timeout(10):
            await stream.follow()
    await server.answers(403, headers)
    assert (await server.client.get("/user/1795", headers=headers)).status == 403
    assert (await server.client.get("/api/v1/presence", headers=headers)).status == 200


async def test_a_board_does_not_count_as_activity_of_its_admin(server: Server) -> None:
    board = await board_of(server)
    activity = server.app[ACTIVITY]
    await eventually(lambda: not activity.all_pending(), what="the admin's own requests are written")
    for _ in range(3):  # the handler, then the kept poll
        answer = await server.client.get("/api/v1/presence", headers=board)
        answer = await server.client.get("/api/v1/presence", headers={**board, "If-None-Match": answer.headers["ETag"]})
        assert answer.status == 304
    assert not activity.all_pending()


async def test_callers_are_not_named_to_a_board_even_of_a_member(stormy: Pbx, start: Start) -> None:
    """The admin holds the extension of a member, and sees the caller; so does a member by a token of their own."""
    for step in ("1,Set(CALLERID(num)=${EXTEN})", "2,Answer()", "3,Queue(demo)"):
        await asyncio.to_thread(stormy.asterisk.rx, f"dialplan add extension _X.,{step} into waiting")
    await stormy.database.execute("update extensions set user_id = 1 where extension = '12343'")
    server = await start(stormy.settings())
    board = await board_of(server)
    async with supervising(stormy) as ami:
        await _call_as(ami, "0301111")
        try:
            await eventually(lambda: _callers(server, ADMIN, ["0301111"]), IN_TIME, "the admin sees who calls")
            assert await _callers(server, board, [None])
            assert (await _streamed_queue(server, ADMIN))["callers"][0]["callerId"] == "0301111"
            assert (await _streamed_queue(server, board))["callers"][0]["callerId"] is None
            cursor = (await (await server.client.get("/api/v1/queues", headers=ADMIN)).json())["cursor"]
            answer = await server.client.get("/api/v1/queues", params={"since": cursor}, headers=board)
            assert (await answer.json())["full"] is True, "its admin's cursor is void for a board"
        finally:
            await hang_up_all(ami)


async def _callers(server: Server, who: dict[str, str], expected: list[str | None]) -> bool:
    answer = await server.client.get("/api/v1/queues", headers=who)
    if answer.status != 200:
        return False
    return [caller["callerId"] for queue in (await answer.json())["queues"] for caller in queue["callers"]] == expected


async def _streamed_queue(server: Server, who: dict[str, str]) -> dict[str, Any]:
    """The first event about a queue on a stream."""
    answer = await server.client.get("/api/v1/presence/stream", params={"queues": "demo"}, headers=who)
    async with asyncio.timeout(IN_TIME):
        while (await answer.content.readline()) != b"event: queue\n":
            pass
        while not (line := await answer.content.readline()).startswith(b"data: "):
            pass
    answer.close()
    queue: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return queue


async def _call_as(ami: Ami, number: str) -> None:
    answer = await ami.ask(
        "Originate", Channel=f"Local/{number}@waiting", Context="extensions", Exten="*43", Priority="1", Async="true"
    )
    assert answer["Response"] == "Success", answer
