"""The directory in trouble: polls go on meanwhile, never a 500, never a wrong answer for longer than is promised."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from local.postgres import Postgres
from service.credentials import token_hash
from service.settings import Settings
from service.web.app_keys import CHANGE_LISTENER, DIRECTORY, PRESENCE_FEED
from tests.support.database import SERVICE, TestDatabase, make_database
from tests.support.deaf_pooler import DeafPooler, pooling
from tests.support.eventually import eventually
from tests.support.server import ADMIN, AGENT_UID, Server, Start

NOTICED = 5.0
"""Seconds within which it is noticed that nothing is heard any more; a reconnect may take about one more."""
SLACK = 5.0
"""Seconds that a busy machine may take for the rest, beside clients that poll without a pause."""
ROWS = 10_000
MANY = "insert into extensions select 'x' || n, 's' || n, 'main' from generate_series(1, $1::int) n"


@dataclass
class Polls:
    """What pollers saw: statuses, and marks of staleness."""

    statuses: set[int] = field(default_factory=set)
    stale: int = 0
    """Answers that were marked, of both kinds."""
    count: int = 0


@asynccontextmanager
async def polling(server: Server, *allowed: int) -> AsyncIterator[Polls]:
    """Somebody polls registration and presence as fast as they are answered, until the block ends."""
    polls = Polls()

    async def poll() -> None:
        while True:
            for answer in (await server.registration(), await server.client.get("/api/v1/presence", headers=ADMIN)):
                polls.statuses.add(answer.status)
                polls.stale += "X-Directory-Stale-Since" in answer.headers
                polls.count += 1
                await answer.read()

    task = asyncio.create_task(poll())
    try:
        yield polls
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert polls.count > 10
    assert polls.statuses <= {200, *allowed}


def settings(database: TestDatabase, pooler: DeafPooler | None = None, **values: object) -> Settings:
    values = {"requests_per_minute": 1_000_000, "database_deadline": 2.0, **values}
    if pooler is not None:
        values["database_url"] = f"postgresql://{SERVICE}@127.0.0.1:{pooler.port}/{database.name}"
    return database.settings(**values)


@pytest.fixture
async def pooler(database: TestDatabase) -> AsyncIterator[DeafPooler]:
    async with pooling(database.server.port) as made:
        yield made


async def secret(server: Server) -> str:
    answer = await server.registration()
    assert answer.status == 200
    found: str = (await answer.json())["extensionDetails"]["password"]
    return found


async def rotate(database: TestDatabase, to: str) -> None:
    await database.execute("update extensions set secret = $1 where extension = '12342'", to)


async def answers_secret(server: Server, wanted: str, within: float) -> None:
    async def there() -> bool:
        return await secret(server) == wanted

    await eventually(there, within, f"the secret is {wanted}")


async def test_a_listener_that_is_half_open_is_noticed_and_replaced(
    database: TestDatabase, pooler: DeafPooler, start: Start
) -> None:
    server = await start(settings(database, pooler))
    await rotate(database, "first")
    await answers_secret(server, "first", SLACK)
    async with polling(server):
        pooler.freeze_listeners()
        await rotate(database, "second")
        began = time.monotonic()
        await answers_secret(server, "second", NOTICED + SLACK)
        assert time.monotonic() - began > 0.5, "it was heard although nothing came through"
        await rotate(database, "third")
        await answers_secret(server, "third", SLACK)


async def test_a_pooler_that_swallows_notifications_is_noticed_and_everything_read_again(
    database: TestDatabase, pooler: DeafPooler, start: Start
) -> None:
    server = await start(settings(database, pooler))
    headers = await server.headers_of()
    await server.answers(200, headers)
    async with polling(server):
        pooler.swallows = True
        for number in range(2):
            await rotate(database, f"swallowed {number}")
            await answers_secret(server, f"swallowed {number}", NOTICED + SLACK)
        await database.execute("delete from tokens where user_id = 1795")
        await server.answers(401, headers, within=NOTICED + SLACK)
        assert pooler.dropped
        pooler.swallows = False
        await eventually(lambda: server.app[DIRECTORY].stale_since is None, NOTICED + SLACK)
        await rotate(database, "heard")
        await answers_secret(server, "heard", NOTICED + SLACK)


async def test_ten_thousand_rows_changed_at_once_are_all_there_and_all_gone(
    database: TestDatabase, start: Start
) -> None:
    server = await start(settings(database))
    feed = server.app[PRESENCE_FEED]
    async with polling(server, 404):
        await database.execute(MANY, ROWS)
        await eventually(lambda: len(feed) == ROWS + 2)
        connection = await database.connect()
        async with connection.transaction():
            await connection.execute("update extensions set secret = 'new-' || extension")
            await connection.execute("update extensions set enabled = false where extension like 'x%5'")
        await connection.close()
        await eventually(lambda: len(feed) == ROWS + 2 - ROWS // 10)
        assert await secret(server) == "new-12342"
        await database.execute("truncate extensions cascade")
        await eventually(lambda: len(feed) == 0)
        await server.answers(404)
        await database.execute(
            "insert into extensions (extension, secret, call_server, user_id) values ('12342', 'back', 'main', 1795)"
        )
        await server.answers(200)
        assert await secret(server) == "back"


async def works(server: Server, headers: dict[str, str]) -> bool:
    """Whether a new token does. Where reading takes longer than memory is current, it may be a 503, never a 401."""
    status = (await server.registration(headers=headers)).status
    assert status in (200, 503)
    return status == 200


async def test_changes_take_effect_while_everything_is_read_again_and_again(
    database: TestDatabase, start: Start
) -> None:
    server = await start(settings(database, database_deadline=20.0))
    await database.execute(MANY, ROWS)
    await eventually(lambda: len(server.app[PRESENCE_FEED]) == ROWS + 2)
    connection = await database.connect()
    again = asyncio.create_task(read_again(connection))
    async with polling(server):
        for number in range(20):
            await rotate(database, f"secret {number}")
            await answers_secret(server, f"secret {number}", 15)
            headers = await server.headers_of()
            await eventually(lambda: works(server, headers), what="the token works")  # noqa: B023
            await database.execute("delete from tokens where token_hash = $1", token_hash(headers["X-Auth-Token"]))
            await server.answers(401, headers)
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    await connection.close()
    await server.app[CHANGE_LISTENER].barrier(30)
    assert await secret(server) == "secret 19"
    assert server.app[DIRECTORY].stale_since is None


async def read_again(connection: asyncpg.Connection) -> None:
    """Somebody goes on to say that many rows have changed."""
    while True:
        await connection.execute("select pg_notify('connector_changes', 'extension *')")
        await asyncio.sleep(0.01)


async def test_after_a_suspended_machine_wakes_nothing_is_told_unmarked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test can suspend the machine: the clock that counts on meanwhile is moved, and the loop's own is not."""
    real, slept = time.clock_gettime, 0.0
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + slept)
    assert "X-Directory-Stale-Since" not in (await server.registration()).headers
    slept = 30.0
    assert "X-Directory-Stale-Since" in (await server.registration()).headers
    unknown = {**ADMIN, "X-Auth-Token": "u" * 43}
    assert (await server.registration(headers=unknown)).status == 503
    await eventually(lambda: server.app[DIRECTORY].stale_since is None, NOTICED + SLACK)
    assert (await server.registration(headers=unknown)).status == 401
    slept = 300.0
    assert (await server.registration()).status == 503


