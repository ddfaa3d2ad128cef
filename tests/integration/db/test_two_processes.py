"""What one process, or somebody in psql, does to tokens, people and extensions takes effect in every process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.db import phone_secrets
from service.web.app_keys import CHANGE_LISTENER, DATABASE, PRESENCE_FEED, SESSION_WATCH
from tests.support.database import TestDatabase
from tests.support.events import EventReader, events
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, REGISTRATION, Server, Start

PRESENCE = "/api/v1/presence"
SECOND_UID = "Sq7mWdXk3nPzT9cRb"


@dataclass
class Pair:
    database: TestDatabase
    one: Server
    other: Server

    @property
    def both(self) -> tuple[Server, Server]:
        return self.one, self.other

    async def barrier(self) -> None:
        """Both have read everything that was committed before."""
        for server in self.both:
            assert await server.app[CHANGE_LISTENER].refresh("user *", within=30)

    async def status(self, headers: dict[str, str], path: str = PRESENCE) -> set[int]:
        return {(await server.client.get(path, headers=headers)).status for server in self.both}

    async def secrets(self, headers: dict[str, str]) -> list[str]:
        answers = [await server.registration(headers=headers) for server in self.both]
        return [(await answer.json())["extensionDetails"]["password"] for answer in answers]


@pytest.fixture
async def pair(database: TestDatabase, start: Start) -> Pair:
    return Pair(database, await start(database.settings()), await start(database.settings()))


async def logged_out(pair: Pair, headers: dict[str, str]) -> None:
    assert (await pair.other.client.post("/api/v1/logout", headers=headers)).status == 200


def typed(statement: str) -> Callable[[Pair, dict[str, str]], Awaitable[None]]:
    """Typed into psql."""

    async def run(pair: Pair, _: dict[str, str]) -> None:
        await pair.database.execute(statement)

    return run


ENDS = {
    "the other process logged it out": logged_out,
    "it was deleted": typed("delete from tokens where user_id = 1795"),
    "all were truncated": typed("truncate tokens cascade"),
    "its time was cut short": typed("update tokens set expires_at = now() where user_id = 1795"),
    "its person was deactivated": typed("update users set active = false where user_id = 1795"),
    "its person was deleted": typed("delete from users where user_id = 1795"),
}


@pytest.mark.parametrize("end", [pytest.param(end, id=why) for why, end in ENDS.items()])
async def test_a_token_that_ends_is_refused_everywhere_and_its_long_answers_end(
    pair: Pair, end: Callable[[Pair, dict[str, str]], Awaitable[None]]
) -> None:
    headers = await pair.one.headers_of()
    assert await pair.status(headers) == {200}
    async with events(pair.one.port, headers) as first, events(pair.other.port, headers) as second:
        polls = [asyncio.create_task(long_poll(server, headers)) for server in pair.both]
        waits = [asyncio.create_task(long_registration(server, headers)) for server in pair.both]
        await eventually(lambda: [len(server.app[SESSION_WATCH]) for server in pair.both] == [3, 3])
        await end(pair, headers)
        await pair.barrier()
        assert await pair.status(headers) == {401}
        async with asyncio.timeout(10):
            await asyncio.gather(first.follow(), second.follow())
            assert await asyncio.gather(*polls) == [(401, None)] * 2
            assert set(await asyncio.gather(*waits)) <= {304, 401, 404}
    await eventually(lambda: [len(server.app[SESSION_WATCH]) for server in pair.both] == [0, 0])


async def test_without_a_barrier_it_takes_effect_within_two_seconds(pair: Pair) -> None:
    headers = await pair.one.headers_of()
    assert await pair.status(headers) == {200}
    await pair.database.execute("delete from tokens where user_id = 1795")

    async def refused() -> bool:
        return await pair.status(headers) == {401}

    await eventually(refused, 2)


@pytest.mark.parametrize("by_hand", [True, False], ids=["in psql", "by the other process"])
async def test_a_rotated_secret_is_answered_everywhere(pair: Pair, by_hand: bool) -> None:
    headers = await pair.one.headers_of()
    before = await pair.secrets(headers)
    if by_hand:
        await pair.database.execute("update extensions set secret = 'rotated-secret' where extension = '12342'")
    else:
        await phone_secrets.rotate(pair.other.app[DATABASE], "12342", origin=PREPARED, overlap=0)
    await pair.barrier()
    after = await pair.secrets(headers)
    assert after[0] == after[1] != before[0]


async def test_a_reassigned_extension_moves_everywhere_also_in_open_streams(pair: Pair) -> None:
    await pair.database.execute("update users set user_type = 'client' where user_id = 1795")
    await pair.barrier()
    headers = await pair.one.headers_of()
    async with events(pair.one.port, headers) as own, events(pair.other.port, query=f"?userId={AGENT_UID}") as asked:
        for stream in (own, asked):
            await stream.block()
            assert list(stream.known) == ["12342"]
        polls = [asyncio.create_task(long_poll(server, headers)) for server in pair.both]
        await eventually(lambda: [len(server.app[SESSION_WATCH]) for server in pair.both] == [2, 2])
        await pair.database.execute("update extensions set user_id = 1797 where extension = '12342'")
        await pair.barrier()
        assert await pair.status(headers, f"{REGISTRATION}?id={AGENT_UID}") == {404}
        async with asyncio.timeout(10):
            assert await asyncio.gather(*polls) == [(200, [])] * 2
            for stream in (own, asked):
                await until_known(stream, set())
        await pair.database.execute("update extensions set user_id = 1795 where extension = '12343'")
        await pair.barrier()
        async with asyncio.timeout(10):
            for stream in (own, asked):
                await until_known(stream, {"12343"})


async def test_a_role_that_was_taken_takes_its_streams_and_what_they_saw(pair: Pair) -> None:
    headers = await pair.one.headers_of()
    async with events(pair.one.port, headers) as stream:
        await stream.block()
        assert set(stream.known) == {"12342", "12343"}
        await pair.database.execute("update users set user_type = 'client' where user_id = 1795")
        async with asyncio.timeout(10):
            await stream.follow()
        last = stream.cursors[-1]
    async with events(pair.one.port, {**headers, "Last-Event-ID": last}) as again:
        assert await again.block() == ["snapshot"]
        assert set(again.known) == {"12342"}


async def test_an_admin_who_is_none_any_more_gets_no_secret_from_a_poll_that_waits(pair: Pair) -> None:
    headers = await pair.one.headers_of(1, ADMIN_UID)
    waiting = asyncio.create_task(long_registration(pair.one, headers))
    await eventually(lambda: len(pair.one.app[SESSION_WATCH]) == 1)
    connection = await pair.database.connect()
    async with connection.transaction():
        await connection.execute("update users set user_type = 'agent' where user_id = 1")
        await connection.execute("update extensions set secret = 'not-for-them' where extension = '12342'")
    await connection.close()
    async with asyncio.timeout(10):
        assert await waiting == 403


async def until_known(stream: EventReader, numbers: set[str]) -> None:
    while set(stream.known) != numbers:
        await stream.block()


async def long_poll(server: Server, headers: dict[str, str]) -> tuple[int, Any]:
    """The status of a long poll, and what has changed."""
    first = await (await server.client.get(PRESENCE, headers=headers)).json()
    assert first["cursor"].startswith(server.app[PRESENCE_FEED].cursor().split("-")[0])
    query = {"since": first["cursor"], "wait": "20"}
    answer = await server.client.get(PRESENCE, headers=headers, params=query)
    return answer.status, (await answer.json()).get("presence")


async def long_registration(server: Server, headers: dict[str, str]) -> int:
    tag = (await server.registration(headers=ADMIN)).headers["ETag"]
    query = {"id": AGENT_UID, "wait": "20"}
    answer = await server.client.get(REGISTRATION, headers={**headers, "If-None-Match": tag}, params=query)
    return answer.status
