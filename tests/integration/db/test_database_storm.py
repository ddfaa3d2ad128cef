"""Sessions that are cancelled, ended and forgotten at random moments: each request is answered, and told the truth."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import ClientResponse
from structlog.testing import capture_logs

from local.postgres import Postgres
from service.db import users
from service.web.app_keys import ACTIVITY, DATABASE
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server, Start

SECONDS = 4.0
OURS = "from pg_stat_activity where datname = current_database() and usename = 'connector_service'"
HARM = (
    f"select pg_cancel_backend(pid) {OURS}",
    f"select pg_terminate_backend(pid) {OURS} and random() < 0.5",
    f"select pg_terminate_backend(pid) {OURS} and application_name like '%changes'",
    "alter table users alter column email type varchar(500)",
    "alter table users alter column email type text",
    "select pg_notify('connector_changes', repeat('x', 7000))",
    "begin; lock table users in access exclusive mode; select pg_sleep(0.05); commit",
)


async def test_a_storm_of_lost_sessions_is_answered_with_200_or_503_and_nothing_else(
    database: TestDatabase, start: Start
) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)
    dice = random.Random(seed)
    with capture_logs() as lines:
        server = await start(database.settings(database_deadline=2.0, requests_per_minute=10**6, database_pool=4))
        statuses: Counter[tuple[str, int]] = Counter()
        end = time.monotonic() + SECONDS

        async def ask(name: str, question: Callable[[], Awaitable[ClientResponse]]) -> None:
            while time.monotonic() < end:
                answer = await question()
                statuses[name, answer.status] += 1
                assert answer.status != 503 or int(answer.headers["Retry-After"]) > 0
                server.app[ACTIVITY].record_use(1795)
                await server.app[ACTIVITY].flush()

        client = server.client
        questions: dict[str, Callable[[], Awaitable[ClientResponse]]] = {
            "poll": server.registration,
            "user": lambda: client.get("/user/1795", headers=ADMIN),
            "list": lambda: client.get("/user/list", headers=ADMIN),
            "change": lambda: client.patch("/user/1796", headers=ADMIN, json={"first_name": secrets.token_hex(4)}),
            "ticket": lambda: client.post("/api/v1/presence/streamTicket", headers=ADMIN),
        }
        superuser = await database.connect(Postgres.superuser)
        async with asyncio.TaskGroup() as tasks:
            for name, question in questions.items():
                for _ in range(2):
                    tasks.create_task(ask(name, question))
            while time.monotonic() < end:
                await superuser.execute(dice.choice(HARM))
                await asyncio.sleep(dice.uniform(0, 0.02))
        await superuser.close()
        await is_well(server)
    bugs = [str(line.get("exc_info")) for line in lines if line["log_level"] in ("error", "critical")]
    assert not bugs, (seed, bugs)
    assert {status for _, status in statuses} <= {200, 503}, (seed, statuses)
    assert {status for name, status in statuses if name == "poll"} == {200}, (seed, statuses)
    assert any(status == 503 for _, status in statuses), "the storm harmed nobody"


async def is_well(server: Server) -> None:
    async def well() -> bool:
        return (await server.client.get("/user/1795", headers=ADMIN)).status == 200

    await eventually(well, what="users are answered again")
    assert await users.find_login(server.app[DATABASE], "dnhai")
