"""What is answered from memory: guesses and phones at their start cost no SQL, and work while PostgreSQL is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.postgres import Postgres
from service.db.pool import Database
from tests.integration.setup.support import add_phone, device_token, fetch, forgive, new_link, read, settings
from tests.support.database import TestDatabase, make_database
from tests.support.eventually import eventually
from tests.support.server import Server, Start

REQUEST = "Task-"
"""How asyncio names the tasks that answer requests; the service's own have names of theirs."""


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks of requests that took a connection of the pool."""
    found: list[str] = []
    take = Database.connection

    @asynccontextmanager
    async def counted(self: Database, *given: Any, **named: Any) -> AsyncIterator[Any]:
        task = asyncio.current_task()
        if task is not None and task.get_name().startswith(REQUEST):
            found.append(task.get_name())
        async with take(self, *given, **named) as connection:
            yield connection

    monkeypatch.setattr(Database, "connection", counted)
    return found


async def test_a_guess_and_a_device_fetch_cost_no_sql(database: TestDatabase, start: Start, uses: list[str]) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    uses.clear()
    device = device_token(await fetch(server, link))
    assert len(uses) == 1, "a fetch by a link is one transaction"
    uses.clear()
    for number in range(50):
        assert (await fetch(server, f"{number:032}")).status == 404
        assert (await read(server, device)).status == 200
        assert (await server.raw(f"/p/d/{device}/balance.xml")).status == 200
        forgive(server)
    assert uses == []


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    """A database on a server of its own, which these tests stop."""
    with Postgres(tmp_path_factory.mktemp("fragile"), options={"fsync": "off"}) as server:
        yield make_database(server, "fragile")


async def statuses(server: Server, device: str, link: str) -> tuple[int, ...]:
    """Of the device's URL, the link, and a token that nobody had."""
    forgive(server)
    paths = (f"/p/d/{device}/linphone.xml", f"/p/{link}/linphone.xml", f"/p/{'A' * 32}/linphone.xml")
    return tuple([(await server.raw(path)).status for path in paths])


async def test_phones_start_while_postgresql_is_away_within_the_grace(fragile: TestDatabase, start: Start) -> None:
    phone = await add_phone(fragile)
    server = await start(settings(fragile, directory_grace=6.0, database_deadline=1.0))
    link = await new_link(server, phone)
    before = await fetch(server, link)
    device = device_token(before)
    await asyncio.to_thread(fragile.server.stop)
    try:
        assert (await read(server, device)).body == before.body

        async def stale() -> bool:
            return await statuses(server, device, link) == (200, 503, 503)

        await eventually(stale, 12, "an unknown token may be a new one, so it is no 404 any more")
        answers = await asyncio.gather(*(read(server, device) for _ in range(100)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, before.body)}

        async def over() -> bool:
            return await statuses(server, device, link) == (503, 503, 503)

        await eventually(over, 15, "the grace is over")
        refused = await read(server, device)
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["cache-control"] == "no-store"
    finally:
        await asyncio.to_thread(fragile.server.start)

    await eventually(lambda: _answers(server, device, 200))
    forgive(server)
    assert (await fetch(server, "A" * 32)).status == 404


async def _answers(server: Server, device: str, status: int) -> bool:
    return (await read(server, device)).status == status
