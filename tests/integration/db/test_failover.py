"""A real standby is promoted while its primary is killed, frozen or restarted: nobody who polls notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.asterisk import Asterisk, Config, Database
from local.asterisk_programs import Programs
from service.cli.demo import SIP_PASSWORD
from service.db.connection import DatabaseLogin
from service.db.migrate import migrate
from service.errors import DatabaseUnavailable
from service.settings import Settings
from service.web.app_keys import DIRECTORY
from tests.integration.db.test_directory_trouble import polling
from tests.support import command_line
from tests.support.database import ASTERISK, OWNER, PASSWORD, TestDatabase, scratch
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.raw import request
from tests.support.served import Served, served
from tests.support.server import ADMIN, Server, Start
from tests.support.standby import HOSTS, NAME, Pair, as_standby, frozen

LIVE_WITHIN = 5.0
"""Seconds after a promotion within which everything is as always."""
CREDENTIALS = {"user": "dnhai", "password": "demo-agent-password"}


def settings(pair: Pair, **values: object) -> Settings:
    defaults = {"database_url": pair.url(), "requests_per_minute": 10**6, "directory_grace": 60.0}
    return pair.database.settings(**{**defaults, **values})


async def rotate(database: TestDatabase, text: str) -> None:
    await database.execute("update extensions set secret = $1 where extension = '12342'", text)


async def is_live_again(server: Server, database: TestDatabase, text: str, within: float = LIVE_WITHIN) -> None:
    """Changes of the new primary get here, answers are not marked, users and logins are answered."""
    end = time.monotonic() + within
    await rotate(database, text)

    async def live() -> bool:
        answer = await server.registration()
        assert answer.status == 200
        shown = (await answer.json())["extensionDetails"]["password"]
        return shown == text and "X-Directory-Stale-Since" not in answer.headers

    await eventually(live, max(0.1, end - time.monotonic()), "it is live again")
    assert (await server.client.get("/user/1795", headers=ADMIN)).status == 200
    assert (await server.client.post("/api/v1/login", json=CREDENTIALS)).status == 200


async def are_unavailable(server: Server) -> None:
    """Whoever needs PostgreSQL itself is told to come back."""
    for answer in (
        await server.client.get("/user/1795", headers=ADMIN),
        await server.client.post("/api/v1/login", json=CREDENTIALS),
    ):
        assert answer.status == 503, await answer.text()
        assert int(answer.headers["Retry-After"]) > 0


async def test_the_primary_is_killed_and_the_standby_promoted_under_polling(pair: Pair, start: Start) -> None:
    server = await start(settings(pair))
    headers = await server.login("dnhai", "demo-agent-password")
    await pair.caught_up()
    async with polling(server) as polls:
        await asyncio.to_thread(pair.primary.kill)
        await are_unavailable(server)
        await eventually(lambda: polls.stale, 15, "polls are marked")
        await are_unavailable(server)
        await pair.promote()
        await is_live_again(server, pair.promoted, "promoted")
        await server.answers(200, headers)
        await pair.promoted.execute("delete from tokens where user_id = 1795")
        await server.answers(401, headers)


async def test_a_frozen_primary_that_is_first_in_the_list_is_left_for_the_promoted_one(
    pair: Pair, start: Start
) -> None:
    server = await start(settings(pair))
    await asyncio.gather(*(server.client.get("/user/1795", headers=ADMIN) for _ in range(20)))
    async with polling(server):
        with frozen(pair.primary):
            await pair.promote()
            await is_live_again(server, pair.promoted, "promoted", within=3.0 + LIVE_WITHIN)
            late = await start(settings(pair))
            assert (await late.registration()).status == 200
            done = await asyncio.to_thread(command_line.command, both(pair), "user", "list")
            assert (done.returncode, "dnhai" in done.stdout) == (0, True), done.stderr
        for number in range(2):  # the old primary is back, and believes that it is one: nobody of ours goes there
            await is_live_again(server, pair.promoted, f"thawed-{number}")
        there = await pair.database.rows("select from pg_stat_activity where application_name like 'asterisk-conn%'")
        assert not there


async def test_a_server_that_comes_back_as_a_hot_standby_is_followed_once_it_is_promoted(
    pair: Pair, start: Start
) -> None:
    """The same host, the same address: it answers reads, but may be behind, and takes no LISTEN."""
    await asyncio.to_thread(pair.standby.stop)
    server = await start(settings(pair, database_url=pair.database.settings().database_url))
    async with polling(server) as polls:
        await asyncio.to_thread(pair.primary.stop)
        as_standby(pair.primary.folder)
        pair.primary.start()
        await asyncio.to_thread(pair.primary.wait_ready)
        await are_unavailable(server)
        await eventually(lambda: polls.stale, 15, "polls are marked")
        ready = await server.client.get("/readyz")
        assert (ready.status, (await ready.json())["status"]) == (200, "degraded")
        await are_unavailable(server)
        await asyncio.to_thread(pair.primary.sql, "select pg_promote()")
        await is_live_again(server, pair.database, "promoted")
    assert server.app[DIRECTORY].stale_since is None


async def test_a_start_waits_for_a_promotion(pair: Pair) -> None:
    await asyncio.to_thread(pair.primary.kill)
    login = DatabaseLogin(pair.url(), PASSWORD)
    with pytest.raises(DatabaseUnavailable, match=f"{HOSTS[0]}:.* {HOSTS[1]}:.*standby"):
        await login.connect()
    await pair.promote()
    connection = await login.connect()
    assert connection.host is not None
    assert connection.host.name == HOSTS[1]
    connection.terminate()


async def test_migrate_and_the_command_line_find_the_primary_wherever_it_stands(pair: Pair) -> None:
    made = settings(
        pair,
        database_url=pair.url(standby_first=True),
        owner_database_url=pair.url(OWNER, standby_first=True),
    )
    await migrate(made)
    variables = both(pair, standby_first=True)
    done = await asyncio.to_thread(command_line.command, variables, "user", "create", "new", given="a long password\n")
    assert done.returncode == 0, done.stderr
    assert await pair.database.rows("select from users where name = 'new'")


def both(pair: Pair, *, standby_first: bool = False) -> dict[str, str]:
    """A command's variables, with both hosts."""
    return command_line.environment(
        pair.database,
        DATABASE_URL=pair.url(standby_first=standby_first),
        OWNER_DATABASE_URL=pair.url(OWNER, standby_first=standby_first),
    )


