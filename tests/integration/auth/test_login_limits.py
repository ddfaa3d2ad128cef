"""Ten failed logins a minute, per account and per address."""

from __future__ import annotations

import asyncio
import re

import bcrypt
import pytest

from service.web.auth.login_throttle import LOGIN_THROTTLE
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import Server, Start

PASSWORD, WRONG = "demo-agent-password", "wrong"
PROXIED = {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}


@pytest.fixture
async def quick(database: TestDatabase) -> TestDatabase:
    """A database in which everybody has the same password."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await database.execute("update users set passwd = $1", hashed)
    return database


def from_(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def tried(server: Server, user: str, password: str = WRONG, forwarded: str | None = None) -> int:
    headers = from_(forwarded) if forwarded else {}
    answer = await server.client.post("/api/v1/login", json={"user": user, "password": password}, headers=headers)
    return answer.status


async def test_the_eleventh_failure_of_a_name_at_an_address_is_a_429_that_says_when(
    quick: TestDatabase, start: Start
) -> None:
    server = await start(quick.settings(**PROXIED))
    for number in range(10):
        assert await tried(server, "dnhai", forwarded=f"2001:db8:0:1::{number}") == 401
    answer = await server.client.post(
        "/api/v1/login",
        json={"user": "DNhai", "password": PASSWORD},
        headers={"X-Forwarded-For": "2001:db8:0:1:ffff::"},
    )
    seconds = int(answer.headers["Retry-After"])
    assert 30 < seconds <= 60
    expected = (
        '{"success":false,"error":"Error, too many requests. Please slow down. You must wait '
        f'{seconds} seconds before trying this endpoint again. [error-too-many-requests]"}}'
    )
    assert (answer.status, await answer.text()) == (429, expected)
    assert await tried(server, "dnhai", PASSWORD, forwarded="2001:db8:0:2::1") == 200


async def test_nobody_is_locked_out_at_an_address_where_they_logged_in_before(
    quick: TestDatabase, start: Start
) -> None:
    """Whether all the world guesses their password, or somebody behind the same address guesses everybody's."""
    server = await start(quick.settings(**PROXIED, login_failures_per_minute=2))
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") == 200
    for number in range(10):
        assert [await tried(server, "dnhai", forwarded=f"198.51.100.{number}") for _ in range(2)] == [401] * 2
    for user in ("agent2", "admin", "nobody", "dnhai"):
        await tried(server, user, forwarded="192.0.2.1")
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.99") == 429
    assert await tried(server, "agent2", PASSWORD, forwarded="192.0.2.1") == 429
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") == 200
    assert await tried(server, "dnhai", forwarded="192.0.2.1") == 429, "a second wrong password, of two"
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") == 429


async def test_where_somebody_logged_in_is_known_after_a_restart_and_to_other_replicas(
    quick: TestDatabase, start: Start
) -> None:
    await quick.execute(
        "insert into activity (user_id, last_login_time, login_ip) values (1795, now() - interval '9 d', '192.0.2.1')"
    )
    server = await start(quick.settings(**PROXIED, login_failures_per_minute=1))
    for number in range(10):
        assert await tried(server, "dnhai", forwarded=f"198.51.100.{number}") == 401
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.2") == 429
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") == 200


@pytest.mark.parametrize("path", ["/api/v1/login", "/auth"])
async def test_answers_never_tell_which_names_there_are(quick: TestDatabase, start: Start, path: str) -> None:
    """A name, its e-mail and other spellings, from many addresses and from one: an unknown one is answered the same."""
    server = await start(quick.settings(**PROXIED, login_failures_per_minute=2))
    field = "email_or_name" if path == "/auth" else "user"

    async def answers(name: str, network: str) -> list[tuple[int, str]]:
        assert await tried(server, "admin", PASSWORD, forwarded=f"{network}.99") == 200
        spellings = [name, name.upper(), f"{name}@example.com", f"{name.title()}@EXAMPLE.com"]
        asked = [(state_names, f"{network}.{number}") for number in range(6) for state_names in spellings * 2]
        asked += [(state_names, f"{network}.99") for state_names in spellings * 4]
        found = []
        for state_names, address in asked:
            given = {field: state_names, "password": WRONG}
            answer = await server.client.post(path, json=given, headers=from_(address))
            found.append((answer.status, re.sub(r"[0-9]+ seconds", "", await answer.text())))
        return found

    known, unknown = await answers("agent2", "198.51.100"), await answers("nobody", "203.0.113")
    assert known == unknown
    assert {status for status, _ in known} == {401, 429}


