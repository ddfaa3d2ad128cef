"""From the last release to this one and back, while clients of all kinds ask: no failed request, no lost write."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support import command_line
from tests.support.database import TestDatabase
from tests.support.release_before import PEOPLE, made_by, migrated
from tests.support.served import Served, served
from tests.support.traffic import Traffic

MANY = "1000000"


async def stopped(service: Served) -> None:
    """As an orchestrator stops a replica that gets no new requests any more."""
    service.process.send_signal(signal.SIGTERM)
    assert await service.ended() == 0, service.log


@pytest.mark.timeout(300)
async def test_the_last_release_serves_on_while_this_one_takes_over_and_back(
    template: TestDatabase, release_before: Path, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(made_by(release_before, template, "upgraded"))

        async def replica(root: Path) -> Served:
            folder = Path(mkdtemp(dir=tmp_path))
            made = await stack.enter_async_context(served(database, folder, None, root, REQUESTS_PER_MINUTE=MANY))
            await made.answers()
            return made

        old = await replica(release_before)
        traffic = Traffic([old.port])
        async with traffic.flowing():
            await migrated(database)
            await traffic.goes_on()
            new = await replica(command_line.ROOT)
            traffic.ports[:] = [old.port, new.port]
            await traffic.goes_on()
            traffic.ports[:] = [new.port]
            await stopped(old)
            await migrated(database, release_before)  # compose runs it before the service
            back = await replica(release_before)
            traffic.ports[:] = [new.port, back.port]
            await traffic.goes_on()
            traffic.ports[:] = [back.port]
            await stopped(new)
            await traffic.goes_on()
        assert traffic.failures == []
        await traffic.is_kept(database)
        people = await database.rows("select count(*) from users where name like 'Person %'")
        assert people[0]["count"] == PEOPLE
        assert len(await database.rows("select from tokens")) >= PEOPLE


async def test_the_last_release_starts_on_a_database_that_this_one_made(
    database: TestDatabase, release_before: Path
) -> None:
    await migrated(database, release_before)
    for command, told in (("check", "schema 0001, needed 0001"), ("user list", "dnhai")):
        variables = command_line.environment(database)
        done = await asyncio.to_thread(command_line.command, variables, *command.split(), root=release_before)
        assert told in done.stdout, done.stderr
