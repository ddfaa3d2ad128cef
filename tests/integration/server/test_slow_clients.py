"""Clients that are slow, or stop in the middle: of asking, of reading, of everything; and answers that break off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.web.app_keys import PRESENCE_FEED, SESSION_WATCH
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from service.web.server import connection_bounds, write_backlog
from service.web.server.write_backlog import WRITE_BACKLOG
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to, request, rest_of
from tests.support.served import served
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
STREAM = "/api/v1/presence/stream"
MANY = "insert into extensions select 's' || n, 's', 'main' from generate_series(1, $1::int) n"
JSON = "Content-Type: application/json"
BAD_LOGIN = json.dumps({"user": "dnhai", "password": "wrong password"}).encode()


@contextlib.asynccontextmanager
async def deaf(port: int) -> AsyncIterator[asyncio.StreamWriter]:
    """A client that reads nothing; and the kernel, which could hold megabytes for it, holds a few KB."""
    line = socket.socket()
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=line, limit=1)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    try:
        yield writer
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("asked", "statuses"),
    [
        ([request(POLL, *LINES)], [200]),  # at once
        ([request("/user/1795", *LINES)], [200]),  # by a task
        ([request("/nowhere")], [404]),
        ([request(POLL, *LINES), request("/user/1795", *LINES), request(POLL)], [200, 200, 401]),
        ([request("/livez")] * 40, [200] * 40),  # more than aiohttp takes at once
        ([request("/api/v1/login", JSON, method="POST", body=BAD_LOGIN)], [401]),
        ([request("/user/1795", *LINES, "Connection: close")], [200]),
    ],
)
async def test_a_client_that_says_nothing_more_gets_all_its_answers(
    shared: Server, asked: list[bytes], statuses: list[int]
) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(b"".join(asked))
        writer.write_eof()
        assert [(await answer_on(reader)).status for _ in statuses] == statuses
        assert await rest_of(reader) == b""


async def test_a_client_that_says_nothing_more_after_a_while_gets_its_answer(shared: Server) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(POLL, *LINES))
        etag = (await answer_on(reader)).headers["etag"]
        writer.write(request(f"{POLL}&wait=20", *LINES, f"If-None-Match: {etag}"))
        await eventually(lambda: len(shared.app[SESSION_WATCH]) == 1, what="the long-poll is held")
        writer.write_eof()
        assert (await answer_on(reader, within=10)).status == 304  # nothing is waited for any more
        assert await rest_of(reader) == b""
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(f"{POLL}&wait=20", *LINES, f"If-None-Match: {etag}"))
        writer.write_eof()  # at the same moment
        assert (await answer_on(reader, within=10)).status == 304
    assert len(shared.app[SESSION_WATCH]) == 0


async def test_a_stream_whose_reader_says_nothing_more_ends_as_a_whole(shared: Server) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(STREAM, *LINES))
        await eventually(lambda: len(shared.app[STREAM_SCHEDULER]) == 1, what="it is open")
        writer.write_eof()
        assert (await rest_of(reader)).endswith(b"\r\n0\r\n\r\n")
    assert len(shared.app[STREAM_SCHEDULER]) == 0


async def test_a_body_that_breaks_off_ends_the_connection(shared: Server) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request("/api/v1/login", JSON, "Content-Length: 100", method="POST") + b"{")
        writer.write_eof()
        assert await rest_of(reader) == b""  # not a 408 after the deadline of a body


@pytest.fixture
async def hasty(database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A service that waits less long than it would."""
    monkeypatch.setattr(connection_bounds, "HEAD_DEADLINE", 0.5)
    monkeypatch.setattr(write_backlog, "WRITE_DEADLINE", 1.0)
    return await start(database.settings(requests_per_minute=1_000_000))


async def test_a_client_that_never_asks_is_let_go_without_a_word(hasty: Server) -> None:
    async with line_to(hasty.port) as (reader, _):
        assert await rest_of(reader) == b""


@pytest.mark.parametrize("first", [b"", request(POLL, *LINES), request("/user/1795", *LINES)])
async def test_a_request_that_drips_is_a_408(hasty: Server, first: bytes) -> None:
    """As the first one, and behind one that was answered at once, or by a task."""
    async with line_to(hasty.port) as (reader, writer):
        writer.write(first)
        if first:
            assert (await answer_on(reader)).status == 200
        answer = asyncio.create_task(answer_on(reader))
        for byte in request(POLL, *LINES, "X-Long: " + "y" * 5000):
            writer.write(bytes([byte]))
            if (await asyncio.wait([answer], timeout=0.02))[0]:
                break
        told = answer.result()
        assert (told.status, told.headers["connection"]) == (408, "close")
        assert told.json == {"success": False, "error": "The request did not come in time"}
        assert await rest_of(reader) == b""


async def test_a_connection_at_rest_may_wait_longer_than_a_request(hasty: Server) -> None:
    async with line_to(hasty.port) as (reader, writer):
        for _ in range(3):
            writer.write(request(POLL, *LINES) + b"\r\n")  # some clients end a request like that
            assert (await answer_on(reader)).status == 200
            with pytest.raises(TimeoutError):
                await rest_of(reader, within=0.8)


async def test_a_request_that_is_answered_for_longer_than_one_may_come_is_no_slow_one(hasty: Server) -> None:
    async with line_to(hasty.port) as (reader, writer):
        writer.write(request(f"{POLL}&wait=1", *LINES, "If-None-Match: *"))
        assert (await answer_on(reader)).status == 304


