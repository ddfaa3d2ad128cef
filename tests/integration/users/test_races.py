"""Two admins at once, and an admin beside everybody else: one of them wins, and nothing is left in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from service.db import extensions
from service.web.app_keys import DATABASE
from tests.support.database import TestDatabase
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, Server, Start

NEW = {"name": "newcomer", "passwd": "a password", "user_type": "agent"}
LAST_ADMIN = {
    "error_type": "operation_error",
    "success": False,
    "error": {"message": "This is the last active admin", "reason": "last_admin"},
}
Answer = tuple[int, Any]


async def ask(server: Server, method: str, path: str, given: Any = None, headers: dict[str, str] = ADMIN) -> Answer:
    answer = await server.client.request(method, path, json=given, headers=headers)
    return answer.status, await answer.json()


@pytest.fixture
async def two(database: TestDatabase, start: Start) -> tuple[Server, Server]:
    """Two replicas."""
    return await start(database.settings()), await start(database.settings())


AWAY: list[tuple[str, Any]] = [
    ("DELETE", None),
    ("PATCH", {"active": False}),
    ("PATCH", {"user_type": "agent"}),
    ("PATCH", {"user_type": "client", "active": True}),
]


@pytest.mark.parametrize(("method", "given"), AWAY)
async def test_the_last_active_admin_stays(server: Server, method: str, given: Any) -> None:
    assert await ask(server, method, "/user/1", given) == (409, LAST_ADMIN)
    await ask(server, "PATCH", "/user/1798", {"user_type": "admin"})  # is not active
    assert await ask(server, method, "/user/1", given) == (409, LAST_ADMIN)
    assert (await ask(server, "PATCH", "/user/1", {"fullname": "The One", "active": True, "user_type": "admin"}))[
        0
    ] == 200
    await ask(server, "PATCH", "/user/1797", {"user_type": "admin"})
    assert (await ask(server, method, "/user/1", given))[0] == 200
    assert (await ask(server, "GET", "/user/1797"))[0] == (403 if given and given.get("active", True) else 401)


@pytest.mark.parametrize(("method", "given"), AWAY[:3])
async def test_of_two_admins_who_remove_each_other_one_stays(
    database: TestDatabase, two: tuple[Server, Server], method: str, given: Any
) -> None:
    one, other = two
    for _ in range(5):
        await database.execute("update users set active = true, user_type = 'admin' where user_id in (1, 1795)")
        if not await database.rows("select from users where user_id = 1795"):
            await database.execute(
                "insert into users (user_id, name, passwd, user_type, uid) values (1795, 'dnhai', '', 'admin', $1)",
                "ByehQjC44FwMeiLbX",
            )
        if not await database.rows("select from users where user_id = 1"):
            await database.execute(
                "insert into users (user_id, name, passwd, user_type, uid) values (1, 'admin', '', 'admin', $1)",
                "6vHSSqdBHdm2R4gfi",
            )
        first, second = await one.headers_of(1, "6vHSSqdBHdm2R4gfi"), await other.headers_of()
        for server, headers in ((one, first), (other, second)):
            assert (await ask(server, "GET", "/user/list", headers=headers))[0] == 200
        answers = await asyncio.gather(
            ask(one, method, "/user/1795", given, first), ask(other, method, "/user/1", given, second)
        )
        statuses = sorted(status for status, _ in answers)
        assert statuses[0] == 200
        assert statuses[1] in (401, 403, 409)  # too late for anything, or refused as the last one
        rows = await database.rows("select from users where user_type = 'admin' and active")
        assert len(rows) == 1


async def test_of_many_who_take_the_same_name_one_gets_it(database: TestDatabase, two: tuple[Server, Server]) -> None:
    names = ["newcomer", "NewComer", "NEWCOMER"] * 4
    answers = await asyncio.gather(
        *(ask(two[n % 2], "POST", "/user/create", NEW | {"name": name}) for n, name in enumerate(names))
    )
    assert Counter(status for status, _ in answers) == {200: 1, 400: 11}
    errors = [body["errors"] for status, body in answers if status == 400]
    assert errors == [{"name": ["is another user's"]}] * 11
    assert len(await database.rows("select from users where lower(name) = 'newcomer'")) == 1


async def test_of_two_who_take_the_same_e_mail_one_gets_it(two: tuple[Server, Server]) -> None:
    for number in range(5):
        email = f"shared{number}@example.com"
        answers = await asyncio.gather(
            ask(two[0], "PATCH", "/user/1795", {"email": email}),
            ask(two[1], "PATCH", "/user/1796", {"email": email.upper()}),
        )
        assert sorted(status for status, _ in answers) == [200, 400]
        assert next(body["errors"] for status, body in answers if status == 400) == {"email": ["is another user's"]}


async def test_two_admins_who_change_different_fields_of_one_user_both_do(two: tuple[Server, Server]) -> None:
    for number in range(10):
        given: list[dict[str, Any]] = [
            {"fullname": f"full {number}"},
            {"carrier_name": f"carrier {number}"},
            {"auth_ip": [f"192.0.2.{number}"]},
            {"client": {"number": number}},
        ]
        answers = await asyncio.gather(*(ask(two[n % 2], "PATCH", "/user/1795", each) for n, each in enumerate(given)))
        assert [status for status, _ in answers] == [200] * 4
        _, body = await ask(two[0], "GET", "/user/1795")
        for each in given:
            assert each.items() <= body["payload"].items()


async def test_a_user_who_is_deleted_while_an_extension_is_assigned_leaves_nothing_behind(
    database: TestDatabase, two: tuple[Server, Server]
) -> None:
    server, other = two
    for number in range(8):
        _, made = await ask(server, "POST", "/user/create", NEW)
        user_id, extension = made["payload"]["user_id"], f"7100{number}"
        await extensions.create(server.app[DATABASE], extension, "main", "sip", "the first secret", origin=PREPARED)
        body = {"username": NEW["name"], "extension": extension}
        assigned, deleted = await asyncio.gather(
            ask(other, "POST", "/api/v1/omnichannel/agent/extension", body), ask(server, "DELETE", f"/user/{user_id}")
        )
        assert deleted[0] == 200, deleted
        assert assigned[0] in (200, 404), assigned
        row = (await database.rows("select user_id, secret from extensions where extension = $1", extension))[0]
        assert row["user_id"] is None
        assert (row["secret"] == "the first secret") == (assigned[0] == 404)


async def test_a_user_who_is_deleted_while_they_log_in_has_no_token_afterwards(
    database: TestDatabase, two: tuple[Server, Server]
) -> None:
    server, other = two
    for _ in range(5):
        _, made = await ask(server, "POST", "/user/create", NEW)
        user_id = made["payload"]["user_id"]
        given = {"user": NEW["name"], "password": NEW["passwd"]}
        _, (status, body) = await asyncio.gather(
            ask(server, "DELETE", f"/user/{user_id}"), ask(other, "POST", "/api/v1/login", given, headers={})
        )
        assert status in (200, 401), body
        assert await database.rows("select from tokens where user_id = $1", user_id) == []
