"""Renders server-sent events about presence. An event that several streams get in a row is rendered once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from aiohttp import web

from service.domain.credential_watch import ChangedCredentials
from service.domain.presence.scope import Changes, Scope
from service.domain.presence.subscription import Subscription
from service.web.http.errors import encode
from service.web.presence.snapshot_cache import SnapshotCache

HEARTBEAT = b":\n\n"
"""A comment: proxies close idle connections."""


class StreamEvents:
    """Renders the events of all streams. It caches the last one: many streams get the same one after the other."""

    def __init__(self, snapshots: SnapshotCache) -> None:
        self._snapshots = snapshots
        self._cached_for: tuple[str, int | Changes] = ("", -1)
        self._cached_event = b""

    def is_ready(self, scope: Scope) -> bool:
        """Whether a snapshot is available in this turn of the event loop. If not, it is under way."""
        return not scope.covers_everything or self._snapshots.is_ready()

    def render_snapshot(self, scope: Scope) -> bytes:
        """The snapshot of a scope. Its id says nothing of queues: their events complete it."""
        return _render_event(
            "snapshot", scope.cursor(), {"presence": msgspec.Raw(self._snapshots.snapshot_json(scope))}
        )

    def render_missed(self, scope: Scope, changes: Changes, queues: str) -> bytes:
        """The changes that a returning reader missed. `queues`: the queues' part of its cursor."""
        return self._render_change(scope.cursor() + queues, changes)

    def take_news(self, scope: Scope, subscription: Subscription, queues: str) -> bytes:
        """Take and render the subscription's changes. `queues`: the queues' part of the reader's cursor."""
        link_events, since = take_link_events(subscription), subscription.seen
        version, items = subscription.take()
        changes = scope.filter(list(items.items())) if scope.depends_on_owner else list(items.items())
        cursor = scope.cursor(version) + queues
        # Two unrestricted streams that go from the same version to the same cursor get the same changes.
        key = (cursor, since if scope.covers_everything else changes)
        if self._cached_for != key:
            self._cached_for, self._cached_event = key, self._render_change(cursor, changes)
        return link_events + self._cached_event

    def _render_change(self, cursor: str, changes: Changes) -> bytes:
        if not changes:
            return b""
        return _render_event(
            "change", cursor, {"presence": [self._snapshots.change_json(*change) for change in changes]}
        )


def take_link_events(subscription: Subscription) -> bytes:
    """Take and render the changes of links."""
    if not subscription.links:
        return b""
    links = subscription.take_links()
    return b"".join(_render_event("link", None, {"callServer": name, "live": live}) for name, live in links.items())


def render_credentials(changed: Iterable[ChangedCredentials]) -> bytes:
    """The events about phones of the stream's own person whose SIP passwords changed, without these."""
    return b"".join(b"event: credentials\ndata: " + encode(each) + b"\n\n" for each in changed)


def _render_event(name: str, cursor: str | None, data: Mapping[str, object]) -> bytes:
    id_ = f"id: {cursor}\n".encode() if cursor is not None else b""
    body = {"cursor": cursor, **data} if cursor is not None else data
    return b"event: " + name.encode() + b"\n" + id_ + b"data: " + encode(body) + b"\n\n"


STREAM_EVENTS = web.AppKey("stream_events", StreamEvents)
