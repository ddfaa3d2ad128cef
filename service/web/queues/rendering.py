"""Queues as JSON and their entity tags: each is computed once per change, for all clients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from service.domain.feed_cursor import Memberships
from service.domain.queue_entries import Caller, Member
from service.domain.queue_feed import Owner, QueueChange, QueueFeed, QueueItem
from service.domain.queue_scope import names_callers
from service.domain.state_names import ASTERISK
from service.domain.timestamps import rfc3339_ms
from service.web.http.errors import encode
from service.web.http.etag import format_etag, keyed_digest
from service.web.queues.schemas import Queue, QueueMember, RemovedQueue, WaitingCaller

MAX_CACHED_TAGS = 1_000
"""Entity tags that are cached: one for each set of queues whose callers somebody sees."""
_Key = tuple[str, str, bool]
"""Call server, queue, and whether callers are named."""


@dataclass(frozen=True, slots=True)
class RenderedQueue:
    """A queue as JSON, and the digest of what its entity tag covers: everything but times."""

    item: QueueItem
    json: msgspec.Raw
    digest: int


class QueueRendering:
    """Renders the queues of the feed. All replicas share `tag_key`."""

    def __init__(self, feed: QueueFeed, tag_key: bytes) -> None:
        self._feed = feed
        self._tag_key = tag_key
        self._rendered: dict[_Key, RenderedQueue] = {}
        self._etags: dict[Memberships | None, tuple[int, str]] = {}  # with the version of the feed

    def json(self, items: Iterable[QueueItem], memberships: Memberships | None) -> list[msgspec.Raw]:
        """Queues as JSON, for a reader with these memberships."""
        return [self._render(item, memberships).json for item in items]

    def change_json(self, change: QueueChange, memberships: Memberships | None) -> msgspec.Raw:
        """A changed queue as JSON, or the removal of a queue."""
        if change.item is not None:
            return self._render(change.item, memberships).json
        call_server, name = change.key
        return msgspec.Raw(encode(RemovedQueue(name, call_server, change.live)))

    def etag(self, memberships: Memberships | None) -> str:
        """The entity tag of all queues, for a reader with these memberships who has called `catch_up` in this turn."""
        cached = self._etags.get(memberships)
        if cached is not None and cached[0] == self._feed.version:
            return cached[1]
        etag = format_etag(sum(self._render(item, memberships).digest for item in self._feed.items()))
        if len(self._etags) >= MAX_CACHED_TAGS:
            self._etags.clear()
        self._etags[memberships] = self._feed.version, etag
        return etag

    def _render(self, item: QueueItem, memberships: Memberships | None) -> RenderedQueue:
        named = names_callers(memberships, item.key)
        key = *item.key, named
        known = self._rendered.get(key)
        if known is not None and known.item is item:
            return known
        self._evict_removed()
        facts = make_queue(item, names_callers=named, with_times=False)
        queue = make_queue(item, names_callers=named, with_times=True)
        digest = keyed_digest(encode(facts), self._tag_key)
        rendered = self._rendered[key] = RenderedQueue(item, msgspec.Raw(encode(queue)), digest)
        return rendered

    def _evict_removed(self) -> None:
        """Drop removed queues once they may outnumber the existing ones."""
        if len(self._rendered) > 4 * len(self._feed) + 100:
            self._rendered = {key: each for key, each in self._rendered.items() if key[:2] in self._feed}


def make_queue(item: QueueItem, *, names_callers: bool, with_times: bool) -> Queue:
    """Make the response's queue. Without times it is what the entity tag covers: replicas measure times themselves."""

    def time(seconds: float) -> str:
        return rfc3339_ms(datetime.fromtimestamp(seconds, UTC)) if with_times else ""

    def caller(position: int, waits: Caller) -> WaitingCaller:
        return WaitingCaller(position, time(waits.waiting_since), waits.caller_id if names_callers else None)

    def member(member: Member, owner: Owner) -> QueueMember:
        return QueueMember(
            *owner,
            name=member.name,
            state=ASTERISK[member.state],
            paused=member.paused,
            paused_reason=(member.paused_reason or None) if member.paused else None,
            paused_since=time(member.paused_at) if member.paused and member.paused_at else None,
            penalty=member.penalty,
            in_call=member.in_call,
            calls_taken=member.calls_taken,
            last_call_at=time(member.last_call_at) if member.last_call_at else None,
        )

    contents = item.contents
    return Queue(
        contents.summary.name,
        item.call_server,
        contents.summary.logged_in,
        contents.summary.available,
        [caller(position, waits) for position, waits in enumerate(contents.callers, 1)],
        [member(each, owner) for each, owner in zip(contents.members, item.owners, strict=True)],
    )


QUEUE_RENDERING = web.AppKey("queue_rendering", QueueRendering)
