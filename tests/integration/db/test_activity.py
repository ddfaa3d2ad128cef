"""Last login, its address, last use, online or not: true, and written in batches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.db.activity import Activity
from service.web.app_keys import ACTIVITY
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server, Start, serving, told

COUNTED = """
create table statements (at timestamptz default clock_timestamp());
create function count_statement() returns trigger language plpgsql security definer as $$
begin
    insert into statements default values;
    return null;
end $$;
create trigger count_statement after insert on activity
    for each statement execute function count_statement();
"""

SLOW = """
create function take_time() returns trigger language plpgsql as $$
begin
    perform pg_sleep(0.05);
    return new;
end $$;
create trigger take_time before update on activity for each row execute function take_time();
"""


async def shown(server: Server, user_id: int = 1795) -> dict[str, Any]:
    status, body = await told(await server.client.get(f"/user/{user_id}", headers=ADMIN))
    assert status == 200
    payload: dict[str, Any] = body["payload"]
    return {name: payload[name] for name in ("last_login_time", "login_ip", "last_seen", "is_online")}


async def test_who_never_came_was_never_seen(server: Server) -> None:
    assert await shown(server) == {"last_login_time": None, "login_ip": None, "last_seen": None, "is_online": 2}


async def test_a_login_is_told_at_once_and_after_it_was_written(server: Server) -> None:
    began = datetime.now(UTC)
    await server.login("dnhai", "demo-agent-password")
    at_once = await shown(server)
    assert (at_once["login_ip"], at_once["is_online"]) == ("127.0.0.1", 1)
    assert began <= datetime.fromisoformat(at_once["last_login_time"]) <= datetime.now(UTC)
    assert datetime.fromisoformat(at_once["last_seen"]) >= datetime.fromisoformat(at_once["last_login_time"])
    await server.app[ACTIVITY].flush()
    assert server.app[ACTIVITY].pending(1795) is None
    assert await shown(server) == at_once


async def test_another_replica_tells_it_once_it_was_written(database: TestDatabase, start: Start) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    await one.login("dnhai", "demo-agent-password")
    await one.app[ACTIVITY].flush()
    assert (await shown(other))["is_online"] == 1


async def test_a_use_is_seen_but_is_no_login(server: Server) -> None:
    await server.client.get("/api/v1/me", headers=await server.headers_of())
    seen = await shown(server)
    assert (seen["last_login_time"], seen["login_ip"], seen["is_online"]) == (None, None, 1)
    assert seen["last_seen"] is not None


@pytest.mark.parametrize(("seconds", "is_online"), [(280, 1), (301, 2)])
async def test_online_is_whoever_was_seen_within_300_seconds(
    database: TestDatabase, server: Server, seconds: int, is_online: int
) -> None:
    await database.execute(
        "insert into activity (user_id, last_seen) values (1795, $1)", datetime.now(UTC) - timedelta(seconds=seconds)
    )
    assert (await shown(server))["is_online"] == is_online


async def test_a_failed_login_is_no_use(server: Server) -> None:
    await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "wrong"})
    assert (await shown(server))["last_seen"] is None


async def test_a_batch_is_one_statement_and_an_empty_one_is_none(database: TestDatabase, server: Server) -> None:
    await database.execute(COUNTED)
    activity = server.app[ACTIVITY]
    for _ in range(50):
        for user_id in (1, 1795, 1796):
            activity.record_use(user_id)
    assert await database.rows("select from statements") == []
    await activity.flush()
    await activity.flush()
    assert len(await database.rows("select from statements")) == 1
    assert len(await database.rows("select from activity")) == 3


async def test_older_news_change_nothing(database: TestDatabase, server: Server) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    await database.execute("insert into activity values (1795, $1, '192.0.2.9', $1)", later)
    server.app[ACTIVITY].record_login(1795, "192.0.2.1")
    await server.app[ACTIVITY].flush()
    rows = await database.rows("select last_login_time, host(login_ip::inet) as ip, last_seen from activity")
    assert [tuple(row) for row in rows] == [(later, "192.0.2.9", later)]


async def test_the_last_batch_is_written_at_the_end(database: TestDatabase) -> None:
    async with serving(database.settings()) as server:
        await server.client.get("/api/v1/me", headers=ADMIN)
    assert len(await database.rows("select from activity where user_id = 1")) == 1


async def test_the_last_batch_is_written_although_it_takes_a_while(database: TestDatabase) -> None:
    """As over a slow line, and although one is being written when the process is told to end."""
    async with serving(database.settings()) as server:
        await server.client.get("/api/v1/me", headers=ADMIN)
        await database.execute(SLOW.replace("0.05", "0.7").replace("before update", "before insert or update"))
        server.app[ACTIVITY].record_use(1795)
    assert len(await database.rows("select from activity where user_id in (1, 1795)")) == 2


async def test_people_who_are_deleted_meanwhile_do_not_spoil_the_batch(database: TestDatabase, server: Server) -> None:
    activity = server.app[ACTIVITY]
    activity.record_use(1796)
    activity.record_use(1795)
    await database.execute("delete from users where user_id = 1796")
    await activity.flush()
    assert [row["user_id"] for row in await database.rows("select user_id from activity")] == [1795]


async def test_a_row_that_somebody_holds_only_delays_the_batch(database: TestDatabase, start: Start) -> None:
    """As two replicas do that write the same people in another order, or an operator in psql."""
    server = await start(database.settings(database_deadline=0.5))
    activity = server.app[ACTIVITY]
    await database.execute("insert into activity (user_id) values (1), (1795)")
    connection = await database.connect()
    async with connection.transaction():
        await connection.execute("update activity set login_ip = null where user_id = 1795")
        activity.record_use(1)
        activity.record_use(1795)
        await activity.flush()
        assert activity.pending(1795) is not None
    await connection.close()
    await activity.flush()
    assert activity.pending(1795) is None
    assert (await database.rows("select last_seen from activity where user_id = 1795"))[0]["last_seen"] is not None


async def test_replicas_that_write_the_same_people_do_not_lock_each_other_out(
    database: TestDatabase, start: Start
) -> None:
    people = [1, 1795, 1796, 1797, 1798]
    await database.execute("insert into activity (user_id) select unnest($1::bigint[])", people)
    await database.execute(SLOW)
    replicas = [(await start(database.settings())).app[ACTIVITY] for _ in range(2)]
    for replica, order in zip(replicas, (people, people[::-1]), strict=True):
        for user_id in order:
            replica.record_use(user_id)
    await asyncio.gather(*(replica.flush() for replica in replicas))
    assert [replica.pending(1) for replica in replicas] == [None, None]


async def test_a_person_that_goes_while_a_batch_is_written_ends_nothing(database: TestDatabase, server: Server) -> None:
    """The row vanishes between the join that found it and the foreign key's look at it."""
    activity = server.app[ACTIVITY]
    connection = await database.connect()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("delete from users where user_id = 1796")
    activity.record_use(1796)
    flush = asyncio.create_task(activity.flush())

    async def waits() -> bool:
        return bool(await database.rows("select from pg_locks where not granted"))

    await eventually(waits, what="the batch waits for the deletion")
    await transaction.commit()
    await connection.close()
    await flush


def test_what_one_did_not_write_yet_is_bounded_by_the_number_of_people() -> None:
    activity = Activity(None)  # type: ignore[arg-type]  # it is not asked
    for _ in range(1000):
        activity.record_use(1)
        activity.record_login(1, "192.0.2.1")
    seen = activity.pending(1)
    assert seen is not None
    assert len(activity._pending) == 1
