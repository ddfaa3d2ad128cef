"""Items and pictures as JSON, and tags: each is made once until it changes, however many ask for it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec
from aiohttp import web

from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item
from service.domain.presence.scope import Scope
from service.web.http.errors import encode
from service.web.presence.aggregates import JsonList, Sum

TAGS, LARGEST = 5_000, 50
"""Groups of extensions whose tags are remembered, as softphones ask for the same again; and the size of such one."""


class SnapshotCache:
    """`tag_key` is the same on every replica, so the tags are too."""

    def __init__(self, feed: PresenceFeed, tag_key: bytes) -> None:
        self._feed = feed
        self._tag_key = tag_key
        self._encoded: dict[str, tuple[Item, msgspec.Raw]] = {}
        self._tags_of_one: dict[str, tuple[Item, str]] = {}
        self._digests: dict[str, tuple[Item, int]] = {}
        self._whole = JsonList(feed, self.encoded, trips=True)
        self._tag_of_whole = Sum(feed, self._digest)
        self._tags: dict[frozenset[str], tuple[int, str]] = {}  # by the extensions

    def ready(self) -> bool:
        """Whether all that is made of everything can be had in this turn of the loop; if not, it is being made."""
        ready = self._tag_of_whole.ready()
        return self._whole.ready() and ready

    async def settled(self, scope: Scope) -> None:
        """Wait until what is in sight can be had in this turn of the loop."""
        while scope.covers_everything and not self.ready():  # noqa: ASYNC110 - it takes turns of the loop
            await asyncio.sleep(0)

    def encoded(self, item: Item) -> msgspec.Raw:
        """An item as JSON."""
        known = self._encoded.get(item.extension)
        if known is None or known[0] is not item:
            self._tidy()
            known = self._encoded[item.extension] = item, msgspec.Raw(encode(item))
        return known[1]

    def shown(self, extension: str, item: Item | None) -> msgspec.Raw | dict[str, object]:
        """A change of an item; a vanished extension as such."""
        return self.encoded(item) if item is not None else {"extension": extension, "deleted": True}

    def snapshot(self, scope: Scope) -> bytes:
        """Everything in sight, as a JSON list. Of the whole board it is as of when it was `ready` last."""
        if not scope.covers_everything:
            return encode(scope.snapshot())
        self._whole.ready()
        return self._whole.joined()

    def tag(self, scope: Scope) -> str:
        """The entity tag of everything in sight. Of the whole board it is as of when it was `ready` last."""
        if scope.covers_everything:
            self._tag_of_whole.ready()
            return _tag(self._tag_of_whole.sum)
        asked = scope.requested
        if asked is None or len(asked) > LARGEST:
            return self.tag_of(scope.snapshot())
        self._feed.catch_up(asked)
        known = self._tags.get(asked)
        if known is None or known[0] != self._feed.version:
            if len(self._tags) >= TAGS:
                self._tags.clear()
            known = self._tags[asked] = self._feed.version, self.tag_of(scope.snapshot())
        return known[1]

    def tag_of_one(self, item: Item) -> str:
        """The entity tag of a single item."""
        known = self._tags_of_one.get(item.extension)
        if known is None or known[0] is not item:
            self._tidy()
            known = self._tags_of_one[item.extension] = item, self.tag_of([item])
        return known[1]

    def tag_of(self, items: Sequence[Item]) -> str:
        """The entity tag of these items: whatever their order, and on whichever replica."""
        return _tag(sum(map(self._digest_of, items)))

    def _digest_of(self, item: Item) -> int:
        """The digest of what a tag covers of an item."""
        known = self._digests.get(item.extension)
        if known is None or known[0] is not item:
            self._tidy()
            known = self._digests[item.extension] = item, self._digest(item)
        return known[1]

    def _digest(self, item: Item) -> int:
        digest = hashlib.blake2b(encode(item.facts()), key=self._tag_key, digest_size=16).digest()
        return int.from_bytes(digest, "big")

    def _tidy(self) -> None:
        """Forget extensions that vanished, before they are as many as those that are there."""
        for kept in (self._encoded, self._digests, self._tags_of_one):
            if len(kept) > 2 * len(self._feed) + 100:
                for extension in [name for name in kept if self._feed.get(name) is None]:
                    del kept[extension]


def _tag(digests: int) -> str:
    """A sum of keyed digests as a tag: that can be kept up to date item by item, where there are very many."""
    return f'"{digests % (1 << 128):032x}"'


SNAPSHOT_CACHE = web.AppKey("pictures", SnapshotCache)
