"""Server-sent events about presence, as bytes. What several streams are told one after the other is made once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from service.domain.presence.scope import Changes, Scope
from service.domain.presence.subscription import Subscription
from service.web.http.errors import encode
from service.web.presence.snapshot_cache import SnapshotCache

HEARTBEAT = b":\n\n"
"""A comment: proxies close connections on which nothing is said."""


class StreamEvents:
    """What streams say. It remembers what it told last: many are told the same in one turn of the loop."""

    def __init__(self, snapshots: SnapshotCache) -> None:
        self._snapshots = snapshots
        self._told: tuple[str, int | Changes] = ("", -1)
        self._event = b""

    def ready(self, scope: Scope) -> bool:
        """Whether a snapshot can be had in this turn of the loop; if not, it is being made."""
        return not scope.covers_everything or self._snapshots.ready()

    def snapshot(self, scope: Scope) -> bytes:
        """The whole picture."""
        return _event("snapshot", scope.cursor(), {"presence": msgspec.Raw(self._snapshots.snapshot(scope))})

    def since(self, scope: Scope, changes: Changes) -> bytes:
        """What a reader missed who comes back."""
        return self._change(scope.cursor(), changes) or HEARTBEAT

    def news(self, scope: Scope, subscription: Subscription) -> bytes:
        """What is in the mailbox; it is empty then."""
        links, since = links_of(subscription), subscription.seen
        version, items = subscription.take()
        changes = scope.filter(list(items.items())) if scope.depends_on_owner else list(items.items())
        cursor = scope.cursor(version)
        # Of those who follow everything, two that stood and stand at the same changes were told the same between.
        told = (cursor, since if scope.covers_everything else changes)
        if self._told != told:
            self._told, self._event = told, self._change(cursor, changes)
        return links + self._event or HEARTBEAT

    def _change(self, cursor: str, changes: Changes) -> bytes:
        if not changes:
            return b""
        return _event("change", cursor, {"presence": [self._snapshots.shown(*change) for change in changes]})


def links_of(subscription: Subscription) -> bytes:
    """What happened to links."""
    if not subscription.links:
        return b""
    links = subscription.take_links()
    return b"".join(_event("link", None, {"callServer": name, "live": live}) for name, live in links.items())


def _event(name: str, cursor: str | None, data: Mapping[str, object]) -> bytes:
    id_ = f"id: {cursor}\n".encode() if cursor is not None else b""
    body = {"cursor": cursor, **data} if cursor is not None else data
    return b"event: " + name.encode() + b"\n" + id_ + b"data: " + encode(body) + b"\n\n"


STREAM_EVENTS = web.AppKey("events", StreamEvents)
