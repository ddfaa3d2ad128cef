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
from service.domain.presence.scope import Changes, Scope
from service.domain.presence.visibility import may_see
from service.domain.timestamps import rfc3339_ms
from service.web.app_keys import DIRECTORY, LONG_POLL_QUOTA, PRESENCE_FEED, SESSION_WATCH, SETTINGS
from service.web.auth.authentication import (
    caller_from_memory,
    handler_for_caller,
    presented_token,
    require_caller,
    sync_handler_for_caller,
)
from service.web.http.errors import BadArgument, ExtensionNotFound
from service.web.http.etag import matches_etag
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json, render_headers
from service.web.http.wait import bounded
from service.web.openapi.operation import Operation
from service.web.presence.query import ONE_EXTENSION, PRESENCE
from service.web.presence.schemas import EVERYTHING, Filters, OnePresence, PresenceAnswer
from service.web.presence.snapshot_cache import SNAPSHOT_CACHE
from service.web.server.held_request import Waiter, while_connected


def many_sync(request: web.Request) -> PrebuiltResponse | None:
    """`many`, where nobody wants to wait, and nobody has to."""
    try:
        asked = PRESENCE.decode(request)
    except BadArgument:  # decided after authentication
        return None
    of_all = not asked.extension and not asked.user_id
    if asked.wait or (of_all and not request.app[SNAPSHOT_CACHE].ready()):
        return None
    person = caller_from_memory(request)
    if person is None:
        return None
    scope, cursor = scope_of(request, person, asked), asked.since or None
    return _told(request, scope, cursor, None if cursor is None else scope.changes_since(cursor))


async def many(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/presence: the picture, or with `since` what changed; with `wait` seconds, once something has."""
    person = await require_caller(request)
    asked = PRESENCE.decode(request)
    scope, wait, cursor = scope_of(request, person, asked), bounded(asked.wait), asked.since or None
    await request.app[SNAPSHOT_CACHE].settled(scope)
    changes = None if cursor is None else await _changes_since(request, scope, cursor, wait)
    if changes is None and wait and not await _differs(request, scope, wait):
        scope = scope_of(request, await require_caller(request), asked)  # who may not ask any more is refused
    return _told(request, scope, cursor, changes)


def one(request: web.Request, person: Person) -> PrebuiltResponse:
    """GET /api/v1/presence/{extension}"""
    app = request.app
    feed, snapshots = app[PRESENCE_FEED], app[SNAPSHOT_CACHE]
    number = ONE_EXTENSION.decode(request).extension
    feed.catch_up(frozenset({number}))
    item = feed.get(number)
    if item is None or not may_see(person, item):
        raise ExtensionNotFound
    tag = snapshots.tag_of_one(item)
    if matches_etag(request, tag):
        return _answer(app, None, tag)
    cursor = scope_of(request, person, EVERYTHING).cursor()
    return _answer(app, {"success": True, "cursor": cursor, "presence": snapshots.encoded(item)}, tag)


async def _changes_since(request: web.Request, scope: Scope, cursor: str, wait: float) -> Changes | None:
    """What changed after the cursor, waiting for it if there is nothing; None when only the whole picture will do."""
    changes = scope.changes_since(cursor)
    if changes != [] or not wait:
        return changes
    return (
        scope.changes_since(cursor)
        if await _held(request, scope, wait, lambda: scope.changes_since(cursor) != [])
        else []
    )


async def _differs(request: web.Request, scope: Scope, wait: float) -> bool:
    """Wait while the picture is the one that the client knows. False: its token has ended, or its role is another."""
    snapshots = request.app[SNAPSHOT_CACHE]
    if hdrs.IF_NONE_MATCH not in request.headers or not matches_etag(request, snapshots.tag(scope)):
        return True
    return await _held(request, scope, wait, lambda: not matches_etag(request, snapshots.tag(scope)))


async def _held(request: web.Request, scope: Scope, wait: float, changed: Callable[[], bool]) -> bool:
    """Hold an answer until it changed, it has to end, or the time is up. False: whoever waits may not see it now."""
    feed, watch, loop = request.app[PRESENCE_FEED], request.app[SESSION_WATCH], asyncio.get_running_loop()
    hash_, role, waiter = token_hash(presented_token(request)), scope.person.role, Waiter()
    end = loop.time() + wait
    held = request.app[LONG_POLL_QUOTA].holding(scope.person.user_id, waiter.end)
    subscription = feed.subscribe(scope.extensions(), waiter.arrived, scope.depends_on_owner)
    try:
        with held, watch.holding(hash_, role, waiter.end), while_connected(request, waiter.end):
            while not waiter.ended and (left := end - loop.time()) > 0:
                subscription.take()
                await waiter.wait(left)
                await request.app[SNAPSHOT_CACHE].settled(scope)
                if watch.valid(hash_, role) and changed():
                    break
            return watch.valid(hash_, role)
    finally:
        feed.unsubscribe(subscription)


def scope_of(request: web.Request, person: Person, asked: Filters) -> Scope:
    """What the filters leave of what the person may see."""
    app = request.app
    return Scope(app[PRESENCE_FEED], app[DIRECTORY], person, frozenset(asked.extension), frozenset(asked.user_id))


def _told(request: web.Request, scope: Scope, cursor: str | None, changes: Changes | None) -> PrebuiltResponse:
    """What changed after the cursor; the picture, where nobody can say."""
    app, snapshots = request.app, request.app[SNAPSHOT_CACHE]
    if changes is not None:
        shown = [snapshots.shown(*change) for change in changes]
        now = scope.cursor() if changes else cursor
        return _answer(app, {"success": True, "full": False, "cursor": now, "presence": shown})
    tag = snapshots.tag(scope)
    if matches_etag(request, tag):
        return _answer(app, None, tag)
    snapshot = msgspec.Raw(snapshots.snapshot(scope))
    return _answer(app, {"success": True, "full": True, "cursor": scope.cursor(), "presence": snapshot}, tag)


def _answer(app: web.Application, answer: Mapping[str, object] | None, tag: str | None = None) -> PrebuiltResponse:
    """What was asked for; None: the client has it already."""
    headers = {"Cache-Control": "no-store", "X-Poll-Interval": str(app[SETTINGS].poll_interval)}
    if tag is not None:
        headers["ETag"] = tag
    if since := app[DIRECTORY].stale_since:
        headers["X-Directory-Stale-Since"] = rfc3339_ms(since)
    if answer is None:
        return PrebuiltResponse(304, render_headers(headers))
    return prebuilt_json(answer, headers)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence",
        handler=many,
        sync_handler=many_sync,
        summary="Presence of all visible extensions, or changes since a cursor",
        details=(
            "Long polling: with `since` and `wait`, the request waits for a change; a timeout returns 200 with an "
            "empty list. With `If-None-Match` and `wait`, without `since`, a timeout returns 304."
        ),
        query=PRESENCE,
        answer=PresenceAnswer,
        conditional=True,
        headers=("X-Directory-Stale-Since", "X-Poll-Interval"),
        errors=(BadArgument("Expected seconds in field wait"),),
    ),
    Operation(
        method="GET",
        path="/api/v1/presence/{extension}",
        patterns={"extension": "(?!stream(?:Ticket)?$)[^{}/]+"},
        handler=handler_for_caller(one),
        sync_handler=sync_handler_for_caller(one),
        summary="Presence of one extension",
        in_path=ONE_EXTENSION,
        answer=OnePresence,
        conditional=True,
        headers=("X-Directory-Stale-Since", "X-Poll-Interval"),
        errors=(ExtensionNotFound,),
    ),
)
