"""Presence as server-sent events: a snapshot, then changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from service.credentials import token_hash
from service.domain.feed_cursor import Cursor
from service.domain.models import Person
from service.web.app_keys import PRESENCE_FEED, SETTINGS, STREAM_TICKETS
from service.web.auth.authentication import presented_token, require_caller, require_holder
from service.web.auth.origin import origin_of
from service.web.http.cors import allow
from service.web.http.errors import NotPermitted, TokenWrong
from service.web.http.headers import EXPOSED_HEADERS
from service.web.http.json_response import json_response
from service.web.http.polled_request import TOKEN_HEADER
from service.web.http.prebuilt_response import SERVER
from service.web.openapi.operation import Auth, Operation, Yes
from service.web.presence.decoders import STREAM, TICKET
from service.web.presence.poll import build_scope
from service.web.presence.snapshot_cache import SNAPSHOT_CACHE
from service.web.presence.sse.connection import StreamConnection
from service.web.presence.sse.events import HEARTBEAT
from service.web.queues.events import TOO_MANY_NAMES, queue_scope
from service.web.server.held_request import Waiter
from service.web.server.write_backlog import WRITE_BACKLOG, WRITE_DEADLINE

TICKET_LIFETIME = 60
"""Seconds."""


async def issue_ticket(request: web.Request) -> web.Response:
    """POST /api/v1/presence/streamTicket: for browsers, whose EventSource cannot send headers."""
    origin = origin_of(request, await require_caller(request, board=True))
    token = token_hash(presented_token(request))
    issued = await request.app[STREAM_TICKETS].issue(token, TICKET_LIFETIME, origin=origin)
    return json_response(StreamTicket(True, issued, TICKET_LIFETIME))


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/presence/stream"""
    person, hash_ = await _authenticate(request)
    request.app[WRITE_BACKLOG].require_room()
    query, response = STREAM.decode(request), _build_response(request)
    scope, queues = build_scope(request, person, query), queue_scope(request, person, query.queues)
    await request.app[SNAPSHOT_CACHE].wait_until_ready(scope)
    # The snapshot is taken in the same turn as the subscription, so no change is lost in between.
    connection = StreamConnection(request, scope, hash_, queues)
    try:
        await _serve(request, response, connection, _first_event(request, connection))
        if connection.failure is not None:
            raise connection.failure
        if request.transport is not None:
            async with _write_deadline(connection.waiter):
                await response.write_eof()
    except (ConnectionError, TimeoutError):  # the reader is gone or does not read
        if request.transport is not None:
            request.transport.abort()
    finally:
        connection.close()
    return response


def _build_response(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "Server": SERVER,
            "X-Accel-Buffering": "no",  # nginx would buffer events
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        }
    )
    if origin := request.headers.get("Origin"):
        allow(request, response, origin)
    return response


async def _serve(
    request: web.Request, response: web.StreamResponse, connection: StreamConnection, first: bytes
) -> None:
    """Write the first event, then let the stream write while its reader keeps up, until it has to end."""
    waiter = connection.waiter
    async with _write_deadline(waiter):
        await response.prepare(request)
        await response.write(first)
    del first  # a snapshot may be megabytes
    response.headers.clear()  # they are sent
    while True:
        connection.resume()
        await waiter.wait()
        if waiter.ended:
            return
        async with _write_deadline(waiter):
            await request.writer.drain()


async def _authenticate(request: web.Request) -> tuple[Person, bytes]:
    """The reader, by headers or by a ticket, and the hash of the token that authorises the stream."""
    ticket = TICKET.decode(request).ticket
    if ticket is None or TOKEN_HEADER in request.headers:
        return await require_caller(request, board=True), token_hash(presented_token(request))
    hash_ = await request.app[STREAM_TICKETS].redeem(ticket)
    if hash_ is None:
        raise TokenWrong
    return await require_holder(request, hash_, board=True), hash_


def _first_event(request: web.Request, connection: StreamConnection) -> bytes:
    last, instance = request.headers.get("Last-Event-ID"), request.app[PRESENCE_FEED].instance
    retry = f"retry: {request.app[SETTINGS].poll_interval * 1000}\n".encode()
    return retry + (connection.render_first(Cursor.parse(last, instance) if last is not None else None) or HEARTBEAT)


@asynccontextmanager
async def _write_deadline(waiter: Waiter) -> AsyncIterator[None]:
    """The deadline of one write. Raises TimeoutError if the reader is too slow, sooner if the stream has to end."""
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
        board=True,
        handler=stream,
        summary="Presence as server-sent events: a snapshot, then changes",
        details=(
            "Events: `snapshot` (`{cursor, presence}`, all visible extensions), `change` (the same structure, changed "
            "extensions only), `link` (`{callServer, live}`), `queue` (one queue as in the list of queues, or its "
            "removal) for each queue in `queues`, after a snapshot and with each change, for admins and agents; and "
            "`credentials` (`{extension, phone, endpoint}`: the "
            "SIP password of a phone of the caller's own changed; registration info answers the new one). Comments "
            "are heartbeats. The event ID is a cursor for `Last-Event-ID`."
        ),
        query=STREAM,
        answer=None,
        media_type="text/event-stream",
        request_headers=("Last-Event-ID",),
        auth=Auth.TOKEN_AND_UID_OR_TICKET,
        errors=(NotPermitted, TOO_MANY_NAMES),
    ),
    Operation(
        method="POST",
        path="/api/v1/presence/streamTicket",
        board=True,
        handler=issue_ticket,
        summary="Issue a single-use stream ticket, for browsers whose EventSource cannot send headers",
        answer=StreamTicket,
    ),
)
