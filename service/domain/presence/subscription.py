"""Mailboxes: what changed on the board for one reader since they looked last. Synchronous and pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from service.domain.presence.item import Item

LARGEST_NEWS = 1_000
"""Changes that one who follows everything is given at a time."""


class Subscription:
    """What changed for one reader. `arrived` is called when something comes, and must not wait."""

    __slots__ = ("_items", "_moved", "_version", "arrived", "by_owner", "extensions", "links", "seen")

    def __init__(self, extensions: frozenset[str] | None, arrived: Callable[[], None], by_owner: bool = False) -> None:
        self.extensions = extensions
        """Which extensions it wants; None means all."""
        self.by_owner = by_owner
        self.seen = 0
        """The number of the newest change that was taken from it."""
        self.arrived = arrived
        self.links: dict[str, bool] = {}
        """Call servers whose link was lost (False) or is back (True) since the box was last emptied."""
        self._moved = False
        self._items: dict[str, Item | None] = {}
        self._version = 0

    @property
    def moved(self) -> bool:
        """Whether only the whole picture will do: an owner changed, and it wants to know by owner."""
        return self._moved

    def put_link(self, call_server: str, live: bool) -> None:
        """A link was lost, or is back."""
        self.links[call_server] = live
        self.arrived()

    def put_moved(self) -> None:
        """An extension has another owner, or none any more."""
        self._moved = True
        self.arrived()

    def take_links(self) -> dict[str, bool]:
        """What happened to links."""
        links, self.links = self.links, {}
        return links

    def put(self, version: int, extension: str, item: Item | None) -> None:
        """The newest of an extension; None: it vanished."""
        self._items[extension] = item
        self._version = version
        self.arrived()

    def take(self) -> tuple[int, dict[str, Item | None]]:
        """Everything that is here, and the number of the newest change in it. Leaves it empty."""
        items, self._items = self._items, {}
        self.seen = self._version
        return self._version, items

    def __len__(self) -> int:
        return len(self._items)


class Changing(Protocol):
    """What the mailbox of one who follows everything asks of the board."""

    @property
    def forgotten(self) -> int: ...

    @property
    def version(self) -> int: ...

    def get(self, extension: str) -> Item | None: ...

    def numbered_since(self, version: int) -> list[tuple[int, str]]: ...

    def wake_for_next(self, subscription: FullSubscription) -> None: ...


class FullSubscription(Subscription):
    """Of one who follows everything. The board's own order is what is in it, so a change costs it nothing.

    It is told of the next change once, and then of none until it is emptied. Very many changes are taken in several
    goes, the oldest first, as each is told in a turn of the loop.
    """

    __slots__ = ("_feed",)

    def __init__(self, feed: Changing, arrived: Callable[[], None]) -> None:
        super().__init__(None, arrived)
        self._feed = feed
        self.seen = feed.version

    @property
    def moved(self) -> bool:
        """Whether only the whole picture will do: it slept while more vanished than is remembered."""
        return self.seen < self._feed.forgotten

    def take(self) -> tuple[int, dict[str, Item | None]]:
        """As above."""
        feed = self._feed
        changes = feed.numbered_since(self.seen)
        self.seen = changes[LARGEST_NEWS - 1][0] if len(changes) > LARGEST_NEWS else feed.version
        if self.seen < feed.version:
            self.arrived()
        else:
            feed.wake_for_next(self)
        return self.seen, {extension: feed.get(extension) for _, extension in changes[:LARGEST_NEWS]}

    def __len__(self) -> int:
        return len(self._feed.numbered_since(self.seen))
