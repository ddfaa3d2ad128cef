"""Answers that are given at once: the same as those that aiohttp's task gives, in order, to clients of all manners."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from service.runtime.app import run_app
from service.web.app_keys import DIRECTORY, SESSION_WATCH
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.server.dispatcher import Dispatcher
from service.web.server.plain_request import PlainRequest
from service.web.server.runner import HttpRunner
from tests.support.database import TestDatabase, cloned
from tests.support.eventually import eventually
from tests.support.raw import RawAnswer, answer_on, line_to, request
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start, serving

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
NEVER_THE_SAME = {"date", "x-request-id"}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was answered without a task."""
    asked: list[str] = []
    original = Dispatcher.answer_plain

    def noting(dispatcher: Dispatcher, request: PlainRequest) -> PrebuiltResponse | None:
        answer = original(dispatcher, request)
        if answer is not None:
            asked.append(request.raw_path + ("?" + request.raw_query_string if request.raw_query_string else ""))
        return answer

    monkeypatch.setattr(Dispatcher, "answer_plain", noting)
    return asked


def _comparable(answer: RawAnswer) -> tuple[int, dict[str, str], bytes]:
    return answer.status, {k: v for k, v in answer.headers.items() if k not in NEVER_THE_SAME}, answer.body


@pytest.mark.parametrize(
    ("target", "lines", "status"),
    [
        (POLL, LINES, 200),
        (POLL, (*LINES, "If-None-Match: *"), 304),
        (POLL, (*LINES, "X-Request-Id: mine"), 200),
        (POLL, (*LINES, "Origin: https://a.example"), 200),
        (POLL, (*LINES, "Origin: https://b.example"), 200),
        (POLL, (), 401),
        (POLL, (LINES[0],), 401),
        (POLL, ("X-Auth-Token: short", LINES[1]), 401),
        (POLL, (LINES[0], f"X-User-Id: {AGENT_UID}"), 401),
        (f"{REGISTRATION}?id=nobody", LINES, 404),
        ("/api/v1/presence", LINES, 200),
        ("/api/v1/presence", (*LINES, "If-None-Match: *"), 304),
        ("/api/v1/presence?extension=12343,12344&userId=nobody", LINES, 200),
        ("/api/v1/presence?since=made-up", LINES, 200),
        ("/api/v1/presence", (), 401),
        ("/api/v1/presence/12343", LINES, 200),
        ("/api/v1/presence/12343", (*LINES, "If-None-Match: *"), 304),
        ("/api/v1/presence/404", LINES, 404),
        ("/api/v1/users.presence", LINES, 200),
        ("/api/v1/users.presence?from=x", LINES, 400),
        ("/api/v1/users.getPresence", LINES, 200),
        (f"/api/v1/users.getPresence?userId={AGENT_UID}", LINES, 200),
        ("/api/v1/users.getPresence?username=nobody", LINES, 404),
        ("/api/v1/presence/404", (*LINES, "Origin: https://a.example"), 404),
    ],
)
async def test_a_task_would_answer_the_same(
    listed: Server, at_once: list[str], target: str, lines: tuple[str, ...], status: int
) -> None:
    data = request(target, *lines)
    async with line_to(listed.port) as (reader, writer):
        writer.write(data)
        quick = await answer_on(reader)
        assert (quick.status, len(at_once)) == (status, 1)
        writer.write(request(target, *lines, "Keep-Alive: timeout=5"))  # which is not plain
        slow = await answer_on(reader)
    assert len(at_once) == 1
    assert _comparable(slow) == _comparable(quick)
    if "X-Request-Id: mine" in lines:
        assert quick.headers["x-request-id"] == slow.headers["x-request-id"] == "mine"


@pytest.fixture(scope="module")
async def listed(template: TestDatabase) -> AsyncIterator[Server]:
    """A service that lets pages of one origin read its answers."""
    with cloned(template) as database:
        async with serving(database.settings(cors_origins=["https://a.example"])) as server:
            yield server


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"{POLL}&wait=0", 200),
        (f"/{POLL}", 200),
        (f"{REGISTRATION}?id=%42yehQjC44FwMeiLbX", 200),
        (f"{REGISTRATION}?id=", 400),
        (REGISTRATION, 400),
        ("/api/v1/presence?wait=x", 400),
        ("/api/v1/presence?%77ait=x", 400),
        ("/api/v1/presence/%31%32343", 200),
        ("/api/v1/presence/12343/", 404),
        ("/api/v1/presence/", 404),
    ],
)
async def test_what_is_not_plain_is_left_to_a_task(
    shared: Server, at_once: list[str], target: str, status: int
) -> None:
    assert (await shared.raw(target, *LINES)).status == status
    assert at_once == []


async def test_a_token_that_nobody_here_has_heard_of_is_looked_up_by_a_task(shared: Server, at_once: list[str]) -> None:
    assert (await shared.raw(POLL, f"X-Auth-Token: {'x' * 43}", LINES[1])).status == 401
    assert at_once == []