async def test_everything_truncated_leaves_nobody(database: TestDatabase, start: Start) -> None:
    server = await start(settings(database))
    await server.answers(200)
    await database.execute("truncate users, tokens, extensions cascade")
    await server.answers(401)
    nobody = {"people": 0, "tokens": 0, "extensions": 0}
    await eventually(lambda: server.app[DIRECTORY].counts() == nobody and len(server.app[PRESENCE_FEED]) == 0)


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with Postgres(tmp_path_factory.mktemp("restarted"), options={"fsync": "off"}) as server:
        yield make_database(server, "restarted")


async def test_postgresql_restarted_under_polling_is_marked_while_away_and_heals(
    restarted: TestDatabase, start: Start
) -> None:
    server = await start(settings(restarted))
    async with polling(server) as polls:
        await asyncio.to_thread(restarted.server.stop)
        await eventually(lambda: polls.stale, NOTICED + SLACK, "polls are marked")
        restarted.server.start()
        await asyncio.to_thread(restarted.server.wait_ready)
        await rotate(restarted, "after")
        await answers_secret(server, "after", 30)
        for _ in range(3):
            await asyncio.to_thread(restarted.server.stop)
            restarted.server.start()
            await asyncio.to_thread(restarted.server.wait_ready)
        await rotate(restarted, AGENT_UID)
        await answers_secret(server, AGENT_UID, 30)
    assert server.app[DIRECTORY].stale_since is None
