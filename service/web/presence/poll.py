"""Presence by polling: one or many extensions, filtered; changes since a cursor; long polling.

Each response is made from the presence feed in one turn of the event loop. A poll causes no AMI action and no query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec
from aiohttp import hdrs, web

from service.domain.directory import Directory
from service.domain.feed_cursor import Cursor
from service.domain.models import Extension, Person
from service.domain.presence.scope import Changes, Scope
from service.domain.presence.visibility import may_see, sees_all
from service.domain.timestamps import rfc3339_ms
from service.web.app_keys import DIRECTORY, PRESENCE_FEED, SETTINGS
from service.web.auth.authentication import (
    caller_from_memory,
    handler_for_caller,
    require_caller,
    sync_handler_for_caller,
)
from service.web.auth.held_poll import held_poll
from service.web.http.errors import BadArgument, ExtensionNotFound
from service.web.http.etag import matches_etag
from service.web.http.polled_request import Parts, PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json, render_headers
from service.web.http.wait import bounded
from service.web.openapi.operation import Operation
from service.web.presence.decoders import ONE_EXTENSION, PRESENCE
from service.web.presence.repeated_presence import RepeatedPresencePoll
from service.web.presence.schemas import EVERYTHING, Filters, OnePresence, PresenceAnswer, PresenceQuery
from service.web.presence.snapshot_cache import SNAPSHOT_CACHE
from service.web.server.held_request import Waiter


def get_many_sync(request: PolledRequest) -> PrebuiltResponse | None:
    """`get_many` without waiting, if the client does not want to wait and nothing has to be waited for."""
    try:
        query = PRESENCE.decode(request)
    except BadArgument:  # decided after authentication
        return None
    unfiltered = not query.extension and not query.user_id
    if query.wait or (unfiltered and not request.app[SNAPSHOT_CACHE].is_ready()):
        return None
    person = caller_from_memory(request, board=True)
    if person is None:
        return None
    scope, cursor = build_scope(request, person, query), _cursor(request, query)
    return _respond(request, scope, cursor, _changes(scope, cursor))


async def get_many(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/presence: a snapshot; with `since` the changes; with `wait` seconds a long poll."""
    person = await require_caller(request, board=True)
    query = PRESENCE.decode(request)
    scope, wait, cursor = build_scope(request, person, query), bounded(query.wait), _cursor(request, query)
    await request.app[SNAPSHOT_CACHE].wait_until_ready(scope)
    changes = _changes(scope, cursor)
    if wait and not await _wait_for_news(request, scope, cursor, changes, wait):
        person = await require_caller(request, board=True)  # a caller who lost access meanwhile is refused
        scope = build_scope(request, person, query)
        await request.app[SNAPSHOT_CACHE].wait_until_ready(scope)
    return _respond(request, scope, cursor, _changes(scope, cursor))


def get_one(request: PolledRequest, person: Person) -> PrebuiltResponse:
    """GET /api/v1/presence/{extension}"""
    app = request.app
    feed, snapshots = app[PRESENCE_FEED], app[SNAPSHOT_CACHE]
    (number,) = numbers = named_numbers(app, person, frozenset({ONE_EXTENSION.decode(request).extension}))
    feed.catch_up(numbers)
    item = feed.get(number)
    if item is None or not may_see(person, item):
        raise ExtensionNotFound
    etag = snapshots.item_etag(item)
    if matches_etag(request, etag):
        return _not_modified(request, person, numbers, etag)
    cursor = build_scope(request, person, EVERYTHING).cursor()
    return _build_response(app, {"success": True, "cursor": cursor, "presence": snapshots.item_json(item)}, etag)


def _changes(scope: Scope, cursor: Cursor | None) -> Changes | None:
    """The changes after the cursor. None if they are unknown, and a snapshot is needed."""
    return None if cursor is None else scope.changes_since(cursor.presence)


async def _wait_for_news(
    request: web.Request, scope: Scope, cursor: Cursor | None, changes: Changes | None, wait: float
) -> bool:
    """Wait while there is nothing that the client does not have. False if it has lost access meanwhile."""
    if changes is None:
        return await _wait_for_difference(request, scope, wait)
    return bool(changes) or await _hold(request, scope, wait, lambda: _changes(scope, cursor) != [])


async def _wait_for_difference(request: web.Request, scope: Scope, wait: float) -> bool:
    """Wait while the snapshot is the one that the client has. False if its token has ended or its role has changed."""
    snapshots = request.app[SNAPSHOT_CACHE]
    if hdrs.IF_NONE_MATCH not in request.headers or not matches_etag(request, snapshots.etag(scope)):
        return True
    return await _hold(request, scope, wait, lambda: not matches_etag(request, snapshots.etag(scope)))


