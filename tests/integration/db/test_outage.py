"""PostgreSQL away, back, killed and frozen: answers in time, in the right envelope, and healed without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from local.postgres import Postgres
from service.settings import Settings
from tests.support import command_line
from tests.support.database import TestDatabase, make_database
from tests.support.eventually import eventually
from tests.support.raw import RawAnswer, raw, request
from tests.support.server import ADMIN, REGISTRATION, Server, Start, told
from tests.support.standby import frozen

DEADLINE = 1.0
NOTICED = 5.0
GRACE = 6.0
"""Seconds after which memory is marked as stale, and for which it goes on answering then."""
SLACK = 3.0
"""Seconds that a busy machine may take for the answers themselves."""
UNAVAILABLE = b'{"success":false,"error":"Service unavailable"}'
USER_UNAVAILABLE = (
    b'{"error_type":"service_unavailable","success":false,'
    b'"error":{"message":"The database is out of reach","reason":"service_unavailable"}}'
)
POLLS = [
    ("GET", f"{REGISTRATION}?id=ByehQjC44FwMeiLbX", UNAVAILABLE),
    ("GET", "/api/v1/me", UNAVAILABLE),
]
"""What is answered from memory for a while."""
REQUESTS = [
    ("POST", "/api/v1/login", UNAVAILABLE),
    ("GET", "/v1//user/1795", USER_UNAVAILABLE),
    ("POST", "/v1/auth", USER_UNAVAILABLE),
]


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    """A database on a server of its own, which these tests kill and freeze."""
    with Postgres(tmp_path_factory.mktemp("fragile"), options={"fsync": "off"}) as server:
        yield make_database(server, "fragile")


def settings(database: TestDatabase, **values: object) -> Settings:
    defaults = {"database_deadline": DEADLINE, "login_failures_per_minute": 1000, "directory_grace": GRACE}
    return database.settings(**{**defaults, **values})


async def asked(server: Server, method: str, path: str) -> RawAnswer:
    body = b'{"user":"dnhai","email_or_name":"dnhai","password":"x"}' if method == "POST" else b""
    lines = [f"{name}: {value}" for name, value in ADMIN.items()]
    return await server.raw(path, *lines, "Content-Type: application/json", method=method, body=body)


async def assert_refused(server: Server, requests: list[tuple[str, str, bytes]]) -> None:
    """Each is refused in its family's envelope, within the deadline."""
    began = time.monotonic()
    answers = await asyncio.gather(*(asked(server, method, path) for method, path, _ in requests))
    assert time.monotonic() - began < DEADLINE + SLACK
    for answer, (_, path, body) in zip(answers, requests, strict=True):
        assert (answer.status, answer.body) == (503, body), path
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["cache-control"] == "no-store"


async def assert_polls_end(server: Server) -> None:
    """Polls are answered from memory, unmarked while nobody can know better, then marked, then no more."""
    answer = await server.registration()
    assert answer.status == 200

    async def marked() -> bool:
        answer = await server.registration()
        assert answer.status == 200
        return "X-Directory-Stale-Since" in answer.headers

    await eventually(marked, NOTICED + SLACK)
    ready = await server.client.get("/readyz")
    assert (ready.status, (await ready.json())["directory"]["freshness"]) == (200, "stale")
    just_issued = {**ADMIN, "X-Auth-Token": "i" * 43}  # by another replica, perhaps, which reaches PostgreSQL
    assert (await server.registration(headers=just_issued)).status == 503
    assert (await server.client.get("/user/1795", headers=just_issued)).status == 503
    await server.answers(503, within=GRACE + SLACK)
    await assert_refused(server, POLLS)
    ready = await server.client.get("/readyz")
    assert (ready.status, (await ready.json())["status"]) == (503, "unavailable")
    found = await (await server.client.get("/status/12342")).json()
    assert (found["directory"]["freshness"], found["reason"]["code"]) == ("unavailable", "directory-stale")
    assert await told(await server.client.get("/livez")) == (200, {"status": "alive"})


async def answers_again(server: Server) -> None:
    async def well() -> bool:
        return (await server.registration()).status == 200

    await eventually(well, what="registration info is answered again")
    assert (await server.client.get("/user/1795", headers=ADMIN)).status == 200
    assert (await server.client.get("/readyz")).status == 200


async def connections(database: TestDatabase) -> int:
    rows = await database.rows("select count(*) from pg_stat_activity where usename = 'connector_service'")
    return int(rows[0]["count"])


