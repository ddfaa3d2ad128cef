"""Statements of the registration history, in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from service.clock import uptime
from service.db import registration_history
from service.db.pool import Database
from service.db.registration_history import KEEP_DAYS, MAX_PER_DAY
from service.domain.registration_history import Change, Observation
from service.domain.registration_report import report
from service.web.app_keys import DATABASE
from tests.support.database import TestDatabase
from tests.support.server import Server

FIRST, SECOND = "12342", "12343"


async def stored(server: Server, holder: UUID, *changes: Change, observed: tuple[float, float] = (60, 0)) -> list[str]:
    now = uptime()
    observation = Observation(now - observed[0], now - observed[1])
    left_out = await registration_history.store(
        database_of(server), "main", holder, changes, [observation], lambda: now
    )
    assert left_out is not None
    return left_out


def database_of(server: Server) -> Database:
    return server.app[DATABASE]


@pytest.fixture
async def holder(database: TestDatabase, server: Server) -> UUID:
    """A writer, in place of the running service's."""
    holder = uuid4()
    await database.execute("delete from registration_writers")
    assert (await registration_history.lease(database_of(server), "main", holder)).term is not None
    return holder


async def test_one_process_of_all_writes_and_another_takes_over_when_its_lease_has_ended(
    database: TestDatabase, server: Server, holder: UUID
) -> None:
    held = await registration_history.lease(database_of(server), "main", holder)
    assert (held.term, held.observed_age) == (1, None)
    other = uuid4()
    assert (await registration_history.lease(database_of(server), "main", other)).term is None
    assert await registration_history.store(database_of(server), "main", other, [], [], uptime) is None
    await database.execute("update registration_writers set held_until = now() - interval '1 second'")
    assert (await registration_history.lease(database_of(server), "main", other)).term == 2
    assert (await registration_history.lease(database_of(server), "main", holder)).term is None
    await registration_history.release(database_of(server), "main", holder)  # not its own any more
    assert (await registration_history.lease(database_of(server), "main", holder)).term is None
    await registration_history.release(database_of(server), "main", other)
    assert (await registration_history.lease(database_of(server), "main", holder)).term == 3


async def test_a_call_server_that_postgresql_does_not_know_has_no_writer(server: Server) -> None:
    assert (await registration_history.lease(database_of(server), "elsewhere", uuid4())).term is None


async def test_what_is_stored_is_read_with_times_by_postgresqls_clock(server: Server, holder: UUID) -> None:
    now = uptime()
    await stored(server, holder, Change(FIRST, now - 50, True, exact=False), Change(FIRST, now - 20, False, exact=True))
    history = await registration_history.read(database_of(server), FIRST, "main", 1)
    assert [(change.registered, change.exact) for change in history.changes] == [(True, False), (False, True)]
    ages = [(history.now - change.at).total_seconds() for change in history.changes]
    assert ages == [pytest.approx(50, abs=5), pytest.approx(20, abs=5)]
    (observation,) = history.observations
    assert observation.until - observation.since == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1))
    assert await registration_history.last_values(database_of(server), "main", "") == {FIRST: False}
    assert await registration_history.last_values(database_of(server), "main", FIRST) == {}
    lease = await registration_history.lease(database_of(server), "main", holder)
    assert lease.observed_age == pytest.approx(0, abs=5)
    assert (await registration_history.read(database_of(server), SECOND, "main", 1)).changes == []


async def test_observations_that_touch_are_one_and_others_are_not(server: Server, holder: UUID) -> None:
    for since, until in ((100, 80), (80, 60), (90, 50), (30, 20), (30, 10)):
        await stored(server, holder, observed=(since, until))
    history = await registration_history.read(database_of(server), FIRST, "main", 1)
    lengths = [(each.until - each.since).total_seconds() for each in history.observations]
    assert lengths == [pytest.approx(50, abs=2), pytest.approx(20, abs=2)]
    (gap, *_) = report(history, 1).not_observed[1:]
    assert (gap.until - gap.since).total_seconds() == pytest.approx(20, abs=2)


async def test_a_day_has_room_for_a_hundred_changes_of_an_extension_and_counts_the_others(
    database: TestDatabase, server: Server, holder: UUID
) -> None:
    """A phone that comes and goes all day must not fill the disk."""
    now = uptime()
    (day,) = await database.rows("select extract(epoch from (now() at time zone 'UTC')::time)::float8 as seconds")
    step = min(day["seconds"], 50.0) / 400  # all on this side of midnight
    changes = [Change(FIRST, now - step * (260 - number), bool(number % 2), exact=True) for number in range(250)]
    assert await stored(server, holder, *changes[:60], Change(SECOND, now - step, True, exact=True)) == []
    assert await stored(server, holder, *changes[60:120]) == [FIRST]
    assert await stored(server, holder, *changes[120:]) == [FIRST]
    history = await registration_history.read(database_of(server), FIRST, "main", 1)
    assert len(history.changes) == MAX_PER_DAY
    assert [*history.left_out.values()] == [150]
    assert report(history, 1).not_observed[-1].until == history.now
    assert len((await registration_history.read(database_of(server), SECOND, "main", 1)).changes) == 1


async def test_what_is_older_than_thirty_days_is_forgotten(
    database: TestDatabase, server: Server, holder: UUID
) -> None:
    old = datetime.now(UTC) - timedelta(days=KEEP_DAYS, hours=1)
    await database.execute("insert into registration_changes values ($1, $2, true, true)", FIRST, old)
    await database.execute("insert into registration_observations values ('main', $1, $1)", old)
    await database.execute(
        "insert into registration_overflows values ($1, $2, 3)", FIRST, (old - timedelta(days=2)).date()
    )
    await stored(server, holder, Change(FIRST, uptime() - 1, False, exact=True))
    await registration_history.forget_old(database_of(server))
    counts = await database.rows(
        "select (select count(*) from registration_changes) as changes,"
        " (select count(*) from registration_observations) as observations,"
        " (select count(*) from registration_overflows) as overflows"
    )
    assert tuple(counts[0]) == (1, 1, 0)


async def test_a_deleted_extension_leaves_no_history_and_its_changes_are_ignored(
    database: TestDatabase, server: Server, holder: UUID
) -> None:
    await stored(server, holder, Change(SECOND, uptime() - 1, True, exact=True))
    await database.execute("delete from extensions where extension = $1", SECOND)
    await stored(server, holder, Change(SECOND, uptime(), False, exact=True), Change(FIRST, uptime(), True, exact=True))
    rows = await database.rows("select extension from registration_changes")
    assert [row["extension"] for row in rows] == [FIRST]


async def test_times_are_those_of_postgresql_whatever_this_machines_clock_says(server: Server, holder: UUID) -> None:
    await stored(server, holder, Change(FIRST, uptime() - 5, True, exact=True))
    history = await registration_history.read(database_of(server), FIRST, "main", 1)
    assert abs(history.now - datetime.now(UTC)) < timedelta(minutes=1)
