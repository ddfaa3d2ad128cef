"""A thousand phones are set up while PostgreSQL is stopped and killed: each ends with a password that works."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest

from local import ports
from local.postgres import Postgres
from tests.support.database import TestDatabase, make_database
from tests.support.eventually import eventually
from tests.support.pbx import Pbx, make_pbx
from tests.support.phone_setup import link_server
from tests.support.server import ADMIN, Server
from tests.support.sip_client import ask

PHONES, OWNERS = 1000, 250
AT_ONCE = 40
"""Phones that are set up at the same time."""
BACK_WITHIN = 60.0
"""Seconds after which a client is answered again at the latest."""
FIRST_OWNER = 100_000
PEOPLE = """
insert into users (user_id, uid, name, passwd, user_type)
select
    n,
    rpad(translate(n::text, '0123456789', 'abcdefghij'), 17, 'z'),
    'person ' || n,
    'h',
    'agent'
from generate_series($1::int, $2::int) as n
"""
EXTENSIONS = """
insert into extensions (extension, secret, call_server, profile, user_id)
select n::text, 'a secret of each phone', 'main', 'sip', n from generate_series($1::int, $2::int) as n
"""
SECRETS = "select endpoint, auth_username, secret from phones where kind = 'linphone'"


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    """A database on a server of its own, which the test stops and kills."""
    with Postgres(tmp_path_factory.mktemp("fragile"), options={"fsync": "off", "max_connections": "200"}) as server:
        yield make_database(server, "fragile")


@pytest.fixture(scope="module")
def fragile_pbx(tmp_path_factory: pytest.TempPathFactory, fragile: TestDatabase) -> Iterator[Pbx]:
    made = make_pbx(tmp_path_factory, fragile)
    with made.asterisk:
        yield made


@dataclass
class Setups:
    """The clients: what they were answered, and the phones that they have."""

    server: Server
    statuses: Counter[int] = field(default_factory=Counter)
    ha1s: dict[str, str] = field(default_factory=dict)
    """By endpoint: what the phone registers with."""
    done: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def insist(self, method: str, url: str, body: Any = None, headers: Any = None) -> Any:
        """The body of a 200. A client that is answered 503 asks again; any other answer fails."""

        async def answered() -> Any:
            async with self.server.client.session.request(method, url, json=body, headers=headers) as answer:
                self.statuses[answer.status] += 1
                text = await answer.text()
                if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    return None
                assert answer.status == HTTPStatus.OK, f"{method} {url.partition('/p/')[0]}: {answer.status} {text}"
                return await answer.json() if answer.content_type == "application/json" else text

        return await eventually(answered, BACK_WITHIN, f"{method} is answered; so far {self.statuses}")

    async def set_up(self, owner: str) -> None:
        """A phone from its making to the URL that it reads at each start."""
        given = {"username": owner, "kind": "linphone", "label": "Mobile"}
        made = await self.insist("POST", str(self.server.client.make_url("/api/v1/phones")), given, ADMIN)
        first = await self.insist("GET", made["setup"]["url"] + "/linphone.xml")
        later = await self.insist("GET", entry(first, "config-uri"))
        assert entry(later, "ha1") == entry(first, "ha1")
        self.ha1s[made["phone"]["endpoint"]] = entry(later, "ha1")
        self.done.release()


def entry(xml: str, name: str) -> str:
    (value,) = re.findall(rf'<entry name="{name}"[^>]*>([^<]*)</entry>', xml)
    return str(value)


async def restart(server: Postgres, kill: bool) -> None:
    await asyncio.to_thread(server.kill if kill else server.stop)
    server.start()  # in this thread: the child ends with the thread that started it
    await asyncio.to_thread(server.wait_ready)


@pytest.mark.timeout(300)
async def test_each_of_a_thousand_phones_ends_with_a_password_that_works(
    fragile: TestDatabase, fragile_pbx: Pbx
) -> None:
    last_owner = FIRST_OWNER + OWNERS - 1
    for statement in (PEOPLE, EXTENSIONS):
        await fragile.execute(statement, FIRST_OWNER, last_owner)
    # Without its link to Asterisk, which would have each new endpoint tracked: that takes longer than all the rest.
    async with link_server(fragile_pbx).running(database_deadline=1.0, ami_port=ports.free_port()) as server:
        setups = Setups(server)
        turn = asyncio.Semaphore(AT_ONCE)

        async def in_turn(owner: str) -> None:
            async with turn:
                await setups.set_up(owner)

        async def restarts() -> None:
            for kill in (False, True, True):
                for _ in range(PHONES // 5):
                    await setups.done.acquire()
                refused = setups.statuses[503]
                await restart(fragile.server, kill)
                assert setups.statuses[503] > refused

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(restarts())
            for number in range(PHONES):
                tasks.create_task(in_turn(f"person {FIRST_OWNER + number % OWNERS}"))
        assert set(setups.statuses) == {200, 503}
        assert len(setups.ha1s) == PHONES
        await work(fragile, fragile_pbx, setups.ha1s)


async def work(database: TestDatabase, pbx: Pbx, ha1s: dict[str, str]) -> None:
    """All phones have the passwords that are stored, and one of ten shows that Asterisk takes it.

    There may be more phones: one whose making was answered 503 may have been made.
    """
    rows = {row["endpoint"]: row for row in await database.rows(SECRETS)}
    for endpoint, ha1 in ha1s.items():
        username, secret = rows[endpoint]["auth_username"], rows[endpoint]["secret"]
        assert hashlib.md5(f"{username}:asterisk:{secret}".encode(), usedforsecurity=False).hexdigest() == ha1
    for endpoint in list(ha1s)[::10]:
        assert await ask(pbx.asterisk.config.sip_port, endpoint, "REGISTER", rows[endpoint]["secret"]) == 200
