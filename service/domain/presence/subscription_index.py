"""All mailboxes of a board, by what they are for: a change costs nothing for those whom it does not concern.

Synchronous and pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.presence.item import Item
from service.domain.presence.subscription import FullSubscription, Subscription


class SubscriptionIndex:
    """Of those who follow everything, of those who follow extensions, and of those who follow by owner."""

    def __init__(self) -> None:
        self._for_all: set[FullSubscription] = set()
        self._asleep: set[FullSubscription] = set()  # those of them that are to be told of the next change
        self._for_some: set[Subscription] = set()
        self._by_owner: set[Subscription] = set()
        self._for_one: dict[str, set[Subscription]] = {}

    def __len__(self) -> int:
        return len(self._for_all) + len(self._for_some)

    def __iter__(self) -> Iterator[Subscription]:
        yield from self._for_all
        yield from self._for_some

    def add(self, subscription: Subscription) -> None:
        """From now on it gets what changes."""
        if isinstance(subscription, FullSubscription):
            self._for_all.add(subscription)
            self._asleep.add(subscription)
            return
        self._for_some.add(subscription)
        if subscription.by_owner:
            self._by_owner.add(subscription)
        for extension in subscription.extensions or ():
            self._for_one.setdefault(extension, set()).add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """It gets nothing any more."""
        if isinstance(subscription, FullSubscription):
            self._for_all.discard(subscription)
            self._asleep.discard(subscription)
        self._for_some.discard(subscription)
        self._by_owner.discard(subscription)
        for extension in subscription.extensions or ():
            boxes = self._for_one.get(extension, set())
            boxes.discard(subscription)
            if not boxes:
                self._for_one.pop(extension, None)

    def put(self, version: int, extension: str, item: Item | None, *, moved: bool) -> None:
        """A change, for whoever follows this extension; and for who follows by owner, where it `moved`."""
        for subscription in self._for_one.get(extension, ()):
            subscription.put(version, extension, item)
        if moved:
            for subscription in self._by_owner:
                subscription.put_moved()

    def put_link(self, call_server: str, live: bool) -> None:
        """A link was lost, or is back: that is for all."""
        for subscription in self:
            subscription.put_link(call_server, live)

    def wake(self) -> None:
        """Something changed: tell those who follow everything, once until they have looked."""
        woken, self._asleep = self._asleep, set()
        for subscription in woken:
            subscription.arrived()

    def wake_for_next(self, subscription: FullSubscription) -> None:
        """It is empty: it is to be told of the next change."""
        if subscription in self._for_all:
            self._asleep.add(subscription)
