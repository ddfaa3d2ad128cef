"""Caches the JSON and entity tags of items and snapshots: each is computed once per change, for all clients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item
from service.domain.presence.scope import Scope
from service.web.http.errors import encode
from service.web.http.etag import format_etag, keyed_digest
from service.web.presence.feed_aggregates import JsonList, Sum

MAX_CACHED_GROUPS, MAX_GROUP_SIZE = 5_000, 50
"""Maximum groups of extensions whose entity tags are cached, as softphones repeat their filters; and a group's size."""


class SnapshotCache:
    """The cache. All replicas share `tag_key`, so they compute the same entity tags."""

    def __init__(self, feed: PresenceFeed, tag_key: bytes) -> None:
        self._feed = feed
        self._tag_key = tag_key
        self._item_json: dict[str, tuple[Item, msgspec.Raw]] = {}
        self._item_etags: dict[str, tuple[Item, str]] = {}
        self._item_digests: dict[str, tuple[Item, int]] = {}
        self._all_json = JsonList(feed, self.item_json, trips=True)
        self._all_digests = Sum(feed, self._digest)
        self._all_etag = 0, format_etag(0)
        self._group_etags: dict[frozenset[str], tuple[int, str]] = {}  # with the version of the feed

    def is_ready(self) -> bool:
        """Whether the snapshot of all extensions is available in this turn of the loop. If not, it is under way."""
        self._feed.catch_up()
        digests_ready = self._all_digests.update()  # starts its update in any case
        return self._all_json.update() and digests_ready

    async def wait_until_ready(self, scope: Scope) -> None:
        """Wait until the snapshot of this scope is available in the current turn of the event loop."""
        while scope.covers_everything and not self.is_ready():  # noqa: ASYNC110 - it takes turns of the loop
            await asyncio.sleep(0)

    def item_json(self, item: Item) -> msgspec.Raw:
        """An item as JSON."""
        cached = self._item_json.get(item.extension)
        if cached is None or cached[0] is not item:
            self._evict_removed()
            cached = self._item_json[item.extension] = item, msgspec.Raw(encode(item))
        return cached[1]

    def change_json(self, extension: str, item: Item | None) -> msgspec.Raw | dict[str, object]:
        """A changed item, or the removal of an extension."""
        return self.item_json(item) if item is not None else {"extension": extension, "deleted": True}

    def snapshot_json(self, scope: Scope) -> bytes:
        """All items in scope as a JSON list. For an unrestricted scope, as of when `is_ready` was last True."""
        if not scope.covers_everything:
            return encode(scope.snapshot())
        self._all_json.is_ready()
        return self._all_json.whole()

    def etag(self, scope: Scope) -> str:
        """The entity tag of all items in scope. For an unrestricted scope, as of when `is_ready` was last True."""
        if scope.covers_everything:
            self._all_digests.is_ready()
            return self.etag_of_all()
        group = scope.requested
        return self.etag_of(scope.snapshot()) if group is None else self.etag_of_group(group)

    def etag_of_all(self) -> str:
        """The entity tag of all items, as of when `is_ready` was last True."""
        if self._all_digests.sum != self._all_etag[0]:
            self._all_etag = self._all_digests.sum, format_etag(self._all_digests.sum)
        return self._all_etag[1]

    def etag_of_group(self, group: frozenset[str]) -> str:
        """The entity tag of the items of these extensions; those that do not exist count for nothing."""
        feed = self._feed
        feed.catch_up(group)
        if len(group) == 1:
            (number,) = group
            item = feed.get(number)
            return self.etag_of([]) if item is None else self.item_etag(item)
        cached = self._group_etags.get(group)
        if cached is not None and cached[0] == feed.version:
            return cached[1]
        etag = self.etag_of([item for number in group if (item := feed.get(number)) is not None])
        if len(group) <= MAX_GROUP_SIZE:
            if len(self._group_etags) >= MAX_CACHED_GROUPS:
                self._group_etags.clear()
            self._group_etags[group] = feed.version, etag
        return etag

    def item_etag(self, item: Item) -> str:
        """The entity tag of a single item."""
        cached = self._item_etags.get(item.extension)
        if cached is None or cached[0] is not item:
            self._evict_removed()
            cached = self._item_etags[item.extension] = item, self.etag_of([item])
        return cached[1]

    def etag_of(self, items: Sequence[Item]) -> str:
        """The entity tag of these items, independent of their order and of the replica."""
        return format_etag(sum(map(self._digest_of, items)))

    def _digest_of(self, item: Item) -> int:
        """The digest of the fields that an entity tag covers."""
        cached = self._item_digests.get(item.extension)
        if cached is None or cached[0] is not item:
            self._evict_removed()
            cached = self._item_digests[item.extension] = item, self._digest(item)
        return cached[1]

    def _digest(self, item: Item) -> int:
        return keyed_digest(encode(item.facts()), self._tag_key)

    def _evict_removed(self) -> None:
        """Drop removed extensions once they may outnumber the existing ones."""
        for cache in (self._item_json, self._item_digests, self._item_etags):
            if len(cache) > 2 * len(self._feed) + 100:
                for extension in [name for name in cache if self._feed.get(name) is None]:
                    del cache[extension]


SNAPSHOT_CACHE = web.AppKey("snapshot_cache", SnapshotCache)
