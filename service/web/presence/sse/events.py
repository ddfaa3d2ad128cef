"""Server-sent events about presence, as bytes. What several streams are told one after the other is made once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from service.domain.presence.scope import Changes, Sight
from service.domain.presence.subscription import Mailbox
from service.web.http.errors import encode
from service.web.presence.snapshot_cache import Pictures

HEARTBEAT = b":\n\n"
"""A comment: proxies close connections on which nothing is said."""


class StreamEvents:
    """What streams say. It remembers what it told last: many are told the same in one turn of the loop."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._told: tuple[str, int | Changes] = ("", -1)
        self._event = b""

    def ready(self, sight: Sight) -> bool:
        """Whether a snapshot can be had in this turn of the loop; if not, it is being made."""
        return not sight.everything or self._pictures.ready()

    def snapshot(self, sight: Sight) -> bytes:
        """The whole picture."""
        return _event("snapshot", sight.cursor(), {"presence": msgspec.Raw(self._pictures.picture(sight))})

    def since(self, sight: Sight, changes: Changes) -> bytes:
        """What a reader missed who comes back."""
        return self._change(sight.cursor(), changes) or HEARTBEAT

    def news(self, sight: Sight, mailbox: Mailbox) -> bytes:
        """What is in the mailbox; it is empty then."""
        links, since = links_of(mailbox), mailbox.seen
        version, items = mailbox.take()
        changes = sight.chosen(list(items.items())) if sight.by_owner else list(items.items())
        cursor = sight.cursor(version)
        # Of those who follow everything, two that stood and stand at the same changes were told the same between.
        told = (cursor, since if sight.everything else changes)
        if self._told != told:
            self._told, self._event = told, self._change(cursor, changes)
        return links + self._event or HEARTBEAT

    def _change(self, cursor: str, changes: Changes) -> bytes:
        if not changes:
            return b""
        return _event("change", cursor, {"presence": [self._pictures.shown(*change) for change in changes]})


def links_of(mailbox: Mailbox) -> bytes:
    """What happened to links."""
    if not mailbox.links:
        return b""
    links = mailbox.take_links()
    return b"".join(_event("link", None, {"callServer": name, "live": live}) for name, live in links.items())


def _event(name: str, cursor: str | None, data: Mapping[str, object]) -> bytes:
    id_ = f"id: {cursor}\n".encode() if cursor is not None else b""
    body = {"cursor": cursor, **data} if cursor is not None else data
    return b"event: " + name.encode() + b"\n" + id_ + b"data: " + encode(body) + b"\n\n"


EVENTS = web.AppKey("events", StreamEvents)
