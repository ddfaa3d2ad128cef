"""`GET /user/list`: filters, order and pages; 10,000 users."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.db.user_list import OrderBy
from service.web.app_keys import ACTIVITY
from tests.integration.users.test_get import FIELDS
from tests.support.database import TestDatabase, cloned
from tests.support.server import Server, Start, serving, told
from tests.support.user_calls import NAMES, TOKEN, listed

MANY = 10_000
CROWD = """
insert into users (name, email, passwd, user_type, active, uid, first_name, create_time)
select 'Person ' || n, 'person' || n || '@example.com', '', case when n % 10 = 0 then 'client' else 'agent' end,
    n % 4 > 0, 'u' || translate(lpad(n::text, 16, 'x'), '01', 'ab'), case when n % 3 > 0 then 'F' || n % 7 end,
    '2020-01-01T00:00:00Z'::timestamptz + n * interval '1 minute'
from generate_series(1, $1::integer) as n
"""


async def crowd(database: TestDatabase, count: int = MANY) -> None:
    connection = await database.connect()
    await connection.execute(CROWD, count)
    await connection.close()


@pytest.fixture(scope="module")
async def crowded(template: TestDatabase) -> AsyncIterator[Server]:
    """A service with 10,000 users and the demo's five."""
    with cloned(template) as database:
        await crowd(database)
        async with serving(database.settings()) as server:
            yield server


async def ids(server: Server, **arguments: Any) -> list[int]:
    return [item["user_id"] for item in (await listed(server, per_page=200, **arguments))["items"]]


@pytest.mark.parametrize("path", ["/user/list", "/v1/user/list", "/v1//user//list"])
async def test_it_lists_users_with_their_39_fields(shared: Server, path: str) -> None:
    status, body = await told(await shared.client.get(path, headers=TOKEN))
    assert status == 200
    assert list(body) == ["success", "payload"]
    assert list(body["payload"]) == ["items", "total", "page", "per_page"]
    assert [item["user_id"] for item in body["payload"]["items"]] == [1, 1795, 1796, 1797, 1798]
    assert (body["payload"]["total"], body["payload"]["page"], body["payload"]["per_page"]) == (5, 0, 10)
    for item in body["payload"]["items"]:
        assert list(item) == FIELDS
        one = (await (await shared.client.get(f"/user/{item['user_id']}", headers=TOKEN)).json())["payload"]
        own = {"last_seen": ..., "is_online": ...} if item["user_id"] == 1 else {}
        assert {**item, **own} == {**one, **own}


async def test_a_setting_masks_the_hashes(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(mask_passwd=True))
    assert {item["passwd"] for item in (await listed(server))["items"]} == {""}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"user_type": "admin"}, [1]),
        ({"user_type": "agent"}, [1795, 1796, 1798]),
        ({"user_type": "agent", "active": "true"}, [1795, 1796]),
        ({"active": "false"}, [1798]),
        ({"user_type": "client", "active": "false"}, []),
        ({"order_by": "name"}, [1, 1796, 1795, 1798, 1797]),
        ({"order_by": "name", "order_dir": "desc"}, [1797, 1798, 1795, 1796, 1]),
        ({"order_by": "create_user_id"}, [1795, 1796, 1797, 1798, 1]),
        ({"order_by": "create_user_id", "order_dir": "desc"}, [1795, 1796, 1797, 1798, 1]),
        ({"order_by": "user_type", "order_dir": "desc"}, [1797, 1795, 1796, 1798, 1]),
        ({"page": "1", "per_page": "2"}, [1796, 1797]),
        ({"page": "2", "per_page": "2"}, [1798]),
    ],
)
async def test_filters_order_and_pages(shared: Server, arguments: dict[str, str], found: list[int]) -> None:
    assert [item["user_id"] for item in (await listed(shared, **arguments))["items"]] == found


async def test_a_text_is_searched_for_in_names_and_e_mails(database: TestDatabase, server: Server) -> None:
    await database.execute("update users set fullname = 'Zoë O''Hara', first_name = '100%' where user_id = 1797")
    for text, found in (
        ("DNHAI", [1795]),
        ("AGENT2@example", [1796]),
        ("o'hara", [1797]),
        ("ZOE\u0308 ", [1797]),
        ("ada", [1]),
        ("%", [1797]),
        ("_", []),
        ("1795", []),
        ("bea\nbea", []),
        ("' or true --", []),
        ("", [1, 1795, 1796, 1797, 1798]),
        (" ", [1, 1795, 1796, 1797, 1798]),
    ):
        assert await ids(server, search=text) == found, text
    assert await ids(server, search="example", user_type="agent", active="true") == [1795, 1796]
    assert (await listed(server, search="example.com", per_page=1, page=1))["total"] == 5


async def test_what_the_original_s_own_client_sends_is_understood(shared: Server) -> None:
    """Its tabs send empty arguments, and one without a `=` whose name is made up; it counts pages by `total`."""
    target = "/v1/user/list?order_by=user_id&order_dir=desc&user_type=admin&is_online-1&active=&page=0&per_page=10"
    answer = await shared.raw(target, f"X-Auth-Token: {TOKEN['X-Auth-Token']}")
    assert answer.status == 200
    assert [item["user_id"] for item in answer.json["payload"]["items"]] == [1]
    assert (answer.json["payload"]["total"], answer.json["payload"]["page"]) == (1, 0)


