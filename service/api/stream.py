"""Presence as server-sent events: the picture, then what changes, then what changes …

A slow reader gets the newest of each extension: while its socket is full, its mailbox keeps one item per extension.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from service.api.auth import TOKEN_HEADER, caller, holder, presented_token
from service.api.cors import EXPOSED, allow
from service.api.errors import TokenWrong, encode
from service.api.operation import Auth, Operation, Yes
from service.api.presence import shown, sight_of
from service.api.presence_shapes import Filters
from service.api.waiting import Waiter
from service.credentials import token_hash
from service.keys import BOARD, DATABASE, PICTURES, SETTINGS, STREAMS, WATCH
from service.live.board import Mailbox
from service.live.sight import Changes, Sight
from service.model import Person
from service.store import tickets

HEARTBEAT_EVERY = 15.0
"""Seconds: proxies close connections on which nothing is said, usually after 30 or 60."""
WRITE_DEADLINE = 30.0
"""Seconds after which a reader that reads nothing is taken for dead."""
TICKET_LIFETIME = 60


async def ticket(request: web.Request) -> web.Response:
    """POST /api/v1/presence/streamTicket: for browsers, whose EventSource cannot send headers."""
    await caller(request)
    made = await tickets.issue(request.app[DATABASE], token_hash(presented_token(request)), TICKET_LIFETIME)
    answer = StreamTicket(True, made, TICKET_LIFETIME)
    return web.Response(body=encode(answer), content_type="application/json", headers={"Cache-Control": "no-store"})


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/presence/stream"""
    person, hash_ = await _reader(request)
    sight, waiter = sight_of(request, person), Waiter()
    answer = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # nginx would hold events back
            "Access-Control-Expose-Headers": EXPOSED,
        }
    )
    if origin := request.headers.get("Origin"):
        allow(request, answer, origin)
    board, watch, streams = request.app[BOARD], request.app[WATCH], request.app[STREAMS]
    # The picture is taken in the same turn as the mailbox: nothing is lost between.
    mailbox = board.subscribe(sight.wanted(), waiter.arrived, sight.by_owner)
    news = _first_event(request, sight)
    try:
        with watch.holding(hash_, person.role, waiter.end), streams.opened():
            async with _deadline(waiter):
                await answer.prepare(request)
            while watch.valid(hash_, person.role) and not waiter.ended:
                async with _deadline(waiter):
                    await answer.write(news)
                await asyncio.sleep(streams.pause)
                await waiter.wait(HEARTBEAT_EVERY)
                if mailbox.moved:
                    board.unsubscribe(mailbox)
                    links = _link_events(mailbox)
                    mailbox = board.subscribe(sight.wanted(), waiter.arrived, sight.by_owner)
                    news = links + _snapshot(request, sight)
                else:
                    news = _news(request, sight, mailbox) or b":\n\n"
            async with _deadline(waiter):
                await answer.write_eof()
    except (ConnectionError, TimeoutError):  # the reader is gone, or as good as gone: nothing waits for it any more
        if request.transport is not None:
            request.transport.abort()
    finally:
        board.unsubscribe(mailbox)
    return answer


async def _reader(request: web.Request) -> tuple[Person, bytes]:
    """Who reads, by headers or by a ticket, and the hash of the token that it hangs on."""
    given = request.query.get("ticket")
    if given is None or TOKEN_HEADER in request.headers:
        return await caller(request), token_hash(presented_token(request))
    hash_ = await tickets.redeem(request.app[DATABASE], given)
    if hash_ is None:
        raise TokenWrong
    return await holder(request, hash_), hash_


def _first_event(request: web.Request, sight: Sight) -> bytes:
    """What changed since the reader's last event, if that can be told; else the whole picture."""
    last = request.headers.get("Last-Event-ID")
    changes = sight.since(last) if last is not None else None
    retry = f"retry: {request.app[SETTINGS].poll_interval * 1000}\n".encode()
    if changes is None:
        return retry + _snapshot(request, sight)
    return retry + (_change(request, sight.cursor(), changes) or b":\n\n")


def _snapshot(request: web.Request, sight: Sight) -> bytes:
    return _event("snapshot", sight.cursor(), {"presence": msgspec.Raw(request.app[PICTURES].picture(sight))})


def _news(request: web.Request, sight: Sight, mailbox: Mailbox) -> bytes:
    """What is in the mailbox, as events."""
    version, items = mailbox.take()
    return _link_events(mailbox) + _change(request, sight.cursor(version), sight.chosen(list(items.items())))


def _link_events(mailbox: Mailbox) -> bytes:
    links = mailbox.take_links()
    return b"".join(_event("link", None, {"callServer": name, "live": live}) for name, live in links.items())


def _change(request: web.Request, cursor: str, changes: Changes) -> bytes:
    if not changes:
        return b""
    return _event("change", cursor, {"presence": [shown(request, extension, item) for extension, item in changes]})


def _event(name: str, cursor: str | None, data: Mapping[str, object]) -> bytes:
    id_ = f"id: {cursor}\n".encode() if cursor is not None else b""
    body = {"cursor": cursor, **data} if cursor is not None else data
    return b"event: " + name.encode() + b"\n" + id_ + b"data: " + encode(body) + b"\n\n"


@asynccontextmanager
async def _deadline(waiter: Waiter) -> AsyncIterator[None]:
    """For one write. Raises TimeoutError when the reader does not read in time, sooner when the answer has to end."""
    async with asyncio.timeout(WRITE_DEADLINE) as deadline:
        with waiter.writing(deadline):
            yield


class StreamQuery(Filters, frozen=True):
    """Which extensions."""


class StreamTicket(msgspec.Struct, frozen=True, rename="camel"):
    """For one stream, once."""

    success: Yes
    ticket: str
    expires_in: int
    """Seconds."""


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence/stream",
        handler=stream,
        summary="Presence as server-sent events: the picture, then each change",
        details=(
            "Events are `snapshot` (`{cursor, presence}`, the whole picture), `change` (the same with what changed) "
            "and `link` (`{callServer, live}`); comments are heartbeats. An event's id is a cursor, for "
            "`Last-Event-ID`."
        ),
        query=StreamQuery,
        answer=None,
        media_type="text/event-stream",
        request_headers=("Last-Event-ID",),
        auth=Auth.TOKEN_AND_UID_OR_TICKET,
    ),
    Operation(
        method="POST",
        path="/api/v1/presence/streamTicket",
        handler=ticket,
        summary="A ticket for one stream, for browsers, whose EventSource cannot send headers",
        answer=StreamTicket,
    ),
)
