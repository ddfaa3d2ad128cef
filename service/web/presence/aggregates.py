"""What is made of everything on the board, kept: of what did not change nothing is made again.

Very many changes are taken in slices, a turn of the loop each; until then it is not `ready`, and whoever asks waits.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from service.domain.presence.feed import SLICE_SIZE, PresenceFeed
from service.domain.presence.item import Item
from service.web.presence.json_blocks import Blocks

SLICE_OF_BLOCKS = 16
"""Blocks that are joined in one turn of the loop: a few milliseconds."""


class _Whole:
    """`trips`: whether the round-trip time matters."""

    def __init__(self, feed: PresenceFeed, *, trips: bool) -> None:
        self._feed = feed
        self._altered = feed.track_changes(round_trips=trips)
        self._turning = False
        self._finished = False

    def ready(self) -> bool:
        """Whether it is as of now; if not, it is being made. It stays so until the turn of the loop ends."""
        self._feed.catch_up()
        if not self._turning and (self._altered or not self._finished):
            self._turn()
        return self._finished and not self._altered and not self._feed.behind

    def _turn(self) -> None:
        altered, feed = self._altered, self._feed
        self._turning = self._finished = False
        for _ in range(min(SLICE_SIZE, len(altered))):
            extension = altered.pop()
            self._take(extension, feed.get(extension))
        if altered or not self._finish_some():
            self._turning = True
            feed.call_soon(self._turn)
        else:
            self._finished = True

    def _take(self, extension: str, item: Item | None) -> None:
        """An extension's item is another, or there is none any more."""
        raise NotImplementedError

    def _finish_some(self) -> bool:
        """Do a part of what is to be done when all is taken. Returns whether that is all of it."""
        return True


class JsonList(_Whole):
    """All items as a JSON list, in order of their extensions; `render` makes the JSON of one, None for none."""

    def __init__(self, feed: PresenceFeed, render: Callable[[Item], msgspec.Raw | None], *, trips: bool) -> None:
        super().__init__(feed, trips=trips)
        self._render = render
        self._blocks = Blocks()

    def joined(self) -> bytes:
        """All of it, once it is ready."""
        return self._blocks.joined()

    def changed_after(self, moment: str) -> bytes:
        """Those items that changed after this moment, which is told as theirs are."""
        get = self._feed.get
        found = [number for number in self._blocks if (item := get(number)) is not None and item.as_of > moment]
        return self._blocks.of(found) if len(found) < len(self._blocks) else self._blocks.joined()

    def _take(self, extension: str, item: Item | None) -> None:
        part = None if item is None else self._render(item)
        if part is not None:
            self._blocks.put(extension, part)
        else:
            self._blocks.drop(extension)

    def _finish_some(self) -> bool:
        return self._blocks.join(SLICE_OF_BLOCKS)


class Sum(_Whole):
    """The sum of a number for each item, once it is `ready`: a change costs what one item does."""

    def __init__(self, feed: PresenceFeed, number_of: Callable[[Item], int]) -> None:
        super().__init__(feed, trips=False)
        self._number_of = number_of
        self._numbers: dict[str, int] = {}
        self.sum = 0

    def _take(self, extension: str, item: Item | None) -> None:
        self.sum -= self._numbers.pop(extension, 0)
        if item is not None:
            self.sum += self._numbers.setdefault(extension, self._number_of(item))
