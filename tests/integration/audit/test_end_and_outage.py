"""The trail when the process ends, and while PostgreSQL is away in a storm of disclosures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from local.postgres import Postgres
from service.domain.custom_presence import PresenceState
from service.web.app_keys import DIRECTORY
from service.web.http.disclosures import DISCLOSURES
from service.web.presence.presence_audit import PRESENCE_CHANGES, audit_presence
from tests.support.database import TestDatabase, make_database
from tests.support.eventually import eventually
from tests.support.served import served
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, serving
from tests.support.standby import frozen

STORM = 400


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    """A database on a server of its own, which these tests kill and freeze."""
    with Postgres(tmp_path_factory.mktemp("fragile"), options={"fsync": "off"}) as server:
        yield make_database(server, "fragile")


async def told(database: TestDatabase) -> tuple[int, int]:
    """The number of rows of disclosures, and the sum of their counts."""
    (row,) = await database.rows(
        "select count(*) as rows, coalesce(sum(count), 0)::int as events from audit where action = 'secret.disclosed'"
    )
    return row["rows"], row["events"]


async def begun(server: Server) -> None:
    """The first disclosure, which has its row."""
    assert (await server.registration()).status == 200
    await eventually(lambda: not server.app[DISCLOSURES].batches._new)


async def storm(server: Server) -> float:
    """Many polls, each a 200; returns the seconds of the slowest."""

    async def poll() -> float:
        began = time.monotonic()
        async with server.client.get(REGISTRATION, params={"id": AGENT_UID}, headers=ADMIN) as answer:
            assert answer.status == 200
        return time.monotonic() - began

    slowest = 0.0
    for _ in range(STORM // 20):
        slowest = max(slowest, *await asyncio.gather(*(poll() for _ in range(20))))
    return slowest


async def test_the_end_of_the_process_writes_what_is_open(database: TestDatabase) -> None:
    async with serving(database.settings()) as server:
        await begun(server)
        assert await told(database) == (1, 1)
        await storm(server)
    assert await told(database) == (2, STORM + 1)


@pytest.mark.parametrize("way", ["killed", "frozen"])
async def test_without_postgresql_polls_go_on_changes_fail_and_nothing_is_lost(
    fragile: TestDatabase, way: str, logged: list[dict[str, object]]
) -> None:
    rows, events = await told(fragile)
    settings = fragile.settings(directory_grace=60.0, database_deadline=1.0, requests_per_minute=100_000)
    async with serving(settings) as server:
        assert await storm(server) < 2
        if way == "killed":
            await asyncio.to_thread(fragile.server.kill)
            try:
                await _asked_without_postgresql(server, logged)
            finally:
                fragile.server.start()
                await asyncio.to_thread(fragile.server.wait_ready)
        else:
            with frozen(fragile.server):
                await _asked_without_postgresql(server, logged)
        assert server.app[DISCLOSURES].batches.lost == 0
    now = await told(fragile)
    assert now[1] - events == 3 * STORM + 2
    assert now[0] - rows <= 4
    changes = await fragile.rows(
        "select user_id from users where first_name = 'Unaudited' union all "
        "select audit_id from audit where action = 'user.updated'"
    )
    assert changes == []


async def _asked_without_postgresql(server: Server, logged: list[dict[str, object]]) -> None:
    assert await storm(server) < 2
    answer = await server.client.patch("/user/1795", json={"first_name": "Unaudited"}, headers=ADMIN)
    assert answer.status == 503
    agent_details = "/api/v1/connector.extension.getDetails"  # a batch that PostgreSQL has not seen yet
    for _ in range(2):
        answer = await server.client.get(agent_details, params={"extension": "12343"}, headers=ADMIN)
        assert answer.status == 200
    await eventually(lambda: any(line["event"] == "audit_write_failed" for line in logged), 10)
    assert await storm(server) < 2


async def test_what_an_end_without_postgresql_loses_is_said(
    fragile: TestDatabase, logged: list[dict[str, object]]
) -> None:
    settings = fragile.settings(directory_grace=60.0, database_deadline=1.0, requests_per_minute=100_000)
    async with serving(settings) as server:
        await begun(server)
        await storm(server)
        await asyncio.to_thread(fragile.server.kill)
    fragile.server.start()
    await asyncio.to_thread(fragile.server.wait_ready)
    (line,) = [line for line in logged if line["event"] == "audit_lost"]
    assert line["log_level"] == "error"
    assert line["events"] == STORM


async def test_presence_set_without_postgresql_is_audited_once_it_is_back(fragile: TestDatabase) -> None:
    settings = fragile.settings(directory_grace=60.0, database_deadline=1.0)
    async with serving(settings) as server:
        person = server.app[DIRECTORY].person_by_uid(AGENT_UID)
        assert person is not None
        request = make_mocked_request("PUT", "/api/v1/presence", app=server.app)
        await asyncio.to_thread(fragile.server.kill)
        try:
            for state in (PresenceState.DND, PresenceState.AWAY):  # Asterisk has accepted both
                await audit_presence(request, person, "12342", state)
            assert server.app[PRESENCE_CHANGES].waiting == 2
        finally:
            fragile.server.start()
            await asyncio.to_thread(fragile.server.wait_ready)
        await eventually(lambda: server.app[PRESENCE_CHANGES].waiting == 0)
    rows = await fragile.rows(
        "select details ->> 'presence' as presence, count from audit where action = 'presence.set'"
    )
    assert [tuple(row) for row in rows] == [("dnd", 1), ("away", 1)]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_each_process_writes_its_own_counts_when_it_is_told_to_end(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    async with served(database, tmp_path, WORKERS=workers) as service:
        await service.answers()
        assert [await service.poll() for _ in range(60)] == [200] * 60
        service.process.terminate()
        assert await service.ended() == 0, service.log
    rows, events = await told(database)
    assert events == 60
    assert 1 <= rows <= 2 * int(workers)
    assert '"audit_lost"' not in service.log
