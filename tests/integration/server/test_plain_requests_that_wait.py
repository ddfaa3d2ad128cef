"""Plain requests whose answer waits for PostgreSQL: order, ends of connections and of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.db.user_loader import UserLoader
from service.db.users import UserRow
from service.runtime.app import run_app
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.dispatcher import DRAINING, Dispatcher
from service.web.server.runner import HttpRunner
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.odd_requests import LINES, POLL
from tests.support.raw import answer_on, line_to, request, rest_of
from tests.support.server import Server, Start

USER = request("/user/1795", *LINES)


class Gate:
    """Lets reads of users wait until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting = 0


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    found, get = Gate(), UserLoader.get

    async def waiting(loader: UserLoader, user_id: int) -> UserRow | None:
        found.waiting += 1
        await found.opened.wait()
        return await get(loader, user_id)

    monkeypatch.setattr(UserLoader, "get", waiting)
    yield found
    found.opened.set()


async def _begun(gate: Gate, count: int = 1) -> None:
    await eventually(lambda: gate.waiting == count, what="it waits")


async def test_aiohttp_has_no_part_in_it(shared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "answer", None)
    for target, status in (("/user/1795", 200), ("/v1/user/1795", 200), ("/user/99", 404), ("/user/x", 404)):
        assert (await shared.raw(target, *LINES)).status == status
    assert (await shared.raw("/user/1795")).status == 401


async def test_what_comes_meanwhile_is_answered_behind_it(shared: Server, gate: Gate) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(USER)
        await _begun(gate)
        for number in range(3):
            writer.write(request(POLL, *LINES, f"X-Request-Id: {number}"))
            with pytest.raises(TimeoutError):
                await answer_on(reader, within=0.05)
        gate.opened.set()
        answers = [await answer_on(reader) for _ in range(4)]
    assert b"user_id" in answers[0].body
    assert [each.headers["x-request-id"] for each in answers[1:]] == ["0", "1", "2"]


async def test_too_much_behind_it_is_not_read(shared: Server, gate: Gate) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(USER)
        await _begun(gate)
        writer.write(request("/livez", "X-Fill: " + "y" * 4000) * 5000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await writer.drain()
        gate.opened.set()
        assert [(await answer_on(reader)).status for _ in range(5001)] == [200] * 5001


async def test_a_client_that_says_nothing_more_gets_its_answers(shared: Server, gate: Gate) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(USER)
        await _begun(gate)
        writer.write(request(POLL, *LINES) + USER + b"GET /half")
        writer.write_eof()
        with pytest.raises(TimeoutError):
            await answer_on(reader, within=0.05)
        gate.opened.set()
        assert [(await answer_on(reader)).status for _ in range(3)] == [200] * 3
        assert await rest_of(reader) == b""


async def test_a_client_that_goes_away_harms_nobody(
    shared: Server, gate: Gate, logged: list[dict[str, object]]
) -> None:
    async with line_to(shared.port) as (_, writer):
        writer.write(USER)
        await _begun(gate)
    gate.opened.set()
    assert (await shared.raw("/user/1795", *LINES)).status == 200
    assert [line for line in logged if line["log_level"] in ("error", "critical")] == []


async def test_it_makes_no_room_for_another_connection(database: TestDatabase, start: Start, gate: Gate) -> None:
    server = await start(database.settings())
    async with line_to(server.port) as (reader, writer):
        writer.write(USER)
        await _begun(gate)
        assert not server.app[CONNECTION_LIMIT].make_room()
        gate.opened.set()
        assert (await answer_on(reader)).status == 200
        assert server.app[CONNECTION_LIMIT].make_room()
        assert await rest_of(reader) == b""


@pytest.mark.parametrize("drains", [False, True])
async def test_it_is_answered_while_the_process_ends(database: TestDatabase, gate: Gate, drains: bool) -> None:
    async with run_app(database.settings()) as (app, _):
        runner = HttpRunner(app, shutdown_timeout=5.0)
        await runner.setup()
        assert runner.server is not None
        listener = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0)
        async with line_to(listener.sockets[0].getsockname()[1]) as (reader, writer):
            writer.write(USER)
            await _begun(gate)
            if drains:
                app[DRAINING].set()
            ending = asyncio.create_task(runner.cleanup())
            with pytest.raises(TimeoutError):
                await answer_on(reader, within=0.1)
            gate.opened.set()
            answer = await answer_on(reader)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await rest_of(reader) == b""
            await ending
        listener.close()


async def test_one_that_waits_for_too_long_does_not_keep_the_process(database: TestDatabase, gate: Gate) -> None:
    async with run_app(database.settings()) as (app, _):
        runner = HttpRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        assert runner.server is not None
        listener = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0)
        async with line_to(listener.sockets[0].getsockname()[1]) as (reader, writer):
            writer.write(USER)
            await _begun(gate)
            async with asyncio.timeout(15):
                await runner.cleanup()
            assert await rest_of(reader) == b""
        listener.close()