async def test_a_body_is_read(shared: Server, at_once: list[str]) -> None:
    body = b'{"id": "%s"}' % AGENT_UID.encode()
    answer = await shared.raw(REGISTRATION, *LINES, "Content-Type: application/json", body=body)
    assert (answer.status, at_once) == (200, [])


async def test_whatever_comes_while_a_request_is_answered_waits_for_it(shared: Server, at_once: list[str]) -> None:
    """The second is one that could be answered at once."""
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(POLL, *LINES))
        etag = (await answer_on(reader)).headers["etag"]
        writer.write(request(f"{POLL}&wait=1", *LINES, f"If-None-Match: {etag}"))
        await eventually(lambda: len(shared.app[SESSION_WATCH]) == 1, what="the long-poll is held")
        writer.write(request(POLL, *LINES, "X-Request-Id: second"))
        assert (await answer_on(reader)).status == 304
        second = await answer_on(reader)
        assert (second.status, second.headers["x-request-id"]) == (200, "second")
        writer.write(request(POLL, *LINES))
        assert (await answer_on(reader)).status == 200
    assert len(at_once) == 3  # all but the long poll


async def test_a_request_in_pieces_is_left_to_a_task_and_the_next_one_is_not(
    shared: Server, at_once: list[str]
) -> None:
    data = request(POLL, *LINES)
    async with line_to(shared.port) as (reader, writer):
        for piece in (data[:1], data[1:40], data[40:-1]):
            writer.write(piece)
            await writer.drain()
            with pytest.raises(TimeoutError):
                await answer_on(reader, within=0.05)
        writer.write(data[-1:])
        assert (await answer_on(reader)).status == 200
        assert at_once == []
        writer.write(data)
        assert (await answer_on(reader)).status == 200
    assert at_once == [POLL]


async def test_a_client_that_reads_nothing_costs_a_bounded_amount_of_memory(
    database: TestDatabase, start: Start
) -> None:
    """It is not read from any more while its answers wait, and gets all of them in the end."""
    server = await start(database.settings(requests_per_minute=1_000_000))
    data, most, asked = request("/api/v1/presence", *LINES), 0, 0
    async with line_to(server.port) as (reader, writer):
        writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(TimeoutError):
            while asked < 100_000:
                writer.write(data)
                asked += 1
                async with asyncio.timeout(1):
                    await writer.drain()
                most = max(most, *(_waiting(each) for each in _connections(server)))
        assert 1 < asked < 100_000
        size = len((await answer_on(reader)).body)
        for _ in range(asked - 1):
            assert (await answer_on(reader)).status == 200
    assert most < 64 * 1024 + 34 * (size + 2000)  # what aiohttp lets wait, and a queue of requests


def _connections(server: Server) -> list[web.RequestHandler]:
    runner = server.client.server.runner
    assert runner is not None
    assert runner.server is not None
    return runner.server.connections


def _waiting(connection: web.RequestHandler) -> int:
    return connection.transport.get_write_buffer_size() if connection.transport is not None else 0


async def test_a_connection_at_rest_is_closed_but_none_that_is_polled(database: TestDatabase) -> None:
    async with run_app(database.settings()) as (app, _):
        runner = HttpRunner(app, keepalive_timeout=2.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            async with line_to(runner.addresses[0][1]) as (reader, writer):
                for _ in range(8):  # twice as long as a rest may be
                    writer.write(request(POLL, *LINES))
                    assert (await answer_on(reader)).status == 200
                    await asyncio.sleep(0.5)
                async with asyncio.timeout(15):
                    assert await reader.read() == b""
        finally:
            await runner.cleanup()


async def test_each_is_counted_once(database: TestDatabase, start: Start, at_once: list[str]) -> None:
    server = await start(database.settings(requests_per_minute=3))
    async with line_to(server.port) as (reader, writer):
        statuses = []
        for _ in range(5):
            writer.write(request(POLL, *LINES))
            statuses.append((await answer_on(reader)).status)
    assert (statuses, at_once) == ([200, 200, 200, 429, 429], [POLL] * 5)
    text = (await server.raw("/metrics")).body.decode()
    for status, count in ((200, 3), (429, 2)):
        assert f'route="{REGISTRATION}",status="{status}"}} {count}.0' in text


async def test_a_directory_that_is_too_old_is_a_503_at_once(
    database: TestDatabase, start: Start, at_once: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(database.settings())
    monkeypatch.setattr(server.app[DIRECTORY], "_clock", lambda: float("inf"))
    assert [(await server.raw(path, *LINES)).status for path in (POLL, "/api/v1/presence")] == [503, 503]
    assert at_once == [POLL, "/api/v1/presence"]


async def test_a_bug_is_a_500_and_the_connection_goes_on(
    shared: Server, at_once: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line_to(shared.port) as (reader, writer):
        with monkeypatch.context() as broken:
            broken.setattr(type(shared.app[DIRECTORY]), "token_holder", None)
            writer.write(request(POLL, *LINES))
            answer = await answer_on(reader)
            assert (answer.status, answer.json) == (500, {"success": False, "error": "Internal server error"})
        writer.write(request(POLL, *LINES))
        assert (await answer_on(reader)).status == 200
    assert at_once == [POLL, POLL]
