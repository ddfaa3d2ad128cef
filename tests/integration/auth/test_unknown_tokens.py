"""A token that is not known here: perhaps another replica has just issued it, perhaps somebody guesses."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.credentials import token_hash
from service.db import read_barrier
from service.db.change_listener import CHANNEL, HEARTBEAT_INTERVAL, MIN_HEARTBEAT_INTERVAL
from service.web.app_keys import CHANGE_LISTENER, DIRECTORY
from tests.support.database import TestDatabase
from tests.support.deaf_pooler import pooling
from tests.support.eventually import eventually
from tests.support.server import ADMIN, ADMIN_UID, Server, Start

GUESSERS = 40
NO_TOKENS = ["x", "x" * 42, "x" * 44, "ü" * 43, "x" * 42 + "=", "x" * 42 + "\N{ARABIC-INDIC DIGIT THREE}", "." * 43]


@asynccontextmanager
async def notifications(database: TestDatabase) -> AsyncIterator[list[str]]:
    """What every replica says on the channel while the block lasts."""
    heard: list[str] = []
    connection = await database.connect()
    await connection.add_listener(CHANNEL, lambda *said: heard.append(str(said[-1])))
    try:
        yield heard
    finally:
        await connection.close()


@asynccontextmanager
async def guessing(server: Server) -> AsyncIterator[list[int]]:
    """Many who guess tokens as fast as they are answered, and what they were answered."""
    answered: list[int] = []

    async def guess() -> None:
        while True:
            headers = {"X-Auth-Token": secrets.token_urlsafe(32), "X-User-Id": ADMIN_UID}
            answered.append((await server.registration(headers=headers)).status)

    tasks = [asyncio.create_task(guess()) for _ in range(GUESSERS)]
    try:
        await eventually(lambda: len(answered) > GUESSERS, what="guesses are answered")
        yield answered
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_token_of_another_replica_works_at_once_however_many_guess(
    database: TestDatabase, start: Start
) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    async with notifications(database) as heard, guessing(other) as answered:
        began, before = time.monotonic(), len(heard)
        for _ in range(12):
            headers = await one.headers_of()
            assert (await other.registration(headers=headers)).status == 200
            assert (await other.client.post("/api/v1/login", json={"resume": headers["X-Auth-Token"]})).status == 200
        beats = [said for said in heard[before:] if said.startswith("heartbeat")]
        passed = time.monotonic() - began
    assert len(answered) > 2 * len(beats)
    by_themselves = 2 * passed / HEARTBEAT_INTERVAL
    assert len(beats) <= passed / MIN_HEARTBEAT_INTERVAL + by_themselves + 3
    assert set(answered) == {401}


async def test_what_can_be_no_token_has_nothing_proved(server: Server, database: TestDatabase) -> None:
    async with notifications(database) as heard:
        began = time.monotonic()
        for token in NO_TOKENS * 5:
            assert (await server.raw("/user/1", f"X-Auth-Token: {token}")).status == 401
            resumed = await server.client.post("/api/v1/login", json={"resume": token + "\ud800"})
            assert resumed.status == 401
        assert len(heard) <= (time.monotonic() - began) / HEARTBEAT_INTERVAL + 2


async def test_without_a_proof_an_unknown_token_is_a_503_in_time_and_so_is_one_too_many(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = {**ADMIN, "X-Auth-Token": "u" * 43}
    monkeypatch.setattr(read_barrier, "MAX_WAITING", 3)
    async with pooling(database.server.port) as pooler:
        url = database.settings().database_url.replace(f":{database.server.port}/", f":{pooler.port}/")
        server = await start(database.settings(database_url=url))
        assert (await server.registration(headers=unknown)).status == 401
        pooler.freeze_listeners()
        waiting = [asyncio.create_task(server.client.get("/user/1795", headers=unknown)) for _ in range(3)]
        await eventually(lambda: len(server.app[CHANGE_LISTENER]._barrier._waiting) == 3)
        one_more = await server.registration(headers=unknown)
        assert (one_more.status, one_more.headers["Retry-After"]) == (503, "2")
        assert (await server.registration()).status == 200, "who is known does not wait"
        async with asyncio.timeout(15):
            assert {(await answer).status for answer in waiting} == {503}
    assert len(server.app[CHANGE_LISTENER]._barrier._waiting) == 0


async def test_a_stale_directory_does_not_call_a_token_unknown_but_knows_which_have_ended(
    database: TestDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = server.app[DIRECTORY]
    valid, revoked, expired = [await server.headers_of() for _ in range(3)]
    for headers in (valid, revoked, expired):
        await server.answers(200, headers)
    await database.execute("delete from tokens where token_hash = $1", token_hash(revoked["X-Auth-Token"]))
    expire = "update tokens set expires_at = now() where token_hash = $1"
    await database.execute(expire, token_hash(expired["X-Auth-Token"]))
    for headers in (revoked, expired):
        await server.answers(401, headers)
    clock = directory._clock
    monkeypatch.setattr(directory, "_clock", lambda: clock() + 10)
    unknown = {**valid, "X-Auth-Token": "u" * 43}
    for headers, status in ((valid, 200), (unknown, 503), (revoked, 401), (expired, 401)):
        assert (await server.registration(headers=headers)).status == status
        assert (await server.client.get("/api/v1/presence/stream", headers=headers)).status == status
        resumed = await server.client.post("/api/v1/login", json={"resume": headers["X-Auth-Token"]})
        assert resumed.status == status
    for headers, status in ((unknown, 503), (revoked, 401), (expired, 401)):
        answer = await server.client.get("/user/1795", headers=headers)
        assert answer.status == status
    assert (await server.client.get("/api/v1/me", headers={**valid, "X-User-Id": ADMIN_UID})).status == 401


async def test_a_token_that_is_read_meanwhile_does_not_wait_for_a_proof(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While everything is read, as after a change of many rows, a proof takes as long as that."""
    monkeypatch.setattr(server.app[CHANGE_LISTENER]._barrier, "confirm", lambda _: None)
    assert (await server.registration(headers=await server.headers_of())).status == 200


async def test_a_token_of_a_person_who_is_not_known_yet_is_not_called_wrong(server: Server) -> None:
    """As when both were made elsewhere, and of many people who were made at once the reading takes a while."""
    headers = await server.headers_of()
    await server.answers(200, headers)
    server.app[DIRECTORY].put_person(1795, None)
    server.app[CHANGE_LISTENER]._hints.add("user 1795")  # it has come, and waits for its turn
    assert (await server.client.get("/api/v1/me", headers=headers)).status == 200
