"""Presence for those who poll: one, many, filtered; what changed since a cursor; held until something changes.

Each answer is made in one turn of the loop from the board; a poll costs neither AMI nor PostgreSQL anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from aiohttp import web

from service.api.auth import caller, presented_token
from service.api.conditional import known
from service.api.errors import BadArgument, ExtensionNotFound, encode
from service.api.headers import rfc3339
from service.api.operation import Operation
from service.api.presence_shapes import OnePresence, PresenceAnswer, PresencePath, PresenceQuery
from service.api.ready import Ready, lines
from service.api.waiting import Waiter, while_connected
from service.credentials import token_hash
from service.keys import BOARD, DIRECTORY, PICTURES, SETTINGS, WATCH
from service.live.sight import Changes, Sight
from service.live.visibility import may_see
from service.model import Person

LONGEST_WAIT = 30.0
FILTERS = ("extension", "userId")
NOTHING: frozenset[str] = frozenset()


async def many(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/presence: the picture, or with `since` what changed; with `wait` seconds, once something has."""
    sight = sight_of(request, await caller(request))
    wait = waiting_time(request)
    cursor = request.query.get("since")
    changes = await _changes_since(request, sight, cursor, wait) if cursor is not None else None
    if changes is None:
        return _picture(request, sight)
    answer = {
        "success": True,
        "full": False,
        "cursor": sight.cursor() if changes else cursor,
        "presence": [request.app[PICTURES].shown(*change) for change in changes],
    }
    return _answer(request, answer)


async def one(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/presence/{extension}"""
    person = await caller(request)
    board = request.app[BOARD]
    board.flush()
    item = board.get(request.match_info["extension"])
    if item is None or not may_see(person, item):
        raise ExtensionNotFound
    pictures = request.app[PICTURES]
    tag = pictures.tag_of([item])
    if known(request, tag):
        return _answer(request, None, tag)
    cursor = sight_of(request, person).cursor()
    return _answer(request, {"success": True, "cursor": cursor, "presence": pictures.encoded(item)}, tag)


async def _changes_since(request: web.Request, sight: Sight, cursor: str, wait: float) -> Changes | None:
    """What changed after the cursor, waiting for it if there is nothing; None when only the whole picture will do."""
    changes = sight.since(cursor)
    if changes != [] or not wait:
        return changes
    board, watch, loop = request.app[BOARD], request.app[WATCH], asyncio.get_running_loop()
    hash_, role, waiter = token_hash(presented_token(request)), sight.person.role, Waiter()
    end = loop.time() + wait
    mailbox = board.subscribe(sight.wanted(), waiter.arrived, sight.by_owner)
    try:
        with watch.holding(hash_, role, waiter.end), while_connected(request, waiter.end):
            while changes == [] and not waiter.ended and (left := end - loop.time()) > 0:
                mailbox.take()
                await waiter.wait(left)
                changes = sight.since(cursor) if watch.valid(hash_, role) else []
    finally:
        board.unsubscribe(mailbox)
    return changes


def sight_of(request: web.Request, person: Person) -> Sight:
    """What the filters `extension` and `userId`, repeated or separated by commas, leave of what the person may see."""
    app, query = request.app, request.query
    numbers, uids = (
        frozenset(",".join(query.getall(name)).split(",")) if name in query else NOTHING for name in FILTERS
    )
    return Sight(app[BOARD], app[DIRECTORY], person, numbers, uids)


def waiting_time(request: web.Request) -> float:
    """The argument `wait` in seconds, 30 at most. Raises BadArgument."""
    text = request.query.get("wait")
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadArgument("Expected seconds in field wait")
    return min(seconds, LONGEST_WAIT)


def _picture(request: web.Request, sight: Sight) -> web.StreamResponse:
    pictures = request.app[PICTURES]
    tag = pictures.tag(sight)
    if known(request, tag):
        return _answer(request, None, tag)
    picture = msgspec.Raw(pictures.picture(sight))
    return _answer(request, {"success": True, "full": True, "cursor": sight.cursor(), "presence": picture}, tag)


def _answer(request: web.Request, answer: Mapping[str, object] | None, tag: str | None = None) -> web.StreamResponse:
    """What was asked for; None: the client has it already."""
    app = request.app
    headers = {"Cache-Control": "no-store", "X-Poll-Interval": str(app[SETTINGS].poll_interval)}
    if tag is not None:
        headers["ETag"] = tag
    if since := app[DIRECTORY].stale_since:
        headers["X-Directory-Stale-Since"] = rfc3339(since)
    if answer is None:
        return Ready(304, lines(headers))
    body = encode(answer)
    return Ready(200, lines(headers, body), body)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence",
        handler=many,
        summary="The presence of all extensions in sight, or what changed since a cursor",
        details="With `since` and `wait` it is held until something changes; at the end it is 200 with an empty list.",
        query=PresenceQuery,
        answer=PresenceAnswer,
        conditional=True,
        headers=("X-Directory-Stale-Since", "X-Poll-Interval"),
        errors=(BadArgument("Expected seconds in field wait"),),
    ),
    Operation(
        method="GET",
        path="/api/v1/presence/{extension}",
        patterns={"extension": "(?!stream(?:Ticket)?$)[^{}/]+"},
        handler=one,
        summary="The presence of one extension",
        in_path=PresencePath,
        answer=OnePresence,
        conditional=True,
        headers=("X-Directory-Stale-Since", "X-Poll-Interval"),
        errors=(ExtensionNotFound,),
    ),
)
