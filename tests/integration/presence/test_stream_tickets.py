"""Tickets for streams: anybody may present one, and only a new one that was made here costs PostgreSQL anything."""

from __future__ import annotations

import asyncio
import base64
import secrets

from service.db.stream_tickets import MAX_REMEMBERED, StreamTickets
from service.web.app_keys import STREAM_TICKETS, TAG_KEY
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, Server, Start, told

PATH = "/api/v1/presence/stream"


async def ticket_of(server: Server) -> str:
    _, body = await told(await server.client.post("/api/v1/presence/streamTicket", headers=ADMIN))
    made: str = body["ticket"]
    return made


async def opened(server: Server, ticket: str) -> int:
    answer = await server.client.get(PATH, params={"ticket": ticket})
    answer.close()
    return answer.status


def forged(ticket: str) -> list[str]:
    """What is like it, and is not it."""
    raw = base64.urlsafe_b64decode(ticket + "=")
    flipped = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    others = [base64.urlsafe_b64encode(each).decode().rstrip("=") for each in flipped]
    last = ticket[-1]
    return [*others, *(ticket[:-1] + letter for letter in "ABCDQRSTghijwxyz" if letter != last), ticket + "A"]


async def test_what_was_never_made_or_was_used_does_not_reach_postgresql(database: TestDatabase, start: Start) -> None:
    """A lock on the table shows who does: they would wait for it."""
    one, other = await start(database.settings()), await start(database.settings())
    used = await ticket_of(one)
    assert await opened(other, used) == 200
    good = await ticket_of(one)
    made_up = [secrets.token_urlsafe(32) for _ in range(20)]
    odd = ["", "x", "é" * 43, "\N{ARABIC-INDIC DIGIT THREE}" * 43, "=" * 43, "A" * 43, "x" * 5000]
    connection = await database.connect()
    async with connection.transaction():
        await connection.execute("lock table stream_tickets in access exclusive mode")
        async with asyncio.timeout(30):
            for ticket in [*made_up, *forged(good), *odd, used]:
                assert await opened(other, ticket) == 401
            assert (await other.registration()).status == 200
        assert await opened(other, good) == 503, "this one is to be looked up"
    await connection.close()
    new = await ticket_of(one)
    assert [await opened(server, new) for server in (other, one, other)] == [200, 401, 401]


async def test_a_ticket_that_has_ended_by_the_clock_is_not_looked_up(server: Server) -> None:
    late = StreamTickets(None, server.app[TAG_KEY], now=lambda: 0.0)  # type: ignore[arg-type]  # it is not asked
    assert not late._is_authentic("A" * 43)
    ticket = await ticket_of(server)
    assert server.app[STREAM_TICKETS]._is_authentic(ticket)
    assert not StreamTickets(None, server.app[TAG_KEY], now=lambda: 1e11)._is_authentic(ticket)  # type: ignore[arg-type]
    assert not StreamTickets(None, b"another key")._is_authentic(ticket)  # type: ignore[arg-type]


def test_used_tickets_are_remembered_in_bounded_memory() -> None:
    tickets = StreamTickets(None, b"key")  # type: ignore[arg-type]  # it is not asked
    for number in range(MAX_REMEMBERED + 10):
        tickets._remember(number.to_bytes(32, "big"))
    assert len(tickets._redeemed) == MAX_REMEMBERED
