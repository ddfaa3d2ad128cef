"""Connections on which it is unknown where a request ends: aiohttp's for good, with the same bounds as others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from service.web.app_keys import SESSION_WATCH
from service.web.server import connection_bounds, write_backlog
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.write_backlog import WRITE_BACKLOG
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to, request, rest_of
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
CHUNKED = request("/livez", "Transfer-Encoding: chunked") + b"0\r\n\r\n"
HELD = request(f"{POLL}&wait=1", *LINES, "If-None-Match: *")


@contextlib.asynccontextmanager
async def lost_line_to(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose first request has a body in chunks."""
    async with line_to(server.port) as (reader, writer):
        writer.write(CHUNKED)
        assert (await answer_on(reader)).status == 200
        yield reader, writer


@pytest.fixture
async def hasty(database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A service that waits less long than it would."""
    monkeypatch.setattr(connection_bounds, "HEAD_DEADLINE", 0.5)
    monkeypatch.setattr(write_backlog, "WRITE_DEADLINE", 1.0)
    return await start(database.settings(requests_per_minute=1_000_000))


async def test_polls_are_answered(shared: Server) -> None:
    async with lost_line_to(shared) as (reader, writer):
        for data in (request(POLL, *LINES), CHUNKED, request(POLL, *LINES)):
            writer.write(data)
            assert (await answer_on(reader)).status == 200


async def test_a_body_in_pieces_is_no_request(shared: Server) -> None:
    """What looks like a poll is the body of the request before it."""
    poll = request(POLL, *LINES)
    async with line_to(shared.port) as (reader, writer):
        writer.write(request("/livez", "Transfer-Encoding: chunked") + b"%x\r\n" % len(poll))
        assert (await answer_on(reader)).json == {"status": "alive"}  # at once: it needs no body
        writer.write(poll)
        with pytest.raises(TimeoutError):
            await answer_on(reader, within=0.1)
        writer.write(b"\r\n0\r\n\r\n" + request("/nowhere", "Connection: close"))
        assert (await answer_on(reader)).status == 404
        assert await rest_of(reader) == b""


async def test_a_request_that_drips_is_a_408(hasty: Server) -> None:
    async with lost_line_to(hasty) as (reader, writer):
        writer.write(b"GET ")
        assert (await answer_on(reader)).status == 408
        assert await reader.read() == b""


async def test_a_head_without_end_is_a_431(shared: Server) -> None:
    async with lost_line_to(shared) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 7000) for n in range(10)))
        assert (await answer_on(reader)).status == 431


async def test_a_head_that_is_large_but_whole_is_answered(shared: Server) -> None:
    async with lost_line_to(shared) as (reader, writer):
        writer.write(request("/livez", *(f"X-{number}: {'y' * 7000}" for number in range(10))))
        assert (await answer_on(reader)).status == 200


async def test_a_request_that_takes_longer_than_a_head_may_is_answered(hasty: Server) -> None:
    async with lost_line_to(hasty) as (reader, writer):
        for _ in range(2):
            writer.write(HELD)
            assert (await answer_on(reader)).status == 304


@pytest.mark.parametrize("count", [1, 40])
async def test_a_client_that_says_nothing_more_gets_all_its_answers(shared: Server, count: int) -> None:
    async with lost_line_to(shared) as (reader, writer):
        writer.write(request(POLL, *LINES) * count)
        writer.write_eof()
        assert [(await answer_on(reader)).status for _ in range(count)] == [200] * count
        assert await rest_of(reader) == b""


async def test_a_long_poll_ends_when_its_client_says_nothing_more(shared: Server) -> None:
    async with lost_line_to(shared) as (reader, writer):
        writer.write(request(f"{POLL}&wait=20", *LINES, "If-None-Match: *"))
        await eventually(lambda: len(shared.app[SESSION_WATCH]) == 1, what="the long poll is held")
        writer.write_eof()
        assert (await answer_on(reader, within=10)).status == 304


async def test_what_comes_behind_a_request_that_takes_long_is_not_taken_without_end(shared: Server) -> None:
    async with lost_line_to(shared) as (reader, writer):
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(HELD)
        sent, behind = 0, request("/livez", "X-Fill: " + "y" * 4000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.9):
                while sent < 10_000:
                    writer.write(behind)
                    sent += 1
                    await writer.drain()
        assert sent < 10_000
        assert (await answer_on(reader)).status == 304
        writer.write_eof()
        for _ in range(sent):
            assert (await answer_on(reader)).status == 200


async def test_whoever_does_not_read_an_answer_is_let_go(hasty: Server) -> None:
    backlog = hasty.app[WRITE_BACKLOG]
    async with lost_line_to(hasty) as (_, writer):
        writer.write(request("/openapi.json") * 200)  # more than the kernel holds
        await eventually(lambda: backlog.aborted == 1, 10, "it was let go")
    assert backlog.bytes == 0


async def test_a_connection_at_rest_makes_room_and_one_that_is_busy_does_not(hasty: Server) -> None:
    async with lost_line_to(hasty) as (busy, asks), lost_line_to(hasty) as (idle, asked):
        asked.write(request(POLL, *LINES))
        assert (await answer_on(idle)).status == 200
        asks.write(HELD)
        await eventually(lambda: len(hasty.app[SESSION_WATCH]) == 1, what="the long poll is held")
        assert hasty.app[CONNECTION_LIMIT].make_room()
        assert not hasty.app[CONNECTION_LIMIT].make_room()
        assert await idle.read() == b""
        assert (await answer_on(busy)).status == 304