@dataclass
class Crowd:
    """Pollers of several processes, each on connections of its own."""

    served: Served
    statuses: Counter[int] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        async def poll() -> None:
            while True:
                self.statuses[await self.served.poll()] += 1

        tasks = [asyncio.create_task(poll()) for _ in range(4)]
        try:
            yield
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_workers_follow_the_promoted_primary_and_no_process_ends(pair: Pair, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": pair.url(), "WORKERS": "2", "REQUESTS_PER_MINUTE": "1000000"}
    user = request("/user/1795", f"X-Auth-Token: {ADMIN['X-Auth-Token']}")
    async with served(pair.database, tmp_path, None, **variables) as service:
        await service.has_up(2)
        before = service.workers()
        crowd = Crowd(service)
        async with crowd.polling():
            await asyncio.to_thread(pair.primary.kill)
            await eventually(lambda: service.log.count("change_listener_down") >= 2)
            assert (await service.ask(user)).status == 503
            await pair.promote()
            promoted = time.monotonic()

            async def live() -> bool:
                metrics = await service.metrics()
                overdue = [line for line in metrics.splitlines() if line.startswith("connector_directory_overdue")]
                return len(overdue) == 2 and all(line.endswith(" 0.0") for line in overdue)

            await eventually(live, LIVE_WITHIN, "both workers are live again")
            assert time.monotonic() - promoted < LIVE_WITHIN + 1
            for _ in range(10):
                assert (await service.ask(user)).status == 200
        assert set(crowd.statuses) == {200}
        assert service.workers() == before
        assert "task_ended_unexpectedly" not in service.log


async def test_asterisk_starts_when_one_of_several_servers_takes_sessions(pair: Pair) -> None:
    """What the container's entrypoint waits with."""
    await asyncio.to_thread(pair.primary.kill)
    variables = {"DB_HOST": ",".join(HOSTS), "DB_PORT": str(pair.primary.port), "DB_NAME": NAME, "DB_USER": ASTERISK}
    waiting = await asyncio.create_subprocess_exec(
        str(command_line.ROOT / "asterisk/wait-for-postgresql"), env={**os.environ, **variables}
    )
    async with asyncio.timeout(30):
        assert await waiting.wait() == 0


async def test_a_phone_registers_after_the_promotion(pair: Pair, tmp_path: Path, programs: Programs) -> None:
    """Also with the libpq of the oldest Asterisk, which does not know the word `primary` yet."""
    target = "read-write" if "Asterisk 16." in programs.version else ""
    reads = Database(
        host=",".join(HOSTS), port=pair.primary.port, name=NAME, user=ASTERISK, password=PASSWORD, target=target
    )
    scratch(tmp_path)
    with Asterisk(tmp_path / "asterisk", Config(database=reads), programs=programs) as asterisk:
        pbx = Pbx(asterisk, pair.database)
        with pbx.phone("12342", SIP_PASSWORD) as phone:
            await asyncio.to_thread(phone.wait_registered)
        await pair.caught_up()
        await asyncio.to_thread(pair.primary.kill)
        await pair.promote()
        await rotate(pair.promoted, "another-secret")
        with pbx.phone("12342", "another-secret") as phone:
            await asyncio.to_thread(phone.wait_registered, 15)
