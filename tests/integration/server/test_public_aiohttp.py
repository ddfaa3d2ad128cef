"""An aiohttp without the private names that the fast path uses: the same answers, by public names only."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from service.web.app_keys import SESSION_WATCH
from service.web.server import aiohttp_internals, connection_bounds, write_backlog
from service.web.server.aiohttp_internals import NAMES
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.write_backlog import WRITE_BACKLOG
from tests.support.database import TestDatabase, cloned
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to, request
from tests.support.renamed_aiohttp import renamed_aiohttp
from tests.support.served import Served, served
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
STREAM = "/api/v1/presence/stream"
JSON = "Content-Type: application/json"
LOGIN = json.dumps({"user": "admin", "password": "demo-admin-password"}).encode()
RENAMED = sorted({each.name for each in NAMES} - {"message_consumed"})
"""The parser's method is compiled."""
LAST = "Connection: close"
DIFFERS = re.compile(
    rb'(?<=Date: )[^\r]+|(?<=X-Request-Id: )[0-9a-f]{32}|(?<="authToken":")[^"]+|(?<=ETag: )[^\r]+'
    rb'|(?<="cursor":")\w+|\d{4}-\d\d-\d\dT[^"]+'
)
ASKED = {
    "login": request("/api/v1/login", JSON, LAST, method="POST", body=LOGIN),
    "wrong login": request("/api/v1/login", JSON, LAST, method="POST", body=LOGIN.replace(b"demo-", b"wrong-")),
    "registration info": request(POLL, *LINES, LAST),
    "registration info, HTTP/1.0": request(POLL, *LINES).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "long-poll": request(f"{POLL}&wait=1", *LINES, "If-None-Match: *", LAST),
    "presence": request("/api/v1/presence", *LINES, "Origin: https://a.example", LAST),
    "presence of one": request("/api/v1/presence/12343", *LINES, LAST),
    "user": request("//user/1795", *LINES, LAST),
    "no route": request("/nowhere", LAST),
    "no such method": request(POLL, LAST, method="PATCH"),
    "HEAD": request("/livez", LAST, method="HEAD"),
    "preflight": request(
        POLL, "Origin: https://a.example", "Access-Control-Request-Method: GET", LAST, method="OPTIONS"
    ),
    "compressed": request("/api/v1/login", JSON, "Content-Encoding: gzip", method="POST", body=LOGIN),
    "too large": request("/api/v1/login", JSON, "Content-Length: 10000000", method="POST"),
    "expectation": request("/api/v1/login", JSON, "Expect: 100-continue", LAST, method="POST", body=LOGIN),
    "several": request(POLL, *LINES) + request("/user/1795", *LINES) + request("/livez", LAST),
    "no HTTP": b"nonsense\r\n\r\n",
    "a line end in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n\r\n",
    "a long line": request(f"/livez?x={'y' * 20_000}"),
}


async def everything_on(port: int, data: bytes) -> bytes:
    """All that comes until the service closes the connection, without what is never the same."""
    async with line_to(port) as (reader, writer):
        writer.write(data)
        async with asyncio.timeout(10):
            return DIFFERS.sub(b"...", await reader.read())


@pytest.fixture(scope="module")
async def both(
    template: TestDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Served, Served]]:
    """Two services over one database: with the installed aiohttp, and with one that has other private names."""
    folder, other = tmp_path_factory.mktemp("fast"), tmp_path_factory.mktemp("public")
    path, settings = renamed_aiohttp(other, *RENAMED), {"CORS_ORIGINS": '["https://a.example"]'}
    with cloned(template) as database:
        async with served(database, folder, **settings) as fast, served(database, other, path, **settings) as public:
            await fast.answers()
            await public.answers()
            yield fast, public


@pytest.mark.parametrize("name", ASKED)
async def test_the_answer_is_the_same_to_the_byte(both: tuple[Served, Served], name: str) -> None:
    fast, public = [await everything_on(service.port, ASKED[name]) for service in both]
    assert fast.startswith(b"HTTP/1.")
    assert public == fast


