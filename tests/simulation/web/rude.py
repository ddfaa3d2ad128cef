"""Clients that do not follow the contract, or hang up when they like. Each ends, and so does its connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.simulation.web.client_connection import PRESENCE, REGISTRATION, STREAM, ClientConnection, Request
from tests.simulation.web.messages import Answer

if TYPE_CHECKING:
    from tests.simulation.web.universe import Universe

ENDED_WITHIN = 11.0
"""Seconds until the service has ended a connection without a whole request."""
PIPELINED = 5


async def _refused(universe: Universe, connection: ClientConnection, statuses: tuple[int, ...]) -> None:
    """The service answers once at most, with one of these statuses, and ends the connection."""
    began = asyncio.get_running_loop().time()
    try:
        answer = await connection.next(ENDED_WITHIN)
        if isinstance(answer, Answer) and answer.status not in statuses:
            universe.judge.wrong(f"{answer.status} for what is no request")
        if answer is not None and await connection.next(ENDED_WITHIN) is not None:
            universe.judge.wrong("a second answer to what is no request")
    except TimeoutError:
        if universe.is_steady_since(connection.address[0], began) and universe.is_accepted(connection):
            universe.judge.wrong(f"a connection without a request is open after {ENDED_WITHIN:g} s")


async def garbage(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    connection.send(chance.randbytes(chance.randint(1, 300)) + b"\r\n\r\n")
    await _refused(universe, connection, (400, 408))


async def partial(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    """Half a request, and nothing more; or nothing at all."""
    data = Request(PRESENCE, universe.some_grant(chance), "uid").render()
    if chance.random() < 0.7:
        connection.send(data[: chance.randint(1, len(data) - 2)])
    await _refused(universe, connection, (408,))


async def large_head(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    connection.send(b"GET /api/v1/presence HTTP/1.1\r\n")
    for number in range(chance.randint(30, 80)):
        connection.send(b"X-Header-%d: %b\r\n" % (number, b"y" * 2_000))
        await asyncio.sleep(0)
    await _refused(universe, connection, (400, 408, 431))


async def cut(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    """Asks, perhaps for a stream, and is gone before the answer or in the middle of it."""
    kind = chance.choice((PRESENCE, REGISTRATION, STREAM))
    connection.rude = False
    grant = universe.some_grant(chance)
    connection.ask(Request(kind, grant, universe.people.people[grant.user_id].uid, wait=chance.choice((0.0, 3.0))))
    await asyncio.sleep(chance.choice((0.0, 0.001, 0.5)))
    connection.reset() if chance.random() < 0.5 else connection.end()


async def half_closed(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    """Says that it will send no more, and reads the answer."""
    connection.rude = False
    grant = universe.some_grant(chance)
    connection.ask(Request(PRESENCE, grant, universe.people.people[grant.user_id].uid, version="1.0"))
    connection.transport.write_eof()
    if await _next_answer(universe, connection) is None:
        return
    if await connection.next(ENDED_WITHIN) is not None:
        universe.judge.wrong("an answer too many")


async def pipelined(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    """Several requests at once are answered in their order."""
    connection.rude = False
    grant = universe.some_grant(chance)
    uid = universe.people.people[grant.user_id].uid
    kinds = [chance.choice((PRESENCE, REGISTRATION)) for _ in range(PIPELINED)]
    for number, kind in enumerate(kinds):
        wait = chance.choice((0.0, 0.0, 0.2))
        connection.ask(Request(kind, grant, uid, id=f"r{number}", wait=wait), chance.choice((1, 1, 2)))
    for _ in kinds:
        if await _next_answer(universe, connection) is None:
            return


async def vanish(universe: Universe, connection: ClientConnection, chance: random.Random) -> None:
    """Opens a stream or a long poll, and reads nothing: half-open, its network is gone."""
    connection.rude = False
    grant = universe.some_grant(chance)
    kind = chance.choice((PRESENCE, STREAM))
    connection.ask(Request(kind, grant, universe.people.people[grant.user_id].uid, wait=5.0 * (kind == PRESENCE)))
    connection.read(False)
    await asyncio.sleep(chance.uniform(3, 15))


async def _next_answer(universe: Universe, connection: ClientConnection) -> object:
    began = asyncio.get_running_loop().time()
    try:
        return await connection.next(ENDED_WITHIN)
    except TimeoutError:
        if universe.is_steady_since(connection.address[0], began) and universe.is_accepted(connection):
            universe.judge.wrong(f"no answer within {ENDED_WITHIN:g} s to one of {PIPELINED} requests")
        return None


RUDE: dict[str, Callable[[Universe, ClientConnection, random.Random], Awaitable[None]]] = {
    "garbage": garbage,
    "partial request": partial,
    "large head": large_head,
    "cut": cut,
    "half-closed": half_closed,
    "pipelining": pipelined,
    "vanished client": vanish,
}


async def once(universe: Universe, name: str, host: str, chance: random.Random) -> None:
    """One such client."""
    try:
        connection = await ClientConnection.open(universe.judge, rude=True)
    except (OSError, TimeoutError):
        return
    try:
        await RUDE[name](universe, connection, chance)
    finally:
        connection.reset()
