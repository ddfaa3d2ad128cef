"""Presence as a stream: a real Asterisk, real phones, readers that come back, stop reading, or lose their token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse

from service.cli.demo import SIP_PASSWORD
from service.db import extensions
from service.domain.models import DeviceState
from service.domain.presence.feed import PresenceFeed
from service.web.app_keys import DATABASE, PRESENCE_FEED, SESSION_WATCH
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx
from tests.support.repeated_polls import be_live
from tests.support.server import ADMIN, Server, Start

PATH = "/api/v1/presence/stream"


@dataclass
class Event:
    name: str
    id: str | None
    data: dict[str, Any]

    def state(self, extension: str) -> str | None:
        found = [item["state"] for item in self.data["presence"] if item["extension"] == extension]
        return found[-1] if found else None


@dataclass
class Reader:
    """Reads events as a browser does."""

    answer: ClientResponse

    async def next(self, within: float = 10.0) -> Event:
        name, id_, data = "message", None, ""
        async with asyncio.timeout(within):
            while True:
                line = (await self.answer.content.readline()).decode()
                assert line, "the stream ended"
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    id_ = value
                elif field == "data":
                    data += value
                elif not line.strip() and data:
                    return Event(name, id_, json.loads(data))

    async def until(self, extension: str, state: str) -> Event:
        while True:
            event = await self.next()
            if event.name in ("change", "snapshot") and event.state(extension) == state:
                return event

    async def until_presence(self, *wanted: str) -> None:
        """Presence and message of the first extension. What is told of its registration may come in between."""
        while True:
            item = (await self.next()).data["presence"][0]
            if (item["presence"], item["message"]) == wanted:
                return


@asynccontextmanager
async def reading(server: Server, headers: dict[str, str] = ADMIN, **query: str) -> AsyncIterator[Reader]:
    async with server.client.get(PATH, headers=headers, params=query, timeout=None) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield Reader(answer)


async def test_poll_long_poll_and_stream_see_a_phone_come_and_go(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    async with reading(server, extension="12342") as reader:
        snapshot = await reader.next()
        assert (snapshot.name, snapshot.state("12342")) == ("snapshot", "Unavailable")
        waiting = asyncio.create_task(_long_poll(server, snapshot.data["cursor"]))
        phone = pbx.phone("12342", SIP_PASSWORD)
        await asyncio.to_thread(phone.start)
        try:
            event = await reader.until("12342", "Not in use")
            assert event.id == event.data["cursor"]
            polled = await waiting
            assert polled["presence"][0]["extension"] == "12342"
            item = await eventually(lambda: _reached(server), what="the contact is read")
            assert (item["state"], item["registered"], item["reachable"]) == ("Not in use", True, True)
            assert (item["live"], item["inCall"]) == (True, False)
            assert item["roundTripMs"] > 0
        finally:
            await asyncio.to_thread(phone.stop)
        await reader.until("12342", "Unavailable")


@pytest.mark.parametrize("query", [{}, {"extension": "12342"}])
async def test_what_waited_for_its_turn_is_written_as_it_is_then(
    database: TestDatabase, start: Start, query: dict[str, str]
) -> None:
    """A link may become silent between the change of an item and the stream's turn."""
    server = await start(database.settings())
    be_live(server)
    states = server.link.states
    async with reading(server, ADMIN, **query) as reader:
        await reader.until("12342", "Not in use")
        states.apply("PJSIP/12342", DeviceState.BUSY)
        server.app[PRESENCE_FEED].flush()  # the stream has it now, and waits for its turn
        states._confirmed_at = float("-inf")
        while (event := await reader.next()).name != "change":
            pass
        assert [(item["state"], item["live"]) for item in event.data["presence"] if item["extension"] == "12342"] == [
            ("Unknown", False)
        ]