async def test_a_stream_begins_with_the_same_bytes(both: tuple[Served, Served]) -> None:
    begun = []
    for service in both:
        async with line_to(service.port) as (reader, writer):
            writer.write(request(STREAM, *LINES))
            begun.append(DIFFERS.sub(b"...", await reader.readuntil(b"event: snapshot")))
    assert begun[1] == begun[0]


def test_the_log_says_once_which_names_are_missing(both: tuple[Served, Served]) -> None:
    fast, public = both
    assert "aiohttp_internals_missing" not in fast.log
    lines = [json.loads(line) for line in public.log.splitlines() if "aiohttp_internals_missing" in line]
    assert [(line["level"], sorted(name.partition(".")[2] for name in line["names"])) for line in lines] == [
        ("warning", RENAMED)
    ]


@pytest.fixture
async def public(database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A service by public names only, that waits less long than it would."""
    monkeypatch.setattr(aiohttp_internals, "MISSING", ("RequestHandler._messages",))
    monkeypatch.setattr(connection_bounds, "HEAD_DEADLINE", 0.5)
    monkeypatch.setattr(write_backlog, "WRITE_DEADLINE", 1.0)
    return await start(database.settings(requests_per_minute=1_000_000))


@pytest.mark.parametrize("first", [b"", request(POLL, *LINES)])
async def test_a_request_that_drips_is_a_408(public: Server, first: bytes) -> None:
    async with line_to(public.port) as (reader, writer):
        writer.write(first)
        if first:
            assert (await answer_on(reader)).status == 200
        writer.write(b"GET ")
        assert (await answer_on(reader)).status == 408
        assert await reader.read() == b""


async def test_a_client_that_never_asks_is_let_go_without_a_word(public: Server) -> None:
    async with line_to(public.port) as (reader, _), asyncio.timeout(5):
        assert await reader.read() == b""


async def test_a_request_that_takes_longer_than_a_head_may_is_answered(public: Server) -> None:
    async with line_to(public.port) as (reader, writer):
        for _ in range(2):
            writer.write(request(f"{POLL}&wait=1", *LINES, "If-None-Match: *"))
            assert (await answer_on(reader)).status == 304


@pytest.mark.parametrize("count", [1, 40])
async def test_a_client_that_says_nothing_more_gets_all_its_answers(public: Server, count: int) -> None:
    async with line_to(public.port) as (reader, writer), asyncio.timeout(10):
        writer.write(request(POLL, *LINES) * count)
        writer.write_eof()
        assert [(await answer_on(reader)).status for _ in range(count)] == [200] * count
        assert await reader.read() == b""


async def test_a_long_poll_ends_when_its_client_says_nothing_more(public: Server) -> None:
    async with line_to(public.port) as (reader, writer):
        writer.write(request(f"{POLL}&wait=20", *LINES, "If-None-Match: *"))
        await eventually(lambda: len(public.app[SESSION_WATCH]) == 1, 5, "the long-poll is held")
        writer.write_eof()
        assert (await answer_on(reader, within=5)).status == 304


async def test_whoever_does_not_read_an_answer_is_let_go(public: Server) -> None:
    backlog = public.app[WRITE_BACKLOG]
    async with line_to(public.port) as (_, writer):
        writer.write(request("/openapi.json") * 200)  # more than the kernel holds
        await eventually(lambda: backlog.aborted == 1, 10, "it was let go")
    assert backlog.bytes == 0


async def test_a_connection_at_rest_makes_room_and_one_that_is_busy_does_not(public: Server) -> None:
    async with line_to(public.port) as (busy, asks), line_to(public.port) as (idle, asked):
        asked.write(request(POLL, *LINES))
        assert (await answer_on(idle)).status == 200
        asks.write(request(f"{POLL}&wait=1", *LINES, "If-None-Match: *"))
        await eventually(lambda: len(public.app[SESSION_WATCH]) == 1, 5, "the long-poll is held")
        assert public.app[CONNECTION_LIMIT].make_room()
        assert not public.app[CONNECTION_LIMIT].make_room()
        assert await idle.read() == b""
        assert (await answer_on(busy)).status == 304
