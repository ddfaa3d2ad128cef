"""Indexes all subscriptions by extension, so that a change costs nothing for the unaffected ones.

Synchronous and pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.presence.item import Item
from service.domain.presence.subscription import FullSubscription, Subscription


class SubscriptionIndex:
    """Subscriptions to all extensions, to single extensions, and by owner."""

    def __init__(self) -> None:
        self._full: set[FullSubscription] = set()
        self._idle: set[FullSubscription] = set()  # full ones that the next change must notify
        self._partial: set[Subscription] = set()
        self._by_owner: set[Subscription] = set()
        self._by_extension: dict[str, set[Subscription]] = {}

    def __len__(self) -> int:
        return len(self._full) + len(self._partial)

    def __iter__(self) -> Iterator[Subscription]:
        yield from self._full
        yield from self._partial

    def add(self, subscription: Subscription) -> None:
        """Begin to deliver changes to a subscription."""
        if isinstance(subscription, FullSubscription):
            self._full.add(subscription)
            self._idle.add(subscription)
            return
        self._partial.add(subscription)
        if subscription.by_owner:
            self._by_owner.add(subscription)
        for extension in subscription.extensions or ():
            self._by_extension.setdefault(extension, set()).add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Stop delivering to a subscription."""
        if isinstance(subscription, FullSubscription):
            self._full.discard(subscription)
            self._idle.discard(subscription)
        self._partial.discard(subscription)
        self._by_owner.discard(subscription)
        for extension in subscription.extensions or ():
            subscriptions = self._by_extension.get(extension, set())
            subscriptions.discard(subscription)
            if not subscriptions:
                self._by_extension.pop(extension, None)

    def put(self, version: int, extension: str, item: Item | None, *, owner_changed: bool) -> None:
        """Deliver a change to the extension's subscriptions, and a change of owner to those by owner."""
        for subscription in self._by_extension.get(extension, ()):
            subscription.put(version, extension, item)
        if owner_changed:
            for subscription in self._by_owner:
                subscription.put_owner_change()

    def put_link(self, call_server: str, live: bool) -> None:
        """Deliver a changed link to all subscriptions."""
        for subscription in self:
            subscription.put_link(call_server, live)

    def notify_idle(self) -> None:
        """Notify the full subscriptions that are idle. They are idle again once they have been emptied."""
        idle, self._idle = self._idle, set()
        for subscription in idle:
            subscription.notify()

    def mark_idle(self, subscription: FullSubscription) -> None:
        """Have an empty full subscription notified of the next change."""
        if subscription in self._full:
            self._idle.add(subscription)
