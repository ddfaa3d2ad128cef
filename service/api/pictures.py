"""Items and pictures as JSON, and tags: each is made once until it changes, however many ask for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from service.api.errors import encode
from service.live.board import Board
from service.live.presence import Item
from service.live.sight import Sight

TAGS, LARGEST = 5_000, 50
"""Groups of extensions whose tags are remembered, as softphones ask for the same again; and the size of such one."""


class Pictures:
    """`tag_key` is the same on every replica, so the tags are too."""

    def __init__(self, board: Board, tag_key: bytes) -> None:
        self._board = board
        self._tag_key = tag_key
        self._encoded: dict[str, tuple[Item, msgspec.Raw]] = {}
        self._tags_of_one: dict[str, tuple[Item, str]] = {}
        self._facts: dict[str, tuple[Item, bytes]] = {}
        self._whole: tuple[int, bytes] = (-1, b"")
        self._tags: dict[frozenset[str], tuple[int, str]] = {}  # by the extensions; of all, where there are none

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

    def picture(self, sight: Sight) -> bytes:
        """Everything in sight, as a JSON list."""
        if not sight.everything:
            return encode(sight.picture())
        self._board.flush()
        if self._whole[0] != self._board.stamp:
            self._whole = self._board.stamp, encode(sight.picture())
        return self._whole[1]

    def tag(self, sight: Sight) -> str:
        """The entity tag of everything in sight."""
        asked = sight.asked
        if asked is None or len(asked) > LARGEST:
            return self.tag_of(sight.picture())
        self._board.flush()
        known = self._tags.get(asked)
        if known is None or known[0] != self._board.version:
            if len(self._tags) >= TAGS:
                self._tags.clear()
            known = self._tags[asked] = self._board.version, self.tag_of(sight.picture())
        return known[1]

    def tag_of_one(self, item: Item) -> str:
        """The entity tag of a single item."""
        known = self._tags_of_one.get(item.extension)
        if known is None or known[0] is not item:
            self._tidy()
            known = self._tags_of_one[item.extension] = item, self.tag_of([item])
        return known[1]

    def tag_of(self, items: Sequence[Item]) -> str:
        """The entity tag of these items, in this order."""
        if len(items) > LARGEST:  # in one go: half the time of joining so many
            facts = encode([item.facts() for item in items])
        else:
            facts = b"[" + b",".join(map(self._facts_of, items)) + b"]"
        return f'"{hashlib.blake2b(facts, key=self._tag_key, digest_size=16).hexdigest()}"'

    def _facts_of(self, item: Item) -> bytes:
        """What a tag covers of an item, as JSON."""
        known = self._facts.get(item.extension)
        if known is None or known[0] is not item:
            self._tidy()
            known = self._facts[item.extension] = item, encode(item.facts())
        return known[1]

    def _tidy(self) -> None:
        """Forget extensions that vanished, before they are as many as those that are there."""
        for kept in (self._encoded, self._facts, self._tags_of_one):
            if len(kept) > 2 * len(self._board) + 100:
                for extension in [name for name in kept if self._board.get(name) is None]:
                    del kept[extension]
