"""Readers that stop reading: what they cost, that they slow nobody, and that none stays for ever."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from aiohttp import web

from service.web.app_keys import PRESENCE_FEED, SESSION_WATCH
from service.web.presence.sse import endpoint as streaming
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from tests.support.database import TestDatabase
from tests.support.events import EventReader, events
from tests.support.eventually import eventually
from tests.support.server import Server

EXTENSIONS = 2_000
ROUNDS = 30
SMALL = 4096
FULL = 0
"""Bytes that wait in the process, beyond which a writer has to wait too."""
MANY = "insert into extensions select 's' || n, 's', 'main' from generate_series(1, $1::int) n"


async def change_all(database: TestDatabase, server: Server, enabled: bool) -> None:
    """Every extension of the storm vanishes or comes; returns when the board has it."""
    await database.execute("update extensions set enabled = $1 where extension like 's%'", enabled)
    feed = server.app[PRESENCE_FEED]
    there = EXTENSIONS if enabled else 0
    await eventually(lambda: sum(item.extension.startswith("s") for item in feed.items()) == there)


def transports(server: Server) -> list[asyncio.Transport]:
    """The server's ends of all connections."""
    runner = server.client.server.runner
    assert isinstance(runner, web.BaseRunner)
    assert runner.server is not None
    return [line.transport for line in runner.server.connections if isinstance(line.transport, asyncio.Transport)]


def waiting_bytes(server: Server) -> int:
    """What the fullest connection has not got rid of."""
    return max((line.get_write_buffer_size() for line in transports(server)), default=0)


def boxes(server: Server) -> list[int]:
    """How many items wait in each stream's mailbox."""
    return [len(box) for box in server.app[PRESENCE_FEED].subscriptions]


async def until(reader: EventReader, server: Server) -> None:
    """Read until the reader knows what the board shows."""
    feed = server.app[PRESENCE_FEED]
    while reader.known.keys() != {item.extension for item in feed.items()}:
        await reader.block()


def knows(reader: EventReader, there: bool) -> bool:
    return ("s1" in reader.known) is there


async def fill(database: TestDatabase, server: Server) -> None:
    """Change until the kernel takes no more for a reader that does not read."""
    for number in range(100):
        if waiting_bytes(server) > FULL:
            return
        await change_all(database, server, number % 2 == 1)
    raise AssertionError("the kernel never had enough")


async def test_a_reader_that_stops_costs_little_slows_nobody_and_gets_the_newest(
    database: TestDatabase, server: Server
) -> None:
    await database.execute(MANY, EXTENSIONS)
    await change_all(database, server, True)
    async with events(server.port, receive_buffer=SMALL) as stopped, events(server.port) as quick:
        await quick.block()
        snapshot = len(str([*quick.known.values()]))
        following = asyncio.create_task(quick.follow())
        fullest = most = 0
        for number in range(ROUNDS):
            await change_all(database, server, number % 2 == 1)
            await eventually(partial(knows, quick, number % 2 == 1), 15, "the quick one has it")
            fullest, most = max(fullest, waiting_bytes(server)), max(most, *boxes(server))
        assert len(stopped.cursors) == 0
        assert fullest > FULL
        assert most <= EXTENSIONS + 2
        assert fullest < 2 * snapshot + (1 << 17)
        async with asyncio.timeout(20):
            await until(stopped, server)
        assert len(stopped.cursors) < ROUNDS
        assert stopped.known.keys() == quick.known.keys()
        following.cancel()


async def test_a_reader_that_never_reads_is_dropped(
    database: TestDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "WRITE_DEADLINE", 3.0)
    await database.execute(MANY, EXTENSIONS)
    await change_all(database, server, True)
    async with events(server.port, receive_buffer=SMALL):
        await fill(database, server)
        assert len(server.app[STREAM_SCHEDULER]) == 1
        await eventually(lambda: len(server.app[STREAM_SCHEDULER]) == 0, 15, "its stream ended")
        await eventually(lambda: not transports(server), 15, "its connection is gone")
    assert boxes(server) == []


async def test_a_token_that_ends_ends_the_stream_of_one_who_reads_nothing(
    database: TestDatabase, server: Server
) -> None:
    await database.execute(MANY, EXTENSIONS)
    await change_all(database, server, True)
    headers = await server.headers_of()
    async with events(server.port, headers, receive_buffer=SMALL):
        await fill(database, server)
        await database.execute("delete from tokens where user_id = 1795")
        await eventually(lambda: not transports(server), 15, "its connection is gone")
    assert (len(server.app[SESSION_WATCH]), len(server.app[STREAM_SCHEDULER])) == (0, 0)