async def test_headers_without_end_are_a_431(shared: Server) -> None:
    piece = b"".join(b"X-%d: %b\r\n" % (number, b"y" * 8000) for number in range(4))
    async with line_to(shared.port) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        answer = asyncio.create_task(answer_on(reader))
        while not answer.done():
            writer.write(piece)
            await asyncio.wait([answer], timeout=0.05)
    assert answer.result().status in (431, 400)  # or there were too many


@pytest.mark.parametrize("target", ["/livez", f"/livez?x={'y' * 20_000}"])
async def test_a_line_that_is_too_long_is_a_431(shared: Server, target: str) -> None:
    answer = await shared.raw(target, *(["X-Long: " + "y" * 20_000] if target == "/livez" else []))
    assert (answer.status, answer.json["error"]) == (431, "The request's headers are too large")


async def test_what_comes_behind_a_request_that_takes_long_is_not_taken_without_end(shared: Server) -> None:
    """Neither whole requests nor the head of one; all of them are answered in the end, in order."""
    async with line_to(shared.port) as (reader, writer):
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(request(f"{POLL}&wait=2", *LINES, "If-None-Match: *"))
        sent, behind = 0, request("/livez", "X-Fill: " + "y" * 4000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while sent < 10_000:
                    writer.write(behind)
                    sent += 1
                    await writer.drain()
        assert sent < 10_000
        assert (await answer_on(reader)).status == 304
        writer.write_eof()
        for _ in range(sent):
            assert (await answer_on(reader)).status == 200


@pytest.mark.parametrize("times", [1, 50])
async def test_whoever_does_not_read_an_answer_is_let_go(database: TestDatabase, hasty: Server, times: int) -> None:
    """One answer, at once, or many that a task gives; and also where the connection is being closed meanwhile."""
    await database.execute(MANY, 2000)
    await eventually(lambda: len(hasty.app[PRESENCE_FEED]) > 2000, what="all are there")
    async with deaf(hasty.port) as one, deaf(hasty.port) as other, line_to(hasty.port) as (reader, writer):
        one.write(request("/api/v1/presence", *LINES) * times)
        other.write(request("/api/v1/presence", *LINES, "Connection: close"))
        await eventually(
            lambda: len(hasty.app[WRITE_BACKLOG]._sizes) + hasty.app[WRITE_BACKLOG].aborted == 2, what="answers wait"
        )
        writer.write(request("/api/v1/presence", *LINES))
        assert (await answer_on(reader)).status == 200
        await eventually(lambda: hasty.app[WRITE_BACKLOG].aborted == 2, 15, "they were let go")
    assert hasty.app[WRITE_BACKLOG].bytes == 0


async def test_where_many_do_not_read_those_who_do_are_answered(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large answers are refused while there is no room, small ones never; and whoever takes too long makes room."""
    monkeypatch.setattr(write_backlog, "MAX_UNSENT", 2 << 20)
    monkeypatch.setattr(write_backlog, "GRACE", 3600.0)
    server = await start(database.settings())
    await database.execute(MANY, 2000)
    await eventually(lambda: len(server.app[PRESENCE_FEED]) > 2000, what="all are there")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(30):
            (await stack.enter_async_context(deaf(server.port))).write(request("/api/v1/presence", *LINES))
        await eventually(lambda: server.app[WRITE_BACKLOG].full, what="there is no room")
        for target in ("/api/v1/presence", "//api/v1/presence", "/openapi.json", STREAM):  # at once, by tasks
            answer = await server.raw(target, *LINES)
            assert (answer.status, "retry-after" in answer.headers) == (503, True)
        assert (await server.raw(POLL, *LINES)).status == 200
        assert (await server.raw("/api/v1/presence?extension=s1", *LINES)).status == 200
        assert server.app[WRITE_BACKLOG].bytes < 5 << 20
        monkeypatch.setattr(write_backlog, "GRACE", 0.0)
        assert (await server.raw("/api/v1/presence", *LINES)).status == 200
    await eventually(lambda: server.app[WRITE_BACKLOG].bytes == 0, what="all are gone")


async def test_150_clients_that_do_not_read_cost_a_service_a_bounded_amount_of_memory(
    database: TestDatabase, tmp_path: Path
) -> None:
    await database.execute(MANY, 5000)
    async with (
        served(database, tmp_path, REQUESTS_PER_MINUTE="1000000") as service,
        contextlib.AsyncExitStack() as stack,
    ):
        await service.answers()
        assert len((await service.get("/api/v1/presence", *LINES)).body) > 1 << 20
        before = resident(service.process.pid)
        for number in range(150):
            client = await stack.enter_async_context(deaf(service.port))
            client.write(request("/api/v1/presence" if number % 2 else "/openapi.json", *LINES) * 10)
            assert await service.poll() == 200
        assert resident(service.process.pid) - before < 250 << 20
        assert (await service.get("/livez")).status == 200


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "TLS/1.2", "websocket, h2c"])
async def test_another_protocol_is_not_spoken_and_the_connection_goes_on(shared: Server, protocol: str) -> None:
    upgrade = ("Connection: Upgrade", f"Upgrade: {protocol}")
    async with line_to(shared.port) as (reader, writer):
        for target in (POLL, "/user/1795", "/nowhere"):
            writer.write(request(target, *LINES, *upgrade))
            assert (await answer_on(reader)).status == (404 if target == "/nowhere" else 200)
            writer.write(request("/livez"))
            assert (await answer_on(reader)).json == {"status": "alive"}


async def test_a_tunnel_is_refused_whatever_goes_through_it(hasty: Server) -> None:
    async with line_to(hasty.port) as (reader, writer):
        writer.write(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n" + b"\x16\x03\x01" * 40_000)
        assert (await answer_on(reader)).status in (400, 404, 405)
        writer.write_eof()
        await rest_of(reader)
