"""Who follows the queues in these tests: by a poll, by a long poll that is held, on a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse

from service.web.app_keys import LONG_POLL_QUOTA, QUEUE_FEED
from tests.support.ami import Ami
from tests.support.eventually import eventually
from tests.support.queues import MEMBER
from tests.support.server import ADMIN, Server

QUEUES, PRESENCE, STREAM = "/api/v1/queues", "/api/v1/presence", "/api/v1/presence/stream"
WITHIN = 20.0
Queue = dict[str, Any]


async def ask(server: Server, path: str = QUEUES, who: dict[str, str] = ADMIN, **query: str) -> dict[str, Any]:
    answer = await server.client.get(path, params=query, headers=who)
    body: dict[str, Any] = await answer.json()
    assert answer.status == 200, body
    return body


async def known(server: Server) -> dict[str, Any]:
    """The snapshot, once Asterisk's list has been read."""
    await eventually(lambda: server.link.queues is not None and len(server.link.queues) == 1, WITHIN)
    body = await ask(server)
    assert (body["full"], [queue["name"] for queue in body["queues"]]) == (True, ["demo"])
    return body


async def told_live(server: Server) -> bool:
    """Whether all is known of each extension: a link becomes live before it knows all states, or who is registered."""
    items = (await ask(server, PRESENCE))["presence"]
    return all(item["live"] and item["registered"] is not None for item in items)


def member(queue: Queue, extension: str = "12343") -> Queue:
    found: Queue = next(each for each in queue["members"] if each["extension"] == extension)
    return found


def version(server: Server) -> int:
    """The number of the newest change."""
    server.app[QUEUE_FEED].catch_up()
    return server.app[QUEUE_FEED].version


async def pause(ami: Ami, reason: str, interface: str = MEMBER) -> None:
    await ami.ask("QueuePause", Interface=interface, Paused="true", Reason=reason)


async def unpause(ami: Ami, interface: str = MEMBER) -> None:
    await ami.ask("QueuePause", Interface=interface, Paused="false")


async def held(server: Server, poll: Awaitable[ClientResponse]) -> asyncio.Task[ClientResponse]:
    """A long poll that is held."""
    task = asyncio.ensure_future(poll)
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 1)
    return task


class Reader:
    """Reads the stream as a browser does. `queues` is what it was told of them, `ids` the ids of all events."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self.queues: dict[str, Queue] = {}
        self.names: list[str] = []
        self.ids: list[str] = []

    async def next(self) -> tuple[str, dict[str, Any]]:
        name, data = "", ""
        async with asyncio.timeout(WITHIN):
            while line := (await self.answer.content.readline()).decode():
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    self.ids.append(value)
                elif field == "data":
                    data = value
                elif line == "\n" and data:
                    break
        assert data, "the stream ended"
        body = json.loads(data)
        self.names.append(name)
        if name == "queue":
            self.queues[body["name"]] = body
        return name, body

    async def until(self, holds: Any) -> Queue:
        """Read until it holds of the last event about the demo's queue."""
        while True:
            name, body = await self.next()
            if name == "queue" and holds(body):
                return body


@asynccontextmanager
async def reading(
    server: Server, query: str = "?queues=demo&extension=12342", who: dict[str, str] = ADMIN
) -> AsyncIterator[Reader]:
    async with server.client.get(STREAM + query, headers=who) as answer:
        assert answer.status == 200, await answer.text()
        yield Reader(answer)
