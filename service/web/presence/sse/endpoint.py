"""Presence as server-sent events: the picture, then what changes, then what changes …"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from service.credentials import token_hash
from service.domain.models import Person
from service.domain.presence.scope import Scope
from service.web.app_keys import SETTINGS, STREAM_TICKETS
from service.web.auth.authentication import TOKEN_HEADER, presented_token, require_caller, require_holder
from service.web.http.cors import allow
from service.web.http.errors import TokenWrong, encode
from service.web.http.headers import EXPOSED_HEADERS
from service.web.http.prebuilt_response import SERVER
from service.web.openapi.operation import Auth, Operation, Yes
from service.web.presence.poll import scope_of
from service.web.presence.query import STREAM, TICKET
from service.web.presence.snapshot_cache import SNAPSHOT_CACHE
from service.web.presence.sse.connection import StreamConnection
from service.web.presence.sse.events import STREAM_EVENTS
from service.web.server.held_request import Waiter
from service.web.server.write_backlog import WRITE_BACKLOG, WRITE_DEADLINE

TICKET_LIFETIME = 60


async def ticket(request: web.Request) -> web.Response:
    """POST /api/v1/presence/streamTicket: for browsers, whose EventSource cannot send headers."""
    await require_caller(request)
    made = await request.app[STREAM_TICKETS].issue(token_hash(presented_token(request)), TICKET_LIFETIME)
    answer = StreamTicket(True, made, TICKET_LIFETIME)
    return web.Response(body=encode(answer), content_type="application/json", headers={"Cache-Control": "no-store"})


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/presence/stream"""
    person, hash_ = await _reader(request)
    request.app[WRITE_BACKLOG].demand_room()
    scope, answer = scope_of(request, person, STREAM.decode(request)), _answer(request)
    await request.app[SNAPSHOT_CACHE].settled(scope)
    # The picture is taken in the same turn as the mailbox: nothing is lost between.
    following = StreamConnection(request, scope, hash_)
    try:
        await _tell(request, answer, following, _first_event(request, scope))
        if following.failure is not None:
            raise following.failure
        if request.transport is not None:
            async with _deadline(following.waiter):
                await answer.write_eof()
    except (ConnectionError, TimeoutError):  # the reader is gone, or as good as gone: nothing waits for it any more
        if request.transport is not None:
            request.transport.abort()
    finally:
        following.close()
    return answer


def _answer(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "Server": SERVER,
            "X-Accel-Buffering": "no",  # nginx would hold events back
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        }
    )
    if origin := request.headers.get("Origin"):
        allow(request, answer, origin)
    return answer


async def _tell(request: web.Request, answer: web.StreamResponse, following: StreamConnection, first: bytes) -> None:
    """Write the first event, and let the stream go on whenever its reader is not behind, until it has to end."""
    waiter = following.waiter
    async with _deadline(waiter):
        await answer.prepare(request)
        await answer.write(first)
    del first  # the picture of everybody may be megabytes
    answer.headers.clear()  # they are sent
    while True:
        following.go_on()
        await waiter.wait()
        if waiter.ended:
            return
        async with _deadline(waiter):
            await request.writer.drain()


async def _reader(request: web.Request) -> tuple[Person, bytes]:
    """Who reads, by headers or by a ticket, and the hash of the token that it hangs on."""
    given = TICKET.decode(request).ticket
    if given is None or TOKEN_HEADER in request.headers:
        return await require_caller(request), token_hash(presented_token(request))
    hash_ = await request.app[STREAM_TICKETS].redeem(given)
    if hash_ is None:
        raise TokenWrong
    return await require_holder(request, hash_), hash_


def _first_event(request: web.Request, scope: Scope) -> bytes:
    """What changed since the reader's last event, if that can be told; else the whole picture."""
    last, events = request.headers.get("Last-Event-ID"), request.app[STREAM_EVENTS]
    changes = scope.changes_since(last) if last is not None else None
    retry = f"retry: {request.app[SETTINGS].poll_interval * 1000}\n".encode()
    return retry + (events.snapshot(scope) if changes is None else events.since(scope, changes))


@asynccontextmanager
async def _deadline(waiter: Waiter) -> AsyncIterator[None]:
    """For one write. Raises TimeoutError when the reader does not read in time, sooner when the answer has to end."""
    async with asyncio.timeout(WRITE_DEADLINE) as deadline:
        with waiter.writing(deadline):
            yield


class StreamTicket(msgspec.Struct, frozen=True, rename="camel"):
    """Ticket for a single stream."""

    success: Yes
    ticket: str
    expires_in: int
    """Seconds."""


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence/stream",
        handler=stream,
        summary="Presence as server-sent events: a snapshot, then changes",
        details=(
            "Events: `snapshot` (`{cursor, presence}`, all visible extensions), `change` (the same structure, changed "
            "extensions only) and `link` (`{callServer, live}`). Comments are heartbeats. The event ID is a cursor "
            "for `Last-Event-ID`."
        ),
        query=STREAM,
        answer=None,
        media_type="text/event-stream",
        request_headers=("Last-Event-ID",),
        auth=Auth.TOKEN_AND_UID_OR_TICKET,
    ),
    Operation(
        method="POST",
        path="/api/v1/presence/streamTicket",
        handler=ticket,
        summary="Issue a single-use stream ticket, for browsers whose EventSource cannot send headers",
        answer=StreamTicket,
    ),
)