@pytest.mark.parametrize("column", list(OrderBy))
async def test_each_order_is_an_order_and_its_reverse_has_the_same_people(crowded: Server, column: OrderBy) -> None:
    def key(item: dict[str, Any]) -> Any:
        value = item[column]
        return value.lower() if isinstance(value, str) else value

    for direction in ("asc", "desc"):
        items = (await listed(crowded, order_by=column, order_dir=direction, per_page=200, user_type="client"))["items"]
        values = [key(item) for item in items if item[column] is not None]
        assert values == sorted(values, reverse=direction == "desc")
        nulls = [item[column] is None for item in items]
        assert nulls == sorted(nulls)


async def test_pages_of_10000_users_have_everybody_once(crowded: Server) -> None:
    """Also in an order in which nearly all are equal."""
    seen: list[int] = []
    for page in range(51):
        payload = await listed(crowded, order_by="active", order_dir="desc", page=page, per_page=200)
        assert payload["total"] == MANY + 5
        seen += [item["user_id"] for item in payload["items"]]
    assert len(seen) == len(set(seen)) == MANY + 5


async def test_a_page_beyond_the_end_is_empty_and_still_tells_the_total(crowded: Server) -> None:
    for page in (51, 10**6, 2**31 - 1):
        payload = await listed(crowded, page=page, per_page=200, user_type="agent")
        assert (payload["items"], payload["total"], payload["page"]) == ([], MANY // 10 * 9 + 3, page)


async def test_pages_are_stable_while_users_are_added(database: TestDatabase, server: Server) -> None:
    """In the order of their numbers new ones come last: nobody is skipped, nobody comes twice."""
    await crowd(database, 500)
    known = {row["user_id"] for row in await database.rows("select user_id from users")}
    seen: list[int] = []
    page, total = 0, 1
    while page * 20 < total:
        payload = await listed(server, page=page, per_page=20)
        assert payload["total"] >= total
        total, page = payload["total"], page + 1
        seen += [item["user_id"] for item in payload["items"]]
        await database.execute(
            "insert into users (name, passwd, user_type, uid) values ($1, '', 'agent', $2)",
            f"late {page}",
            "L" + f"{page:x>16}".translate(str.maketrans("01", "ab")),
        )
    assert len(seen) == len(set(seen))
    assert known <= set(seen)


async def test_items_and_total_are_of_one_moment(database: TestDatabase, server: Server) -> None:
    """While somebody empties and fills the table, each page agrees with its total."""
    stop = asyncio.Event()

    async def churn() -> None:
        connection = await database.connect()
        while not stop.is_set():
            await connection.execute("update users set user_type = 'client' where user_id > 1")
            await connection.execute("update users set user_type = 'agent' where user_id > 1")
        await connection.close()

    busy = asyncio.create_task(churn())
    try:
        totals = set()
        for _ in range(100):
            payload = await listed(server, user_type="client")
            assert len(payload["items"]) == payload["total"]
            totals.add(payload["total"])
        assert totals <= {0, 1, 4}  # one from before
    finally:
        stop.set()
        await busy


async def test_who_is_online_is_told_before_it_is_written_and_after(database: TestDatabase, server: Server) -> None:
    await database.execute(
        "insert into activity values (1796, $1, '192.0.2.7', $1), (1797, null, null, $2)",
        datetime.now(UTC) - timedelta(days=1),
        datetime.now(UTC) - timedelta(seconds=250),
    )
    await server.login("dnhai", "demo-agent-password")
    for _ in ("pending", "written"):
        assert await ids(server, is_online=1) == [1, 1795, 1797]
        assert await ids(server, is_online=2) == [1796, 1798]
        assert (await ids(server, order_by="last_login_time", order_dir="desc"))[:2] == [1795, 1796]
        assert set((await ids(server, order_by="last_seen", order_dir="desc"))[:2]) == {1, 1795}
        items = {item["user_id"]: item for item in (await listed(server))["items"]}
        assert (items[1795]["login_ip"], items[1795]["is_online"]) == ("127.0.0.1", 1)
        assert items[1795]["last_seen"] >= items[1795]["last_login_time"]
        assert (items[1796]["login_ip"], items[1796]["is_online"]) == ("192.0.2.7", 2)
        assert (items[1798]["last_seen"], items[1798]["is_online"]) == (None, 2)
        await server.app[ACTIVITY].flush()


async def test_what_is_being_written_is_not_forgotten_meanwhile(database: TestDatabase, server: Server) -> None:
    activity = server.app[ACTIVITY]
    await server.login("dnhai", "demo-agent-password")
    connection = await database.connect()
    async with connection.transaction():
        await connection.execute("lock table activity in exclusive mode")
        flush = asyncio.create_task(activity.flush())
        await asyncio.sleep(0)
        activity.record_use(1795)
        assert await ids(server, is_online=1) == [1, 1795]
        item = (await listed(server, is_online=1, order_by="name"))["items"][1]
        assert item["login_ip"] == "127.0.0.1"
    await connection.close()
    await flush
    assert await ids(server, is_online=1) == [1, 1795]


async def test_names_come_back_as_they_are(database: TestDatabase, server: Server) -> None:
    names = [*NAMES, unicodedata.normalize("NFD", "José")]
    for number, name in enumerate(names):
        await database.execute(
            "insert into users (user_id, name, passwd, user_type, uid) values ($1, $2, '', 'client', $3)",
            5000 + number,
            name,
            "N" * 16 + "abcdefghijkm"[number],
        )
    items = (await listed(server, user_type="client", order_by="user_id", per_page=200))["items"]
    assert [item["name"] for item in items if item["user_id"] >= 5000] == names
