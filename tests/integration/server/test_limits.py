"""A token may ask much, and not without end."""

from __future__ import annotations

from tests.support.database import TestDatabase
from tests.support.server import ADMIN, Server, Start, told


async def few(database: TestDatabase, start: Start) -> Server:
    return await start(database.settings(requests_per_minute=3))


async def test_a_token_that_asks_too_much_waits_and_others_do_not(database: TestDatabase, start: Start) -> None:
    server = await few(database, start)
    agent = await server.headers_of()
    answers = [await server.registration() for _ in range(4)]
    # The window is a fixed minute: all four may fall into two of them, then the next ones do not.
    answers += [await server.registration() for _ in range(3)]
    refused = next(answer for answer in answers if answer.status == 429)
    seconds = int(refused.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert await told(refused) == (
        429,
        {
            "success": False,
            "error": "Error, too many requests. Please slow down. "
            f"You must wait {seconds} seconds before trying this endpoint again. [error-too-many-requests]",
        },
    )
    assert (await server.registration(headers=agent)).status == 200


async def test_the_limit_comes_after_the_token_and_before_the_arguments(database: TestDatabase, start: Start) -> None:
    server = await few(database, start)
    for _ in range(7):
        last = await server.client.get("/api/v1/connector.extension.getRegistrationInfoByUserId", headers=ADMIN)
    assert last.status == 429
    assert (await server.registration(headers={**ADMIN, "X-Auth-Token": "x" * 43})).status == 401


async def test_the_user_family_has_the_limit_in_its_own_envelope(database: TestDatabase, start: Start) -> None:
    server = await few(database, start)
    for _ in range(7):
        last = await server.client.get("/user/1795", headers=ADMIN)
    status, body = await told(last)
    assert (status, body["error_type"], body["success"]) == (429, "too_many_requests", False)
