"""Aggregates over the whole presence feed, updated incrementally: only what changed is computed again.

Many changes are applied in slices, each in a turn of the event loop. Until all are applied, `is_ready` is False and
callers wait.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from service.domain.presence.feed import SLICE_SIZE, PresenceFeed
from service.domain.presence.item import Item
from service.web.presence.json_blocks import JsonBlocks

BLOCKS_PER_TURN = 16
"""JsonBlocks joined per turn of the event loop: a few milliseconds."""


class _Aggregate:
    """`trips`: whether changes of the round-trip time count."""

    def __init__(self, feed: PresenceFeed, *, trips: bool) -> None:
        self._feed = feed
        self._altered = feed.track_changes(round_trips=trips)
        self._update_scheduled = False
        self._finished = False

    def is_ready(self) -> bool:
        """Whether it is current, until the turn of the event loop ends. If not, an update is under way."""
        self._feed.catch_up()
        return self.update()

    def update(self) -> bool:
        """The same for a caller who has called the feed's `catch_up` in this turn."""
        if not self._update_scheduled and (self._altered or not self._finished):
            self._update_some()
        return self._finished and not self._altered and not self._feed.behind

    def _update_some(self) -> None:
        altered, feed = self._altered, self._feed
        self._update_scheduled = self._finished = False
        for _ in range(min(SLICE_SIZE, len(altered))):
            extension = altered.pop()
            self._apply(extension, feed.get(extension))
        if altered or not self._finish_some():
            self._update_scheduled = True
            feed.call_soon(self._update_some)
        else:
            self._finished = True

    def _apply(self, extension: str, item: Item | None) -> None:
        """Apply an extension's new item, or its removal (None)."""
        raise NotImplementedError

    def _finish_some(self) -> bool:
        """Do a part of the work that follows when all changes are applied. Returns whether none is left."""
        return True


class JsonList(_Aggregate):
    """All items as a JSON list, ordered by extension. `render` returns an item's JSON, or None to leave it out."""

    def __init__(self, feed: PresenceFeed, render: Callable[[Item], msgspec.Raw | None], *, trips: bool) -> None:
        super().__init__(feed, trips=trips)
        self._render = render
        self._blocks = JsonBlocks()

    def whole(self) -> bytes:
        """The whole list. Call it when ready."""
        return self._blocks.whole()

    def changed_after(self, moment: str) -> bytes:
        """The items that changed after `moment`, a text like `Item.as_of`."""
        get = self._feed.get
        changed = [number for number in self._blocks if (item := get(number)) is not None and item.as_of > moment]
        return self._blocks.select(changed) if len(changed) < len(self._blocks) else self._blocks.whole()

    def _apply(self, extension: str, item: Item | None) -> None:
        json = None if item is None else self._render(item)
        if json is not None:
            self._blocks.put(extension, json)
        else:
            self._blocks.remove(extension)

    def _finish_some(self) -> bool:
        return self._blocks.join_some(BLOCKS_PER_TURN)


class Sum(_Aggregate):
    """The sum of one number per item. A change costs one item's computation."""

    def __init__(self, feed: PresenceFeed, number_of: Callable[[Item], int]) -> None:
        super().__init__(feed, trips=False)
        self._number_of = number_of
        self._numbers: dict[str, int] = {}
        self.sum = 0

    def _apply(self, extension: str, item: Item | None) -> None:
        self.sum -= self._numbers.pop(extension, 0)
        if item is not None:
            self.sum += self._numbers.setdefault(extension, self._number_of(item))
