"""From the last release to this one and back, while clients of all kinds ask: no failed request, no lost write."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support import command_line
from tests.support.database import OWNER, PASSWORD, TestDatabase
from tests.support.served import Served, served
from tests.support.traffic import FREE_PHONE, Traffic

MANY = "1000000"
PEOPLE = 500
"""Users and extensions in the database of the last release, beside the demo's."""


@asynccontextmanager
async def made_by(root: Path, postgres: TestDatabase, name: str) -> AsyncIterator[TestDatabase]:
    """A database as the release in `root` makes it, with data."""
    postgres.server.create_database(name, OWNER, PASSWORD)
    database = TestDatabase(postgres.server, name)
    variables = command_line.environment(database)
    for command in ("migrate", "demo"):
        done = await asyncio.to_thread(command_line.command, variables, command, root=root)
        assert done.returncode == 0, done.stderr
    await database.execute(
        """
        with made as (
            insert into users (name, email, passwd, user_type, uid)
            select 'Person ' || n, 'person' || n || '@example.com', 'x', 'agent',
                'ABCDEFGHJKLMN' || translate((1000 + n)::text, '01', 'ab')
            from generate_series(1, $1) as n returning user_id
        ), held as (
            insert into extensions (extension, secret, call_server, user_id)
            select 'phone-' || user_id, md5(user_id::text), 'main', user_id from made
        ), tokens_ as (
            insert into tokens (token_hash, user_id, expires_at)
            select sha256(user_id::text::bytea), user_id, now() + interval '1 day' from made
        )
        insert into activity (user_id, last_seen) select user_id, now() from made
        """,
        PEOPLE,
    )
    await database.execute(
        "insert into extensions (extension, secret, call_server) values ($1, 'a-secret-of-12', 'main')", FREE_PHONE
    )
    try:
        yield database
    finally:
        postgres.server.sql(f"drop database {name} with (force)")


async def migrated(database: TestDatabase, root: Path = command_line.ROOT) -> str:
    """What `migrate` logged; it must succeed."""
    variables = command_line.environment(database)
    done = await asyncio.to_thread(command_line.ended, command_line.started(variables, "migrate", root=root), within=90)
    assert done.returncode == 0, done.stderr
    return done.stderr


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
