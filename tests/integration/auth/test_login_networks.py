"""`auth_ip`: from where somebody may log in, where it is not empty."""

from __future__ import annotations

import json

import pytest

from service.web.auth.login_throttle import LOGIN_THROTTLE
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, Server, Start

PASSWORD = "demo-agent-password"
Tried = tuple[int, bytes]
BEHIND_A_PROXY = {"trusted_proxies": ["127.0.0.0/8"], "login_failures_per_minute": 100}


async def tried(
    server: Server, address: str, path: str = "/api/v1/login", password: str = PASSWORD
) -> tuple[int, bytes]:
    name = "email_or_name" if path == "/auth" else "user"
    given = {name: "dnhai", "password": password}
    answer = await server.client.post(path, json=given, headers={"X-Forwarded-For": address})
    return answer.status, await answer.read()


async def limited_to(server: Server, *networks: str) -> None:
    answer = await server.client.patch("/user/1795", json={"auth_ip": networks}, headers=ADMIN)
    assert (answer.status, (await answer.json())["payload"]["auth_ip"]) == (200, list(networks))


@pytest.mark.parametrize("path", ["/api/v1/login", "/auth"])
async def test_from_elsewhere_it_is_the_answer_to_a_wrong_password(
    database: TestDatabase, start: Start, path: str
) -> None:
    server = await start(database.settings(**BEHIND_A_PROXY))
    await limited_to(server, "192.0.2.0/28", "2001:db8::/32", "198.51.100.7")
    for address in ("192.0.2.15", "2001:db8::7", "198.51.100.7", "::ffff:192.0.2.1"):
        assert (await tried(server, address, path))[0] == 200
    wrong = await tried(server, "192.0.2.1", path, "wrong")
    assert wrong[0] == 401
    refused = server.app[LOGIN_THROTTLE].refused
    for address in ("192.0.2.16", "2001:db9::7", "198.51.100.8", "::ffff:192.0.2.16", "nonsense", "127.0.0.1"):
        assert await tried(server, address, path) == wrong
    assert server.app[LOGIN_THROTTLE].refused == refused + 6
    await limited_to(server)
    assert (await tried(server, "203.0.113.9", path))[0] == 200


HERE, ELSEWHERE = "192.0.2.7", "203.0.113.9"


@pytest.mark.parametrize(
    "lines",
    [
        ["192.0.2.7:4711"], ['"192.0.2.7:4711"'], ["::ffff:192.0.2.7"], ["[::ffff:c000:207]:4711"],
        ["[2001:db8::7]:4711"], ["2001:DB8:0::7"], ["[2001:db8::7%eth0]"], ["203.0.113.9, 192.0.2.7"],
        ["203.0.113.9", "192.0.2.7"],
        ["203.0.113.9, 192.0.2.7, , 127.0.0.1:80,"], ["192.0.2.7", "127.0.0.2, [::1]:443"], ["unknown, 192.0.2.7:4711"],
    ],
)  # fmt: skip
async def test_the_nearest_address_that_is_no_proxys_counts_however_it_is_written(
    database: TestDatabase, start: Start, lines: list[str]
) -> None:
    proxies = ["127.0.0.0/8", "::1/128"]
    server = await start(database.settings(trusted_proxies=proxies, login_failures_per_minute=100))
    await limited_to(server, HERE, "2001:db8::7")
    body = json.dumps({"user": "dnhai", "password": PASSWORD}).encode()
    headers = [f"X-Forwarded-For: {line}" for line in lines]

    async def status(*headers: str) -> int:
        return (await server.raw("/api/v1/login", *headers, method="POST", body=body)).status

    assert await status(*headers) == 200
    assert await status(*headers, f"X-Forwarded-For: {ELSEWHERE}:1") == 401
    assert await status(*headers, "X-Forwarded-For: unknown") == 401
    assert await status(f"Forwarded: for={HERE}") == 401


async def test_from_elsewhere_it_counts_as_a_failure(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(trusted_proxies=["127.0.0.0/8"], login_failures_per_minute=2))
    await limited_to(server, "192.0.2.1")
    assert [(await tried(server, "203.0.113.1"))[0] for _ in range(3)] == [401, 401, 429]


async def test_who_is_not_trusted_cannot_say_where_they_come_from(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings())
    await limited_to(server, "192.0.2.1")
    assert (await tried(server, "192.0.2.1"))[0] == 401
    await limited_to(server, "127.0.0.1")
    assert (await tried(server, "192.0.2.1"))[0] == 200


async def test_what_was_typed_into_sql_and_is_no_network_lets_nobody_in(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings())
    await database.execute("update users set auth_ip = '{localhost,*}' where user_id = 1795")
    assert (await tried(server, "127.0.0.1"))[0] == 401


async def test_a_token_that_was_opened_from_there_goes_on_elsewhere(database: TestDatabase, start: Start) -> None:
    """It is about opening one: phones roam."""
    server = await start(database.settings(**BEHIND_A_PROXY))
    headers = await server.headers_of()
    await limited_to(server, "192.0.2.1")
    for elsewhere in ("203.0.113.9", "192.0.2.1"):
        answer = await server.client.get("/api/v1/me", headers={**headers, "X-Forwarded-For": elsewhere})
        assert answer.status == 200
