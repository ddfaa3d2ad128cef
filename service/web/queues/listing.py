"""The queues whole, from memory: waiting calls and members. No call sends an action to Asterisk.

Call servers whose queues are unknown are left out, and the headers say so. If no queues are known, a snapshot is a 503;
changes are reported nevertheless, as they say which queues have become unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from aiohttp import hdrs, web

from service.domain.feed_cursor import Cursor
from service.domain.models import Person
from service.domain.permissions import Permission
from service.domain.queue_feed import QueueChange
from service.domain.queue_scope import QueueScope
from service.domain.timestamps import rfc3339_ms
from service.errors import QueuesNotKnown
from service.web.app_keys import DIRECTORY, LINKS, QUEUE_FEED, SETTINGS
from service.web.auth.authentication import caller_from_memory, require_caller
from service.web.auth.held_poll import held_poll
from service.web.auth.permissions import require_permission
from service.web.http.errors import BadArgument
from service.web.http.etag import matches_etag
from service.web.http.headers import FRESHNESS_HEADERS, not_live_headers
from service.web.http.param_errors import RocketChat
from service.web.http.params import Query
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json, render_headers
from service.web.http.wait import bounded
from service.web.openapi.operation import Operation
from service.web.queues.rendering import QUEUE_RENDERING
from service.web.queues.schemas import QueueAnswer, QueueQuery
from service.web.server.held_request import Waiter

Changes = Sequence[QueueChange]
QUEUES = Query(QueueQuery, RocketChat)


def get_all_sync(request: PolledRequest) -> PrebuiltResponse | None:
    """`get_all` without waiting, if the client does not want to wait."""
    try:
        query = QUEUES.decode(request)
    except BadArgument:  # decided after authentication
        return None
    person = None if query.wait else caller_from_memory(request, board=True)
    if person is None:
        return None
    scope, cursor = _scope(request, person), _cursor(request, query)
    return _respond(request, scope, cursor, scope.changes_since(cursor.queues))


async def get_all(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/queues: a snapshot; with `since` the changes; with `wait` seconds a long poll."""
    person = await require_caller(request, board=True)
    scope = _scope(request, person)
    query = QUEUES.decode(request)
    cursor, wait = _cursor(request, query), bounded(query.wait)
    changes = scope.changes_since(cursor.queues)
    if wait and not await _wait_for_news(request, scope, cursor, changes, wait):
        person = await require_caller(request, board=True)  # a caller who lost access meanwhile is refused
        scope = _scope(request, person)
    return _respond(request, scope, cursor, scope.changes_since(cursor.queues))


def _scope(request: PolledRequest, person: Person) -> QueueScope:
    require_permission(person, Permission.INBOUND_CALLS)
    return QueueScope(request.app[QUEUE_FEED], request.app[DIRECTORY], person)


def _cursor(request: PolledRequest, query: QueueQuery) -> Cursor:
    return Cursor.parse(query.since, request.app[QUEUE_FEED].instance)


async def _wait_for_news(
    request: web.Request, scope: QueueScope, cursor: Cursor, changes: Changes | None, wait: float
) -> bool:
    """Wait while there is nothing that the client does not have. False if it has lost access meanwhile."""
    if changes is None:
        return await _wait_for_difference(request, scope, wait)
    return bool(changes) or await _hold(request, scope, wait, lambda: scope.changes_since(cursor.queues) != [])


async def _wait_for_difference(request: web.Request, scope: QueueScope, wait: float) -> bool:
    """Wait while the snapshot is the one that the client has. False if the caller has lost access."""
    if hdrs.IF_NONE_MATCH not in request.headers or _differs(request, scope):
        return True
    return await _hold(request, scope, wait, lambda: _differs(request, scope))


def _differs(request: PolledRequest, scope: QueueScope) -> bool:
    """Whether the snapshot is another than the client has, or unknown."""
    feed = request.app[QUEUE_FEED]
    feed.catch_up()
    return not feed.known or not matches_etag(request, request.app[QUEUE_RENDERING].etag(scope.memberships()))


async def _hold(request: web.Request, scope: QueueScope, wait: float, changed: Callable[[], bool]) -> bool:
    """Hold a request until `changed`, it has to end, or the time is up. False if the caller has lost access."""
    feed, waiter = request.app[QUEUE_FEED], Waiter()
    with held_poll(request, scope.person, waiter, wait) as held:
        subscription = feed.subscribe(None, waiter.on_news, by_membership=not scope.person.is_admin)
        try:
            while await held.wait():
                subscription.read()
                if held.has_access and changed():
                    break
            return held.has_access
        finally:
            feed.subscriptions.remove(subscription)


def _respond(request: PolledRequest, scope: QueueScope, cursor: Cursor, changes: Changes | None) -> PrebuiltResponse:
    """The response with the changes; without them, with a snapshot or a 304."""
    rendering, memberships = request.app[QUEUE_RENDERING], scope.memberships()
    if changes is not None:
        queues = [rendering.change_json(change, memberships) for change in changes]
        seen = cursor.of_presence(request.app[QUEUE_FEED].instance) + scope.cursor() if changes else str(cursor)
        body = {"queues": queues, "full": False, "cursor": seen, "success": True}
        return prebuilt_json(body, _headers(request))
    items = scope.snapshot()
    if not request.app[QUEUE_FEED].known:
        raise QueuesNotKnown
    headers = {**_headers(request), "ETag": rendering.etag(memberships)}
    if matches_etag(request, headers["ETag"]):
        return PrebuiltResponse(304, _render_head(tuple(headers.items())))
    seen = cursor.of_presence(request.app[QUEUE_FEED].instance) + scope.cursor()
    body = {"queues": rendering.json(items, memberships), "full": True, "cursor": seen, "success": True}
    return prebuilt_json(body, headers)


def _headers(request: PolledRequest) -> dict[str, str]:
    app = request.app
    headers = {"Cache-Control": "no-store", "X-Poll-Interval": str(app[SETTINGS].poll_interval)}
    not_live = next((reading for link in app[LINKS].values() if not (reading := link.queues_reading).live), None)
    headers["X-State-Live"] = "true" if not_live is None else "false"
    if not_live is not None:
        headers |= not_live_headers(not_live)
    if (since := app[DIRECTORY].stale_since) is not None:
        headers["X-Directory-Stale-Since"] = rfc3339_ms(since)
    return headers


@lru_cache(maxsize=256)
def _render_head(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Most polls are answered 304, and most of these with the same head."""
    return render_headers(dict(headers))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/queues",
        board=True,
        handler=get_all,
        sync_handler=get_all_sync,
        summary="Queues with their waiting calls and members, or changes since a cursor",
        details=(
            "Times are not part of the entity tag: a 304 says that nothing but times differs. Long polling: with "
            "`since` and `wait`, the request waits for a change; a timeout returns 200 with an empty list. With "
            "`If-None-Match` and `wait`, without `since`, a timeout returns 304."
        ),
        query=QUEUES,
        answer=QueueAnswer,
        conditional=True,
        headers=(*FRESHNESS_HEADERS, "X-Poll-Interval"),
        permission=Permission.INBOUND_CALLS,
        errors=(BadArgument("Expected seconds in field wait"), QueuesNotKnown),
    ),
)
