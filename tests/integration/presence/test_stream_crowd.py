"""Thousands of open streams and long-polls in one process: all see a change, and all end cleanly when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from local import ports
from tests.support import command_line
from tests.support.database import TestDatabase
from tests.support.events import STREAM
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to, raw, request
from tests.support.server import ADMIN
from tests.support.sizes import Record, size

CROWD = size("crowd", 3_000, 9_000)
AT_ONCE = 100
"""Connections that are made at a time: the listening socket's backlog is not what is tested."""
DEADLINE = 30.0
LINES = [f"{name}: {value}" for name, value in ADMIN.items()]


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.asynccontextmanager
async def serving(database: TestDatabase, port: int) -> AsyncIterator[command_line.Process]:
    limits = {"REQUESTS_PER_MINUTE": "1000000", "SHUTDOWN_DEADLINE": str(DEADLINE)}
    limits |= {"STREAMS_PER_PERSON": str(CROWD), "LONG_POLLS_PER_PERSON": str(CROWD)}
    process = command_line.started(command_line.environment(database, HTTP_PORT=str(port), **limits), "serve")

    async def ready() -> bool:
        try:
            return (await raw(port, request("/readyz"))).status == 200
        except OSError:
            return False

    try:
        await eventually(ready, 30, "it serves")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


class Crowd:
    """Streams and long-polls; each says what it saw."""

    def __init__(self, port: int, cursor: str) -> None:
        self._port = port
        self._poll = f"/api/v1/presence?wait=30&since={cursor}"
        self._entering = asyncio.Semaphore(AT_ONCE)
        self.open = self.saw = 0
        self.stopping = False

    async def stream(self) -> bytes:
        """The bytes with which the stream ended."""
        async with line_to(self._port) as (reader, writer):
            async with self._entering:
                writer.write(request(STREAM, *LINES))
                await reader.readuntil(b"event: snapshot")
            self.open += 1
            await reader.readuntil(b'"crowd"')
            self.saw += 1
            return (await reader.read())[-5:]

    async def long_poll(self) -> bool:
        """Whether the poll that was open at the end was answered in full."""
        async with line_to(self._port) as (reader, writer):
            async with self._entering:
                writer.write(request(self._poll, *LINES))
            self.open += 1
            body = (await answer_on(reader, within=60)).json
            assert [item["extension"] for item in body["presence"]] == ["crowd"]
            self.saw += 1
            writer.write(request(self._poll.partition("since=")[0] + f"since={body['cursor']}", *LINES))
            answer = await answer_on(reader, within=60)
            return (answer.status, answer.json["presence"]) == (200, [])


async def metric(port: int, name: str) -> float:
    lines = (await raw(port, request("/metrics"))).body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


async def test_a_crowd_sees_a_change_and_ends_with_the_process(database: TestDatabase, record_property: Record) -> None:
    port = ports.free_port()
    async with serving(database, port) as process:
        cursor = (await raw(port, request("/api/v1/presence", *LINES))).json["cursor"]
        crowd = Crowd(port, cursor)
        streams = [asyncio.create_task(crowd.stream()) for _ in range(CROWD // 2)]
        polls = [asyncio.create_task(crowd.long_poll()) for _ in range(CROWD // 2)]

        async def open_(name: str, count: int) -> bool:
            return await metric(port, name) == count

        await eventually(lambda: open_("connector_streams_open", CROWD // 2), 60)
        await eventually(lambda: open_("connector_held_open", CROWD), 60)
        await database.execute("insert into extensions values ('crowd', 's', 'main')")
        await eventually(lambda: crowd.saw == CROWD, what="all saw it")
        await eventually(lambda: open_("connector_held_open", CROWD))
        began = time.monotonic()
        process.terminate()
        async with asyncio.timeout(DEADLINE):
            assert set(await asyncio.gather(*streams)) == {b"0\r\n\r\n"}
            assert set(await asyncio.gather(*polls)) == {True}
        done = await asyncio.to_thread(command_line.ended, process)
        assert time.monotonic() - began < DEADLINE
        record_property("measured", f"{CROWD} streams and long polls, ended in {time.monotonic() - began:.1f} s")
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if json.loads(line)["level"] in ("error", "critical")]
