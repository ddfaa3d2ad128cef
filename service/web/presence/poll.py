"""Presence for those who poll: one, many, filtered; what changed since a cursor; held until something changes.

Each answer is made in one turn of the loop from the board; a poll costs neither AMI nor PostgreSQL anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from aiohttp import hdrs, web

from service.credentials import token_hash
from service.domain.models import Person
from service.domain.presence.scope import Changes, Sight
from service.domain.presence.visibility import may_see
from service.web.app_keys import BOARD, DIRECTORY, HELD_POLLS, SETTINGS, WATCH
from service.web.auth.authentication import by_caller, by_known_caller, caller, known_caller, presented_token
from service.web.http.errors import BadArgument, ExtensionNotFound
from service.web.http.etag import known
from service.web.http.headers import rfc3339
from service.web.http.prebuilt_response import Ready, as_json, lines
from service.web.http.wait import waiting_time
from service.web.openapi.operation import Operation
from service.web.presence.query import asked
from service.web.presence.schemas import OnePresence, PresenceAnswer, PresencePath, PresenceQuery
from service.web.presence.snapshot_cache import PICTURES
from service.web.server.held_request import Waiter, while_connected


def many_at_once(request: web.Request) -> Ready | None:
    """`many`, where nobody wants to wait, and nobody has to."""
    question = asked(request)
    of_all = not question.numbers and not question.uids
    if question.waits or (of_all and not request.app[PICTURES].ready()):
        return None
    person = known_caller(request)
    if person is None:
        return None
    sight, cursor = sight_of(request, person), question.since
    return _told(request, sight, cursor, None if cursor is None else sight.since(cursor))


async def many(request: web.Request) -> Ready:
    """GET /api/v1/presence: the picture, or with `since` what changed; with `wait` seconds, once something has."""
    sight = sight_of(request, await caller(request))
    wait = waiting_time(request)
    cursor = asked(request).since
    await request.app[PICTURES].settled(sight)
    changes = None if cursor is None else await _changes_since(request, sight, cursor, wait)
    if changes is None and wait and not await _differs(request, sight, wait):
        sight = sight_of(request, await caller(request))  # who may not ask any more is refused
    return _told(request, sight, cursor, changes)


def one(request: web.Request, person: Person) -> Ready:
    """GET /api/v1/presence/{extension}"""
    app = request.app
    board, pictures = app[BOARD], app[PICTURES]
    number = request.match_info["extension"]
    board.catch_up(frozenset({number}))
    item = board.get(number)
    if item is None or not may_see(person, item):
        raise ExtensionNotFound
    tag = pictures.tag_of_one(item)
    if known(request, tag):
        return _answer(app, None, tag)
    cursor = sight_of(request, person).cursor()
    return _answer(app, {"success": True, "cursor": cursor, "presence": pictures.encoded(item)}, tag)


async def _changes_since(request: web.Request, sight: Sight, cursor: str, wait: float) -> Changes | None:
    """What changed after the cursor, waiting for it if there is nothing; None when only the whole picture will do."""
    changes = sight.since(cursor)
    if changes != [] or not wait:
        return changes
    return sight.since(cursor) if await _held(request, sight, wait, lambda: sight.since(cursor) != []) else []


async def _differs(request: web.Request, sight: Sight, wait: float) -> bool:
    """Wait while the picture is the one that the client knows. False: its token has ended, or its role is another."""
    pictures = request.app[PICTURES]
    if hdrs.IF_NONE_MATCH not in request.headers or not known(request, pictures.tag(sight)):
        return True
    return await _held(request, sight, wait, lambda: not known(request, pictures.tag(sight)))


async def _held(request: web.Request, sight: Sight, wait: float, changed: Callable[[], bool]) -> bool:
    """Hold an answer until it changed, it has to end, or the time is up. False: whoever waits may not see it now."""
    board, watch, loop = request.app[BOARD], request.app[WATCH], asyncio.get_running_loop()
    hash_, role, waiter = token_hash(presented_token(request)), sight.person.role, Waiter()
    end = loop.time() + wait
    held = request.app[HELD_POLLS].holding(sight.person.user_id, waiter.end)
    mailbox = board.subscribe(sight.wanted(), waiter.arrived, sight.by_owner)
    try:
        with held, watch.holding(hash_, role, waiter.end), while_connected(request, waiter.end):
            while not waiter.ended and (left := end - loop.time()) > 0:
                mailbox.take()
                await waiter.wait(left)
                await request.app[PICTURES].settled(sight)
                if watch.valid(hash_, role) and changed():
                    break
            return watch.valid(hash_, role)
    finally:
        board.unsubscribe(mailbox)


def sight_of(request: web.Request, person: Person) -> Sight:
    """What the filters leave of what the person may see."""
    app, question = request.app, asked(request)
    return Sight(app[BOARD], app[DIRECTORY], person, question.numbers, question.uids)


def _told(request: web.Request, sight: Sight, cursor: str | None, changes: Changes | None) -> Ready:
    """What changed after the cursor; the picture, where nobody can say."""
    app, pictures = request.app, request.app[PICTURES]
    if changes is not None:
        shown = [pictures.shown(*change) for change in changes]
        now = sight.cursor() if changes else cursor
        return _answer(app, {"success": True, "full": False, "cursor": now, "presence": shown})
    tag = pictures.tag(sight)
    if known(request, tag):
        return _answer(app, None, tag)
    picture = msgspec.Raw(pictures.picture(sight))
    return _answer(app, {"success": True, "full": True, "cursor": sight.cursor(), "presence": picture}, tag)


def _answer(app: web.Application, answer: Mapping[str, object] | None, tag: str | None = None) -> Ready:
    """What was asked for; None: the client has it already."""
    headers = {"Cache-Control": "no-store", "X-Poll-Interval": str(app[SETTINGS].poll_interval)}
    if tag is not None:
        headers["ETag"] = tag
    if since := app[DIRECTORY].stale_since:
        headers["X-Directory-Stale-Since"] = rfc3339(since)
    if answer is None:
        return Ready(304, lines(headers))
    return as_json(answer, headers)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence",
        handler=many,
        at_once=many_at_once,
        summary="Presence of all visible extensions, or changes since a cursor",
        details=(
            "Long polling: with `since` and `wait`, the request waits for a change; a timeout returns 200 with an "
            "empty list. With `If-None-Match` and `wait`, without `since`, a timeout returns 304."
        ),
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
        handler=by_caller(one),
        at_once=by_known_caller(one),
        summary="Presence of one extension",
        in_path=PresencePath,
        answer=OnePresence,
        conditional=True,
        headers=("X-Directory-Stale-Since", "X-Poll-Interval"),
        errors=(ExtensionNotFound,),
    ),
)
