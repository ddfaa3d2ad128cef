"""Queues on a stream of presence: an event for each queue that the stream asked for, and for each of their changes.

The events' ids are cursors. An event without an id is a part of a snapshot, which only its last event completes: a
reader that comes back with an earlier id gets a snapshot again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

import msgspec
from aiohttp import web

from service.domain.feed_cursor import Cursor, Memberships, queues_part
from service.domain.models import Person
from service.domain.permissions import Permission
from service.domain.queue_feed import QueueChange, QueueKey
from service.domain.queue_scope import QueueScope
from service.web.app_keys import DIRECTORY, QUEUE_FEED
from service.web.auth.permissions import require_permission
from service.web.http.errors import BadArgument
from service.web.queues.rendering import QUEUE_RENDERING

MAX_NAMES = 200
"""Queues that one stream may ask for."""
TOO_MANY_NAMES = BadArgument(f"Expected at most {MAX_NAMES} names in field queues")
NOWHERE: Memberships = frozenset()


def queue_scope(request: web.Request, person: Person, names: Sequence[str]) -> QueueScope | None:
    """The queues that a stream asks for; None for none. Raises NotPermitted, BadArgument."""
    if not names:
        return None
    require_permission(person, Permission.INBOUND_CALLS)
    asked = frozenset(names)
    if len(asked) > MAX_NAMES:
        raise TOO_MANY_NAMES
    return QueueScope(request.app[QUEUE_FEED], request.app[DIRECTORY], person, asked)


class QueueStream:
    """The queues that one stream follows, from construction to `close`: it tells the newest of each, and no backlog."""

    __slots__ = ("_feed", "_memberships", "_rendering", "_scope", "_seen", "_subscription")

    def __init__(self, request: web.Request, scope: QueueScope, notify: Callable[[], None]) -> None:
        self._feed, self._rendering = request.app[QUEUE_FEED], request.app[QUEUE_RENDERING]
        self._scope = scope
        self._subscription = self._feed.subscribe(scope.names, notify, by_membership=not scope.person.is_admin)
        self._seen = self._feed.version
        self._memberships = scope.memberships()

    def close(self) -> None:
        """End the subscription."""
        self._feed.subscriptions.remove(self._subscription)

    @property
    def needs_snapshot(self) -> bool:
        """Whether changes do not suffice: more removals were missed than the feed remembers."""
        return self._seen < self._feed.forgotten

    @property
    def cursor(self) -> str:
        """The queues' part of the reader's cursor."""
        return queues_part(self._seen, self._memberships)

    def missed(self, cursor: Cursor) -> Sequence[QueueChange] | None:
        """The changes since a returning reader's cursor; None if a snapshot is needed."""
        return self._scope.changes_since(cursor.queues)

    def render_missed(self, presence: str, changes: Sequence[QueueChange]) -> bytes:
        """The changes that a returning reader missed. `presence`: the presence part of the events' ids."""
        memberships = self._memberships
        return b"".join(
            _render_event(
                self._rendering.change_json(each, memberships), presence + queues_part(each.number, memberships)
            )
            for each in changes
        )

    def render_snapshot(self, presence: str) -> bytes:
        """All queues of the stream."""
        self._begin_reading()
        return self._render_parts(presence, {item.key for item in self._feed.items(self._scope.names)}, complete=True)

    def take_news(self, presence: str) -> bytes:
        """The events about what changed since the last call, oldest first; none if nothing did."""
        seen, memberships = self._seen, self._memberships
        self._begin_reading()
        changes = self._feed.changes_since(seen, self._scope.names)
        events = self.render_missed(presence, changes)
        renamed = (memberships or NOWHERE) ^ (self._memberships or NOWHERE)
        renamed -= {change.key for change in changes}
        return self._render_parts(presence, renamed, complete=not events) + events if renamed else events

    def _render_parts(self, presence: str, keys: Set[QueueKey], *, complete: bool) -> bytes:
        """These queues of the stream as they are; with `complete` the last event completes what its reader knows."""
        items = [item for item in self._feed.items(self._scope.names) if item.key in keys]
        ids = [None] * (len(items) - 1) + [presence + self.cursor if complete else None]
        return b"".join(map(_render_event, self._rendering.json(items, self._memberships), ids))

    def _begin_reading(self) -> None:
        self._subscription.read()
        self._feed.catch_up()
        self._seen, self._memberships = self._feed.version, self._scope.memberships()


def _render_event(queue: msgspec.Raw, cursor: str | None) -> bytes:
    id_ = f"id: {cursor}\n".encode() if cursor is not None else b""
    return b"event: queue\n" + id_ + b"data: " + bytes(queue) + b"\n\n"
