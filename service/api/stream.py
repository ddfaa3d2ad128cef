"""Presence as server-sent events: the picture, then what changes, then what changes …

A slow reader gets the newest of each extension: while its socket is full, its mailbox keeps one item per extension.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from service.api.auth import TOKEN_HEADER, caller, holder, presented_token
from service.api.cors import EXPOSED
from service.api.errors import TokenWrong, encode
from service.api.presence import either, select, shown, visible, wanted_extensions
from service.credentials import token_hash
from service.keys import BOARD, DATABASE, SETTINGS, STREAMS, WATCH
from service.live.board import Mailbox
from service.live.presence import Item
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
    answer = {"success": True, "ticket": made, "expiresIn": TICKET_LIFETIME}
    return web.Response(body=encode(answer), content_type="application/json", headers={"Cache-Control": "no-store"})


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/presence/stream"""
    person, hash_ = await _reader(request)
    wanted = wanted_extensions(request)
    board, streams = request.app[BOARD], request.app[STREAMS]
    answer = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # nginx would hold events back
            "Access-Control-Expose-Headers": EXPOSED,
        }
    )
    arrived, ended = asyncio.Event(), asyncio.Event()
    mailbox = board.subscribe(wanted, arrived.set)  # the picture is taken in the same turn: nothing is lost between
    first = _first_event(request, person, wanted)
    try:
        with request.app[WATCH].holding(hash_, ended.set), streams.opened():
            await answer.prepare(request)
            await _write(answer, first)
            while not ended.is_set():
                await either(arrived, ended, HEARTBEAT_EVERY)
                arrived.clear()
                await _write(answer, _news(request, person, mailbox) or b":\n\n")
                await asyncio.sleep(streams.pause)
    except (ConnectionError, TimeoutError):
        pass  # the reader is gone, or as good as gone
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


def _first_event(request: web.Request, person: Person, wanted: frozenset[str] | None) -> bytes:
    """What changed since the reader's last event, if that can be told; else the whole picture."""
    board = request.app[BOARD]
    last = request.headers.get("Last-Event-ID")
    changes = board.since(last) if last is not None else None
    retry = f"retry: {request.app[SETTINGS].poll_interval * 1000}\n".encode()
    if changes is None:
        return retry + _event("snapshot", board.cursor(), {"presence": visible(request, person, wanted)})
    seen = [shown(extension, item) for extension, item in select(changes, person, wanted)]
    return retry + (_event("change", board.cursor(), {"presence": seen}) if seen else b":\n\n")


def _news(request: web.Request, person: Person, mailbox: Mailbox) -> bytes:
    """What is in the mailbox, as events."""
    version, items = mailbox.take()
    cursor = request.app[BOARD].cursor(version)
    events = [_event("link", None, {"callServer": name, "live": live}) for name, live in mailbox.take_links().items()]
    changes: list[tuple[str, Item | None]] = list(items.items())
    seen = [shown(extension, item) for extension, item in select(changes, person, mailbox.extensions)]
    if seen:
        events.append(_event("change", cursor, {"presence": seen}))
    return b"".join(events)


def _event(name: str, cursor: str | None, data: Mapping[str, object]) -> bytes:
    id_ = f"id: {cursor}\n".encode() if cursor is not None else b""
    body = {"cursor": cursor, **data} if cursor is not None else data
    return b"event: " + name.encode() + b"\n" + id_ + b"data: " + encode(body) + b"\n\n"


async def _write(answer: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_DEADLINE):
        await answer.write(data)
