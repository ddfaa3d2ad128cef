"""Readers of the presence feed: streams and pollers, which must end with the same board whatever they missed."""

from __future__ import annotations

import random
from collections.abc import Iterable

from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item
from service.domain.presence.subscription import Subscription

Board = dict[str, tuple[object, ...]]


def board(items: Iterable[Item]) -> Board:
    """What a reader shows: the facts of each extension."""
    return {item.extension: item.facts() for item in items}


class Stream:
    """A subscription with its snapshot. `extensions`: None for all."""

    def __init__(self, feed: PresenceFeed, extensions: frozenset[str] | None) -> None:
        self._feed = feed
        self._extensions = extensions
        self._subscribe()

    def _subscribe(self) -> None:
        self._subscription: Subscription = self._feed.subscribe(self._extensions, self._notice)
        self.board = board(item for item in self._feed.items() if self._reads(item.extension))

    def _reads(self, extension: str) -> bool:
        return self._extensions is None or extension in self._extensions

    def _notice(self) -> None:
        self._noticed = True

    def catch_up(self) -> None:
        """Take what has changed, and what is composed in that and comes once more."""
        self._noticed = True
        while self._noticed:
            self._noticed = False
            self._take()

    def _take(self) -> None:
        if self._subscription.needs_snapshot:
            self._feed.unsubscribe(self._subscription)
            self._subscribe()
            return
        _, items = self._subscription.take()
        apply(self.board, items.items())

    def expected(self) -> Board:
        """What the board is once the reader has caught up."""
        return board(item for item in self._feed.items() if self._reads(item.extension))


class Poller:
    """Polls all extensions with the cursor of its last response."""

    def __init__(self, feed: PresenceFeed) -> None:
        self._feed = feed
        self._cursor = "none"
        self.board: Board = {}

    def catch_up(self) -> None:
        """One poll."""
        version = self._feed.parse_cursor(self._cursor)
        if version is None:
            self.board = board(self._feed.items())
        else:
            apply(self.board, self._feed.changes_since(version))
        self._cursor = self._feed.cursor()

    def expected(self) -> Board:
        """What the board is after a poll."""
        return board(self._feed.items())


def apply(shown: Board, changes: Iterable[tuple[str, Item | None]]) -> None:
    """Show the changed items; None is an extension that is deleted."""
    for extension, item in changes:
        if item is None:
            shown.pop(extension, None)
        else:
            shown[extension] = item.facts()


class Readers:
    """Readers of several kinds. At each look some of them catch up, so that all miss something."""

    def __init__(self, feed: PresenceFeed, chance: random.Random, extensions: list[str]) -> None:
        self._feed = feed
        self._chance = chance
        some = frozenset(chance.sample(extensions, 3))
        self.readers: list[Stream | Poller] = [Stream(feed, None), Stream(feed, some), Poller(feed)]

    def wrong(self) -> str | None:
        """Have some catch up, and compare; None if each shows what the feed has."""
        for reader in self.readers:
            if self._chance.random() < 0.3:
                reader.catch_up()
                expected = reader.expected()
                if reader.board != expected:
                    differing = sorted(
                        name
                        for name in reader.board.keys() | expected.keys()
                        if reader.board.get(name) != expected.get(name)
                    )
                    return f"a {type(reader).__name__.lower()} shows other items of {differing}"
        return None
