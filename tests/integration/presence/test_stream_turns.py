"""Open streams that share a process: who has nothing to say, who is gone, and who gets into trouble."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.db import extensions
from service.domain.presence.scope import Scope
from service.domain.presence.subscription import Subscription
from service.web.app_keys import DATABASE, PRESENCE_FEED, SESSION_WATCH
from service.web.presence.sse import scheduler
from service.web.presence.sse.events import StreamEvents
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from tests.support.database import TestDatabase
from tests.support.events import EventReader, events
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.raw import line_to, request
from tests.support.server import ADMIN, REGISTRATION, Server

LINES = [f"{name}: {value}" for name, value in ADMIN.items()]


async def add(server: Server, extension: str) -> None:
    await extensions.create(server.app[DATABASE], extension, "main", "sip", origin=PREPARED)
    await eventually(lambda: server.app[PRESENCE_FEED].get(extension))


async def until_known(reader: EventReader, extension: str) -> None:
    async with asyncio.timeout(10):
        while extension not in reader.known:
            await reader.block()


async def test_every_silent_stream_says_that_it_is_alive(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "HEARTBEAT_AFTER", 0.2)
    monkeypatch.setattr(scheduler, "HEARTBEAT_CHECK_INTERVAL", 0.1)
    many = scheduler.STREAMS_PER_TURN + 5
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        readers = [await stack.enter_async_context(events(server.port)) for _ in range(many)]
        for reader in readers:
            assert await reader.block() == ["snapshot"]
        for reader in readers:
            assert await reader.block() == []
            assert await reader.block() == []
            assert not reader.ended


async def test_a_stream_of_http_1_0_is_not_chunked(server: Server) -> None:
    async with line_to(server.port) as (reader, writer):
        writer.write(request("/api/v1/presence/stream", *LINES).replace(b"HTTP/1.1", b"HTTP/1.0"))
        async with asyncio.timeout(10):
            assert b"chunked" not in await reader.readuntil(b"\r\n\r\n")
            assert (await reader.readuntil(b"\n\n")).startswith(b"retry: ")
            await add(server, "500")
            assert (await reader.readuntil(b"\n\n")).startswith(b"event: change\nid: ")


async def test_what_a_client_waits_for_ends_when_it_goes_away(server: Server) -> None:
    tag = (await server.registration()).headers["ETag"]
    long = (
        request("/api/v1/presence/stream", *LINES),
        request(f"/api/v1/presence?wait=30&since={server.app[PRESENCE_FEED].cursor()}", *LINES),
        request(f"{REGISTRATION}?wait=30&id=ByehQjC44FwMeiLbX", *LINES, f"If-None-Match: {tag}"),
    )
    async with AsyncExitStack() as stack:
        for data in long:
            _, writer = await stack.enter_async_context(line_to(server.port))
            writer.write(data)
        await eventually(lambda: len(server.app[SESSION_WATCH]) == len(long))
        assert len(server.app[STREAM_SCHEDULER]) == 1
    await eventually(lambda: len(server.app[SESSION_WATCH]) == 0, 15, "nothing is held for those who are gone")
    assert len(server.app[STREAM_SCHEDULER]) == 0
    assert len(server.app[PRESENCE_FEED].subscriptions) == 0


async def test_a_stream_in_trouble_ends_alone(
    database: TestDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = StreamEvents.take_news
    troubled: list[Subscription] = []

    def trouble(self: StreamEvents, scope: Scope, subscription: Subscription, queues: str) -> bytes:
        if not troubled:
            troubled.append(subscription)
        if subscription in troubled:
            raise RuntimeError("a bug")
        return news(self, scope, subscription, queues)

    monkeypatch.setattr(StreamEvents, "take_news", trouble)
    async with events(server.port) as one, events(server.port) as other:
        for reader in (one, other):
            await reader.block()
        await add(server, "500")
        await eventually(lambda: len(server.app[STREAM_SCHEDULER]) == 1, what="one has ended")
        results = await asyncio.gather(*(until_known(reader, "500") for reader in (one, other)), return_exceptions=True)
        assert results.count(None) == 1
        await add(server, "501")
        await until_known((one, other)[results.index(None)], "501")