async def test_a_right_login_gets_in_while_80_addresses_guess(database: TestDatabase, start: Start) -> None:
    """Passwords are checked so slowly that some wait."""
    server = await start(database.settings(**PROXIED), hash_rounds=9)
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") == 200

    async def guess(number: int) -> None:
        while True:
            await tried(server, f"user{number}", forwarded=f"198.51.100.{number}")

    async with asyncio.TaskGroup() as tasks:
        guessing = [tasks.create_task(guess(number)) for number in range(80)]
        await eventually(lambda: server.app[LOGIN_THROTTLE].refused >= 5, 30, "they guess")
        statuses = [await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") for _ in range(6)]
        for task in guessing:
            task.cancel()
    assert statuses == [200] * 6


async def test_the_eleventh_failure_of_an_address_is_a_429_whatever_the_account(
    quick: TestDatabase, start: Start
) -> None:
    server = await start(quick.settings(**PROXIED))
    users = ["dnhai", "agent2", "admin", "nophone", "inactive"] * 2
    assert [await tried(server, user, forwarded="192.0.2.1") for user in users] == [401] * 10
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.1") == 429
    assert await tried(server, "dnhai", PASSWORD, forwarded="192.0.2.2") == 200


async def test_both_families_share_the_limit_and_each_answers_in_its_envelope(
    quick: TestDatabase, start: Start
) -> None:
    server = await start(quick.settings(login_failures_per_minute=1))
    assert await tried(server, "dnhai") == 401
    answer = await server.client.post("/v1/auth", json={"email_or_name": "dnhai", "password": PASSWORD})
    body = await answer.json()
    assert (answer.status, body["error_type"], body["error"]["reason"]) == (429, *["too_many_requests"] * 2)
    assert re.fullmatch(r"[0-9]+", answer.headers["Retry-After"])


async def test_of_30_wrong_logins_at_once_ten_are_checked(quick: TestDatabase, start: Start) -> None:
    server = await start(quick.settings())
    statuses = await asyncio.gather(*(tried(server, "dnhai") for _ in range(30)))
    assert sorted(statuses) == [401] * 10 + [429] * 20


async def test_of_30_right_logins_at_once_all_succeed(quick: TestDatabase, start: Start) -> None:
    """A shift begins: everybody comes through one address, and nobody has failed."""
    server = await start(quick.settings())
    statuses = await asyncio.gather(*(tried(server, "dnhai", PASSWORD) for _ in range(30)))
    assert statuses == [200] * 30


async def test_right_logins_do_not_count(quick: TestDatabase, start: Start) -> None:
    server = await start(quick.settings(login_failures_per_minute=2))
    assert await tried(server, "dnhai") == 401
    assert [await tried(server, "dnhai", PASSWORD) for _ in range(5)] == [200] * 5
    assert [await tried(server, "dnhai"), await tried(server, "dnhai")] == [401, 429]


@pytest.mark.parametrize(
    ("peers", "forwarded", "same"),
    [
        ([], ["192.0.2.1", "192.0.2.2"], True),
        (["10.0.0.0/8"], ["192.0.2.1", "192.0.2.2"], True),
        (["127.0.0.1"], ["192.0.2.1", "192.0.2.2"], False),
        (["127.0.0.1"], ["198.51.100.7, 192.0.2.1", "198.51.100.8, 192.0.2.1"], True),
        (["127.0.0.1", "10.0.0.0/8"], ["192.0.2.1, 10.0.0.1", "192.0.2.2, 10.0.0.1"], False),
        (["127.0.0.1"], ["nonsense-1", "nonsense-2"], True),
        (["127.0.0.1"], ["192.0.2.1, nonsense-1", "192.0.2.2, nonsense-2"], True),
    ],
    ids=["nobody trusted", "peer not trusted", "trusted", "made up by the client", "two proxies", "none", "noise"],
)
async def test_forwarded_addresses_are_believed_only_from_trusted_proxies(
    quick: TestDatabase, start: Start, peers: list[str], forwarded: list[str], same: bool
) -> None:
    server = await start(quick.settings(trusted_proxies=peers, login_failures_per_minute=1))
    first, second = forwarded
    assert await tried(server, "dnhai", forwarded=first) == 401
    assert await tried(server, "agent2", forwarded=second) == (429 if same else 401)