async def test_a_killed_server_is_a_503_and_its_return_heals(fragile: TestDatabase, start: Start) -> None:
    server = await start(settings(fragile))
    await answers_again(server)
    await asyncio.to_thread(fragile.server.kill)
    try:
        await assert_refused(server, REQUESTS)
        await assert_polls_end(server)
    finally:
        fragile.server.start()
        await asyncio.to_thread(fragile.server.wait_ready)
    await answers_again(server)


async def test_a_frozen_server_is_a_503_within_the_deadline_and_its_return_heals(
    fragile: TestDatabase, start: Start
) -> None:
    server = await start(settings(fragile, database_pool=3))
    await answers_again(server)
    with frozen(fragile.server):
        await assert_refused(server, REQUESTS)
        began = time.monotonic()
        many = await asyncio.gather(*(server.client.get("/user/1795", headers=ADMIN) for _ in range(30)))
        assert {answer.status for answer in many} == {503}
        assert time.monotonic() - began < DEADLINE + SLACK
        await assert_polls_end(server)
    await answers_again(server)

    async def none_leaked() -> bool:
        return await connections(fragile) <= 3 + 1  # the pool, and the one that listens

    await eventually(none_leaked, what="no more connections than the pool's and the listener's")
    answers = await asyncio.gather(*(server.client.get("/user/1795", headers=ADMIN) for _ in range(30)))
    assert {answer.status for answer in answers} == {200}


async def test_a_client_that_goes_away_gives_its_connection_back(fragile: TestDatabase, start: Start) -> None:
    server = await start(settings(fragile, database_pool=2))
    await answers_again(server)
    with frozen(fragile.server):
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await raw(server.port, request("/user/1", f"X-Auth-Token: {ADMIN['X-Auth-Token']}"), within=0.1)
    await answers_again(server)


@asynccontextmanager
async def process(variables: dict[str, str]) -> AsyncIterator[command_line.Process]:
    serving = command_line.started(variables, "serve")
    try:
        yield serving
    finally:
        if serving.poll() is None:
            serving.kill()
            serving.communicate()


def starting(database: TestDatabase, port: int, deadline: str) -> dict[str, str]:
    return command_line.environment(
        database, HTTP_PORT=str(port), DATABASE_START_DEADLINE=deadline, LOG_FORMAT="console"
    )


async def test_a_start_without_postgresql_waits_and_then_says_why_in_one_line(fragile: TestDatabase) -> None:
    fragile.server.stop()
    try:
        began = time.monotonic()
        async with process(starting(fragile, settings(fragile).http_port, "2")) as serving:
            done = await asyncio.to_thread(command_line.ended, serving)
        assert time.monotonic() - began > 1.5
        assert done.returncode == 2
        assert done.stdout == ""
        *logged, last = done.stderr.splitlines()
        assert last.startswith("error: no PostgreSQL within 2 s: ")
        assert "[Errno 111] Conn" in last
        assert len(logged) == 1
        assert "database_unavailable" in logged[0]
    finally:
        fragile.server.start()
        await asyncio.to_thread(fragile.server.wait_ready)


async def test_a_start_goes_on_when_postgresql_comes_in_time(fragile: TestDatabase) -> None:
    port = settings(fragile).http_port
    fragile.server.stop()
    async with process(starting(fragile, port, "30")) as serving:
        line = await asyncio.to_thread(serving.stderr.readline)  # type: ignore[union-attr]
        assert "database_unavailable" in line
        fragile.server.start()
        await asyncio.to_thread(fragile.server.wait_ready)

        async def ready() -> bool:
            try:
                return (await raw(port, request("/readyz"))).status == 200
            except OSError:
                return False

        await eventually(ready, what="it serves")
        serving.terminate()
        done = await asyncio.to_thread(command_line.ended, serving)
    assert done.returncode == 0, done.stderr


async def test_a_database_that_was_never_migrated_is_said_in_one_line(fragile: TestDatabase) -> None:
    fragile.server.sql("create database bare")
    bare = TestDatabase(fragile.server, "bare")
    done = await asyncio.to_thread(command_line.command, command_line.environment(bare), "serve")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the schema has revision none")
    assert line.endswith("run `python -m service migrate` as the owner")


async def test_a_wrong_password_is_said_and_not_shown(fragile: TestDatabase) -> None:
    variables = {**starting(fragile, 1, "1"), "CONNECTOR_DATABASE_PASSWORD": "hunter2"}
    done = await asyncio.to_thread(command_line.command, variables, "serve")
    assert done.returncode == 2
    assert "password authentication failed" in done.stderr.splitlines()[-1]
    assert "hunter2" not in done.stderr
