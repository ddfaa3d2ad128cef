"""A storm of changes in Asterisk and PostgreSQL: who applies what they are told ends with the picture, in order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from local.baresip import PhoneError
from service.cli.demo import SIP_PASSWORD
from service.web.app_keys import PRESENCE_FEED
from tests.support.ami import Ami
from tests.support.database import TestDatabase
from tests.support.events import EventReader, apply, events
from tests.support.eventually import eventually
from tests.support.links import storm
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, Server, Start
from tests.support.sizes import Record, size

PATH = "/api/v1/presence"
ROUNDS = size("presence_rounds", 40, 1_000)
NUMBERS = [f"7{number:03}" for number in range(40)]
SHOWN = ("extension", "userId", "state", "registered", "inCall", "presence", "message", "live")
Known = dict[str, dict[str, Any]]


class Poller:
    """Applies what each poll tells; `wait` makes it a long-poll."""

    def __init__(self, server: Server, wait: str) -> None:
        self._server = server
        self._wait = wait
        self.known: Known = {}
        self.cursors: list[str] = []

    async def poll(self) -> None:
        query = {"wait": self._wait, **({"since": self.cursors[-1]} if self.cursors else {})}
        answer = await self._server.client.get(PATH, headers=ADMIN, params=query)
        body = await answer.json()
        assert answer.status == 200
        assert body["full"] is not bool(self.cursors), "a cursor of this process is enough"
        apply(self.known, body["presence"])
        if not self.cursors or body["presence"]:
            self.cursors.append(body["cursor"])

    async def follow(self) -> None:
        while True:
            await self.poll()


async def in_asterisk(ami: Ami) -> None:
    """People's presence, as the dialplan or a phone would set it."""
    for turn in range(ROUNDS):
        for number in random.sample(["12342", "12343", *NUMBERS], 10):
            state = random.choice(("available", "away", "dnd", "xa", "chat"))
            await ami.ask("Setvar", Variable=f"PRESENCE_STATE(CustomPresence:{number})", Value=f"{state},,{turn}")


async def in_postgresql(database: TestDatabase) -> None:
    connection = await database.connect()
    for _ in range(ROUNDS):
        number = random.choice(NUMBERS)
        statement = random.choice(
            (
                "delete from extensions where extension = $1",
                "update extensions set enabled = not enabled where extension = $1",
                "insert into extensions (extension, secret, call_server) values ($1, 's', 'main') "
                "on conflict do nothing",
                "update extensions set user_id = case when user_id is null then 1797 end where extension = $1 "
                "and not exists (select from extensions where user_id = 1797 and extension <> $1)",
                "update users set name = 'nobody' || $1 where user_id = 1797",
            )
        )
        await connection.execute(statement, number)
        await connection.execute("select pg_sleep(0.01)")  # a storm, not one gathered reading
    await connection.close()


def registering(pbx: Pbx) -> None:
    for _ in range(3):
        try:
            with pbx.phone("12342", SIP_PASSWORD) as phone:
                phone.wait_registered()
        except PhoneError:
            continue


def snapshot(server: Server) -> Known:
    """What the board shows, in the names of the wire."""
    feed = server.app[PRESENCE_FEED]
    feed.flush()
    names = {"userId": "user_id", "inCall": "in_call"}
    return {item.extension: {name: getattr(item, names.get(name, name)) for name in SHOWN} for item in feed.items()}


def told(known: Known) -> Known:
    return {number: {name: item[name] for name in SHOWN} for number, item in known.items()}


def in_order(cursors: list[str]) -> bool:
    versions = [int(cursor.split("-")[1]) for cursor in cursors]
    return versions == sorted(versions) and len({cursor.split("-")[0] for cursor in cursors}) == 1


@pytest.mark.timeout(300 + ROUNDS)
async def test_poller_long_poller_and_stream_end_with_the_picture(
    stormy: Pbx, start: Start, record_property: Record
) -> None:
    server = await start(stormy.settings(requests_per_minute=1_000_000))
    await server.shows("Unavailable", within=20)
    poller, long_poller = Poller(server, "0"), Poller(server, "20")
    await poller.poll()
    await long_poller.poll()
    streams: list[EventReader] = []
    tasks: list[asyncio.Task[None]] = []
    async with (
        storm(stormy) as ami,
        events(server.port) as early,
        events(server.port, {**ADMIN, "Last-Event-ID": poller.cursors[0]}) as resumed,
    ):
        streams += [early, resumed]
        resumed.known = dict(poller.known)
        work = asyncio.gather(in_asterisk(ami), in_postgresql(stormy.database), asyncio.to_thread(registering, stormy))
        followers: list[EventReader | Poller] = [*streams, long_poller]
        tasks += [asyncio.create_task(each.follow()) for each in followers]
        while not work.done():
            await poller.poll()
        await work
        async with events(server.port) as late:  # joins while the last changes are still on their way
            streams.append(late)
            tasks.append(asyncio.create_task(late.follow()))
            everybody: list[EventReader | Poller] = [long_poller, *streams]
            await eventually(lambda: all(told(each.known) == snapshot(server) for each in everybody))
            await poller.poll()
            assert told(poller.known) == snapshot(server)
        assert all(in_order(each.cursors) for each in (poller, *everybody))
        assert len(poller.cursors) > 5
        record_property("measured", f"{ROUNDS} rounds, {len(poller.cursors)} cursors")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