async def _hold(request: web.Request, scope: Scope, wait: float, changed: Callable[[], bool]) -> bool:
    """Hold a request until `changed`, it has to end, or the time is up. False if the caller has lost access."""
    feed, waiter = request.app[PRESENCE_FEED], Waiter()
    with held_poll(request, scope.person, waiter, wait) as held:
        subscription = feed.subscribe(scope.extensions(), waiter.on_news, scope.depends_on_owner)
        try:
            subscription.take()
            while await held.wait():
                await request.app[SNAPSHOT_CACHE].wait_until_ready(scope)
                if held.has_access and changed():
                    break
                subscription.take()
            return held.has_access
        finally:
            feed.unsubscribe(subscription)


def build_scope(request: PolledRequest, person: Person, filters: Filters) -> Scope:
    """The extensions that the person may see and the filters select."""
    app = request.app
    numbers = named_numbers(app, person, frozenset(filters.extension))
    return Scope(app[PRESENCE_FEED], app[DIRECTORY], person, numbers, frozenset(filters.user_id))


def named_numbers(app: Parts, person: Person, names: frozenset[str]) -> frozenset[str]:
    """The numbers of the extensions that a caller named by number or endpoint; the name itself if there is none yet.

    Who sees only their own extension means that one, even if an endpoint of it is named like another's number.
    """
    if sees_all(person):
        if app[PRESENCE_FEED].knows(names):  # most pollers repeat numbers
            return names
        own = None
    else:
        own = app[DIRECTORY].extension_of(person.uid)
    return frozenset(_named_number(app[DIRECTORY], person, own, name) for name in names)


def _named_number(directory: Directory, person: Person, own: Extension | None, name: str) -> str:
    found = own if own is not None and own.answers_to(name) else directory.find_extension(name, person)
    return found.number if found is not None else name


def _cursor(request: PolledRequest, query: PresenceQuery) -> Cursor | None:
    return Cursor.parse(query.since, request.app[PRESENCE_FEED].instance) if query.since else None


def _respond(request: PolledRequest, scope: Scope, cursor: Cursor | None, changes: Changes | None) -> PrebuiltResponse:
    """The response with the changes; without them, with a snapshot or a 304."""
    app, snapshots = request.app, request.app[SNAPSHOT_CACHE]
    queues = cursor.queues if cursor is not None else ""
    if changes is not None:
        items = [snapshots.change_json(*change) for change in changes]
        next_cursor = scope.cursor() + queues if changes else str(cursor)
        return _build_response(app, {"success": True, "full": False, "cursor": next_cursor, "presence": items})
    etag = snapshots.etag(scope)
    if matches_etag(request, etag):
        return _not_modified(request, scope.person, scope.requested, etag)
    snapshot = msgspec.Raw(snapshots.snapshot_json(scope))
    return _build_response(
        app, {"success": True, "full": True, "cursor": scope.cursor() + queues, "presence": snapshot}, etag
    )


def _build_response(app: Parts, body: Mapping[str, object], etag: str | None = None) -> PrebuiltResponse:
    """A response with `body`."""
    headers = _headers(app[SETTINGS].poll_interval, etag)
    since = app[DIRECTORY].stale_since
    if since is not None:
        headers["X-Directory-Stale-Since"] = rfc3339_ms(since)
    return prebuilt_json(body, headers)


def _not_modified(
    request: PolledRequest, person: Person, numbers: frozenset[str] | None, etag: str
) -> PrebuiltResponse:
    """304. `numbers`: the extensions of which `etag` is, all if empty; None if it depends on their owners."""
    app = request.app
    head = _not_modified_head(app[SETTINGS].poll_interval, etag)
    since = app[DIRECTORY].stale_since
    if since is not None:
        return PrebuiltResponse(304, head + render_headers({"X-Directory-Stale-Since": rfc3339_ms(since)}))
    response = PrebuiltResponse(304, head)
    if numbers is not None and sees_all(person) and (not numbers or app[PRESENCE_FEED].knows(numbers)):
        response.repeated = RepeatedPresencePoll.of(request, numbers, etag, head)
    return response


def _headers(poll_interval: int, etag: str | None) -> dict[str, str]:
    headers = {"Cache-Control": "no-store", "X-Poll-Interval": str(poll_interval)}
    return headers if etag is None else {**headers, "ETag": etag}


@lru_cache(maxsize=4096)
def _not_modified_head(poll_interval: int, etag: str | None) -> bytes:
    """Most polls are answered 304, and most of these with few different tags."""
    return render_headers(_headers(poll_interval, etag))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence",
        board=True,
        handler=get_many,
        sync_handler=get_many_sync,
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
        board=True,
        patterns={"extension": "(?!stream(?:Ticket)?$)[^{}/]+"},
        handler=handler_for_caller(get_one, board=True),
        sync_handler=sync_handler_for_caller(get_one, board=True),
        summary="Presence of one extension",
        in_path=ONE_EXTENSION,
        answer=OnePresence,
        conditional=True,
        headers=("X-Directory-Stale-Since", "X-Poll-Interval"),
        errors=(ExtensionNotFound,),
    ),
)
