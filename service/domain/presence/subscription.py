"""Subscriptions: the changes of the presence feed that one reader has not taken yet. Synchronous and pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from service.domain.presence.item import Item

MAX_BATCH = 1_000
"""Changes that a full subscription returns at once."""


class Subscription:
    """Changes for one reader. `notify` is called when one arrives, and must not wait.

    `by_owner`: the reader's scope depends on owners, so a change of any owner requires a snapshot.
    """

    __slots__ = ("_items", "_owner_changed", "_version", "by_owner", "extensions", "links", "notify", "seen")

    def __init__(self, extensions: frozenset[str] | None, notify: Callable[[], None], by_owner: bool = False) -> None:
        self.extensions = extensions
        """The subscribed extensions; None means all."""
        self.by_owner = by_owner
        self.seen = 0
        """The number of the newest change that was taken."""
        self.notify = notify
        self.links: dict[str, bool] = {}
        """Call servers whose link was lost (False) or is live again (True) since links were last taken."""
        self._owner_changed = False
        self._items: dict[str, Item | None] = {}
        self._version = 0

    @property
    def needs_snapshot(self) -> bool:
        """Whether changes do not suffice: an owner changed, and the subscription is by owner."""
        return self._owner_changed

    def put_link(self, call_server: str, live: bool) -> None:
        """Add the state of a link that was lost or is live again."""
        self.links[call_server] = live
        self.notify()

    def put_owner_change(self) -> None:
        """Record that an extension was assigned or unassigned."""
        self._owner_changed = True
        self.notify()

    def take_links(self) -> dict[str, bool]:
        """Remove and return the changed links."""
        links, self.links = self.links, {}
        return links

    def put(self, version: int, extension: str, item: Item | None) -> None:
        """Add an extension's newest item; None if it was deleted."""
        self._items[extension] = item
        self._version = version
        self.notify()

    def take(self) -> tuple[int, dict[str, Item | None]]:
        """Remove all items and return them, with the number of the newest change among them."""
        items, self._items = self._items, {}
        self.seen = self._version
        return self._version, items

    def __len__(self) -> int:
        return len(self._items)


class ChangeSource(Protocol):
    """The part of the presence feed that a full subscription uses."""

    @property
    def forgotten(self) -> int: ...

    @property
    def version(self) -> int: ...

    def get(self, extension: str) -> Item | None: ...

    def numbers_since(self, version: int) -> list[tuple[int, str]]: ...

    def notify_next(self, subscription: FullSubscription) -> None: ...

    def catch_up(self, extensions: frozenset[str]) -> None: ...


class FullSubscription(Subscription):
    """A subscription to all extensions. It reads the feed's own change order, so a change costs it nothing.

    It is notified of one change, and then not again until it has been emptied. Very many changes are taken in batches,
    oldest first, so that each batch is sent in its own turn of the loop.
    """

    __slots__ = ("_feed",)

    def __init__(self, feed: ChangeSource, notify: Callable[[], None]) -> None:
        super().__init__(None, notify)
        self._feed = feed
        self.seen = feed.version

    @property
    def needs_snapshot(self) -> bool:
        """Whether changes do not suffice: more deletions were missed than the feed remembers."""
        return self.seen < self._feed.forgotten

    def take(self) -> tuple[int, dict[str, Item | None]]:
        """Take the next batch of items, with the number of the newest change among them.

        Those that may have changed since are composed again: that change has a newer number, so they come once more.
        """
        feed = self._feed
        changes = feed.numbers_since(self.seen)
        self.seen = changes[MAX_BATCH - 1][0] if len(changes) > MAX_BATCH else feed.version
        feed.catch_up(frozenset(extension for _, extension in changes[:MAX_BATCH]))
        if self.seen < feed.version:
            self.notify()
        else:
            feed.notify_next(self)
        return self.seen, {extension: feed.get(extension) for _, extension in changes[:MAX_BATCH]}

    def __len__(self) -> int:
        return len(self._feed.numbers_since(self.seen))
