"""Many clients at once, beyond every limit."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from tests.simulation.web.client_connection import PRESENCE, STREAM, ClientConnection, Request
from tests.simulation.web.messages import Answer

if TYPE_CHECKING:
    from tests.simulation.web.people import Grant
    from tests.simulation.web.universe import Universe


async def crowd(universe: Universe, count: int, seconds: float, chance: random.Random) -> None:
    """So many connections for so long: idle ones, streams, long polls, and pollers that loop."""
    grants = [universe.people.issue(chance.choice(sorted(universe.people.people))) for _ in range(5)]
    members = [
        asyncio.ensure_future(_member(universe, random.Random(chance.random()), chance.choice(grants)))
        for _ in range(count)
    ]
    await asyncio.sleep(min(seconds, 2.0))
    for member in members:
        member.cancel()
    await asyncio.gather(*members, return_exceptions=True)


async def _member(universe: Universe, chance: random.Random, grant: Grant) -> None:
    try:
        connection = await ClientConnection.open(universe.judge)
    except (OSError, TimeoutError):
        return
    try:
        kind = chance.choice(("idle", "stream", "held", "loop"))
        if kind == "idle":
            await connection.next(60)
            return
        uid = universe.people.people[grant.user_id].uid
        wait = 5.0 if kind == "held" else 0.0
        etag: str | None = None
        while True:
            request = Request(STREAM if kind == "stream" else PRESENCE, grant, uid, etag=etag, wait=wait)
            connection.ask(request)
            answer = await connection.next(60)
            if not isinstance(answer, Answer) or answer.headers.get("connection") == "close":
                return
            await asyncio.sleep(0.02)
            etag = answer.headers.get("etag")
            while answer.streamed:
                if await connection.next(60) is None:
                    return
    except TimeoutError:
        pass
    finally:
        connection.reset()
