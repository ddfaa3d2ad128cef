"""Streams and long-polls have a bound for each person, where the oldest ends, and one in all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from service.web.app_keys import LONG_POLL_QUOTA, STREAM_QUOTA
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from tests.support.database import TestDatabase
from tests.support.events import events
from tests.support.eventually import eventually
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

BOUNDS = {"streams_per_person": 2, "long_polls_per_person": 2, "held_answers": 4}
TOO_MANY = {"success": False, "error": "Service unavailable"}


async def test_one_stream_too_many_ends_the_persons_oldest_and_nobody_elses(
    database: TestDatabase, start: Start
) -> None:
    server = await start(database.settings(**BOUNDS))
    agent = await server.headers_of()
    async with AsyncExitStack() as stack:
        others = await stack.enter_async_context(events(server.port, agent))
        mine = [await stack.enter_async_context(events(server.port)) for _ in range(4)]
        async with asyncio.timeout(10):
            await asyncio.gather(mine[0].follow(), mine[1].follow())
        await eventually(lambda: len(server.app[STREAM_SCHEDULER]) == 3)
        await database.execute("update extensions set enabled = false where extension = '12343'")
        async with asyncio.timeout(10):
            for reader in (others, mine[2], mine[3]):
                while "12343" in reader.known or not reader.known:
                    await reader.block()
    await eventually(lambda: len(server.app[STREAM_QUOTA]) == 0, 15)
    assert server.app[STREAM_QUOTA].count(1) == 0


async def test_a_stream_that_nobody_reads_any_more_does_not_lock_its_person_out(
    database: TestDatabase, start: Start
) -> None:
    """A phone that changes networks leaves its streams half open: no end of them arrives here."""
    server = await start(database.settings(**BOUNDS))
    await database.execute("insert into extensions select 's' || n, 's', 'main' from generate_series(1, 2000) n")
    async with AsyncExitStack() as stack:
        for _ in range(6):
            reader = await stack.enter_async_context(events(server.port, receive_buffer=4096))
            assert reader.head.startswith("HTTP/1.1 200 ")
        await eventually(
            lambda: len(server.app[STREAM_SCHEDULER]) == 2, 15, "the oldest four are gone, unread as they were"
        )


async def test_beyond_the_bound_in_all_new_ones_are_refused_and_told_when_to_come_again(
    database: TestDatabase, start: Start
) -> None:
    server = await start(database.settings(**BOUNDS | {"held_answers": 2}))
    agent = await server.headers_of()
    async with events(server.port), events(server.port):
        answer = await server.client.get("/api/v1/presence/stream", headers=agent)
        assert (answer.status, await answer.json(), answer.headers["Retry-After"]) == (503, TOO_MANY, "2")
        assert len(server.app[STREAM_SCHEDULER]) == 2

    cursor = (await (await server.client.get("/api/v1/presence", headers=ADMIN)).json())["cursor"]
    waiting = [asyncio.create_task(poll(server, ADMIN, since=cursor)) for _ in range(2)]
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 2)
    assert await poll(server, agent, since=cursor) == (503, TOO_MANY)
    for task in waiting:
        task.cancel()


async def poll(server: Server, headers: dict[str, str], **query: str) -> tuple[int, Any]:
    answer = await server.client.get("/api/v1/presence", params={"wait": "30", **query}, headers=headers)
    return answer.status, await answer.json()


async def test_one_long_poll_too_many_answers_the_persons_oldest(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(**BOUNDS))
    agent, held = await server.headers_of(), server.app[LONG_POLL_QUOTA]
    cursor = (await (await server.client.get("/api/v1/presence", headers=ADMIN)).json())["cursor"]
    others = asyncio.create_task(poll(server, agent, since=cursor))
    await eventually(lambda: held.count(1795) == 1)
    mine = [asyncio.create_task(poll(server, ADMIN, since=cursor))]
    await eventually(lambda: held.count(1) == 1)
    etag = (await server.registration(AGENT_UID)).headers["ETag"]
    query = {"id": AGENT_UID, "wait": "30"}
    info = asyncio.create_task(server.client.get(REGISTRATION, params=query, headers={**ADMIN, "If-None-Match": etag}))
    await eventually(lambda: held.count(1) == 2)
    mine.append(asyncio.create_task(poll(server, ADMIN, since=cursor)))
    async with asyncio.timeout(10):
        assert await mine[0] == (200, {"success": True, "full": False, "cursor": cursor, "presence": []})
    mine.append(asyncio.create_task(poll(server, ADMIN, since=cursor)))
    async with asyncio.timeout(10):
        assert (await info).status == 304
    assert not any(task.done() for task in (others, *mine[1:]))
    await database.execute("update extensions set enabled = false where extension = '12343'")
    async with asyncio.timeout(10):
        for task in (others, *mine[1:]):
            status, body = await task
            assert (status, [item["extension"] for item in body["presence"]]) == (200, ["12343"])
    await eventually(lambda: len(held) == 0, 15)