async def test_own_presence_is_asterisks_and_comes_back_from_it(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    agent = await server.login("dnhai", "demo-agent-password")
    async with reading(server, extension="12342") as reader:
        await reader.next()
        body = {"presence": "dnd", "message": "Lunch, back at 1; naïve"}
        answer = await server.client.put("/api/v1/presence", headers=agent, json=body)
        assert answer.status == 200, await answer.text()
        await reader.until_presence("dnd", "Lunch, back at 1; naïve")
        assert "dnd" in await asyncio.to_thread(pbx.asterisk.rx, "presencestate list")
        await asyncio.to_thread(pbx.asterisk.rx, "presencestate change CustomPresence:12342 away,,Tea")
        await reader.until_presence("away", "Tea")
    other = await start(pbx.settings())
    await other.shows("Unavailable")
    seen = await (await other.client.get("/api/v1/presence/12342", headers=ADMIN)).json()
    assert seen["presence"]["presence"] == "away"


async def test_what_is_no_presence_is_refused_and_nothing_reaches_asterisk(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    agent = await server.login("dnhai", "demo-agent-password")
    for body in ({}, {"presence": 1}, {"presence": "busy"}, {"presence": "dnd", "message": "a\r\nAction: Logoff"}):
        assert (await server.client.put("/api/v1/presence", headers=agent, json=body)).status == 400
    nobody = await server.login("nophone", "demo-nophone-password")
    answer = await server.client.put("/api/v1/presence", headers=nobody, json={"presence": "dnd"})
    assert answer.status == 404


async def test_a_lost_link_is_told_and_every_item_is_not_live(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    async with reading(server) as reader:
        await reader.next()
        await asyncio.to_thread(pbx.asterisk.kill)
        links: list[dict[str, Any]] = []
        items: dict[str, bool] = {}
        while not links or len(items) < 2 or any(items.values()):
            event = await reader.next()
            if event.name == "link":
                links.append(event.data)
            else:
                items |= {item["extension"]: item["live"] for item in event.data["presence"]}
        assert links == [{"callServer": "main", "live": False}]
        pbx.asterisk.start()
        await asyncio.to_thread(pbx.asterisk.wait_ready)
        while links[-1]["live"] is False or not all(items.values()):
            event = await reader.next(30)
            if event.name == "link":
                links.append(event.data)
            else:
                items |= {item["extension"]: item["live"] for item in event.data["presence"]}


async def test_a_reader_that_comes_back_gets_only_what_it_missed(server: Server) -> None:
    async with reading(server) as reader:
        last = (await reader.next()).id
    assert last is not None
    await extensions.create(server.app[DATABASE], "500", "main", "sip", origin=PREPARED)
    await eventually(lambda: server.app[PRESENCE_FEED].get("500"))
    async with reading(server, {**ADMIN, "Last-Event-ID": last}) as reader:
        event = await reader.next()
        assert (event.name, [item["extension"] for item in event.data["presence"]]) == ("change", ["500"])
    async with reading(server, {**ADMIN, "Last-Event-ID": "made-up"}) as reader:
        assert (await reader.next()).name == "snapshot"


async def test_a_ticket_opens_one_stream_once_on_any_replica(database: TestDatabase, start: Start) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    answer = await one.client.post("/api/v1/presence/streamTicket", headers=ADMIN)
    body = await answer.json()
    assert (answer.status, body["success"], body["expiresIn"]) == (200, True, 60)
    async with reading(other, {}, ticket=body["ticket"]) as reader:
        assert (await reader.next()).name == "snapshot"
    assert (await one.client.get(PATH, params={"ticket": body["ticket"]})).status == 401
    assert (await one.client.get(PATH, params={"ticket": "made-up"})).status == 401
    late = (await (await one.client.post("/api/v1/presence/streamTicket", headers=ADMIN)).json())["ticket"]
    await database.execute("update stream_tickets set expires_at = now() - interval '1 second'")
    assert (await one.client.get(PATH, params={"ticket": late})).status == 401


async def test_a_token_that_ends_ends_its_stream(database: TestDatabase, server: Server) -> None:
    headers = await server.headers_of()
    async with reading(server, headers) as reader:
        await reader.next()
        await database.execute("update users set active = false where user_id = 1795")
        async with asyncio.timeout(10):
            rest = await reader.answer.content.read()
        assert b"event: snapshot" not in rest
    await eventually(lambda: len(server.app[STREAM_SCHEDULER]) == 0 and len(server.app[SESSION_WATCH]) == 0, 15)


async def test_a_reader_that_stops_reading_costs_little_and_gets_the_newest(
    database: TestDatabase, server: Server
) -> None:
    feed: PresenceFeed = server.app[PRESENCE_FEED]
    slow = feed.subscribe(None, lambda: None)
    async with reading(server) as reader:
        await reader.next()
        for number in range(200):
            await extensions.create(server.app[DATABASE], f"8{number:03}", "main", "sip", origin=PREPARED)
        await eventually(lambda: len(slow) == 200)
        for _ in range(3):
            await database.execute("update extensions set enabled = not enabled where extension like '8%'")
        await eventually(lambda: all(feed.get(f"8{number:03}") is None for number in range(200)))
    _, items = slow.take()
    assert len(items) == 200
    assert set(items.values()) == {None}


async def test_streams_and_long_polls_end_with_the_service(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings())
    async with reading(server) as reader:
        await reader.next()
        waiting = asyncio.create_task(_long_poll(server, server.app[PRESENCE_FEED].cursor()))
        await eventually(lambda: len(server.app[SESSION_WATCH]) == 2)
        await server.app.shutdown()
        async with asyncio.timeout(10):
            await reader.answer.content.read()
            assert (await waiting)["presence"] == []


async def _reached(server: Server) -> dict[str, Any] | None:
    """The extension, once its phone has answered a qualify; an event tells the state before that is read."""
    item: dict[str, Any] = (await (await server.client.get("/api/v1/presence/12342", headers=ADMIN)).json())["presence"]
    return item if item["roundTripMs"] is not None else None


async def _long_poll(server: Server, cursor: str) -> dict[str, Any]:
    query = {"since": cursor, "wait": "20", "extension": "12342"}
    answer = await server.client.get("/api/v1/presence", headers=ADMIN, params=query)
    body: dict[str, Any] = await answer.json()
    return body
