"""Indexes all subscriptions by extension, so that a change costs nothing for the unaffected ones.

Synchronous and pure. Dictionaries stand in for sets: who subscribed first is notified first.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.presence.item import Item
from service.domain.presence.subscription import FullSubscription, Subscription


class SubscriptionIndex:
    """Subscriptions to all extensions, to single extensions, and by owner."""

    def __init__(self) -> None:
        self._full: dict[FullSubscription, None] = {}
        self._idle: dict[FullSubscription, None] = {}  # full ones that the next change must notify
        self._partial: dict[Subscription, None] = {}
        self._by_owner: dict[Subscription, None] = {}
        self._by_extension: dict[str, dict[Subscription, None]] = {}

    def __len__(self) -> int:
        return len(self._full) + len(self._partial)

    def __iter__(self) -> Iterator[Subscription]:
        yield from self._full
        yield from self._partial

    def add(self, subscription: Subscription) -> None:
        """Begin to deliver changes to a subscription."""
        if isinstance(subscription, FullSubscription):
            self._full[subscription] = None
            self._idle[subscription] = None
            return
        self._partial[subscription] = None
        if subscription.by_owner:
            self._by_owner[subscription] = None
        for extension in subscription.extensions or ():
            self._by_extension.setdefault(extension, {})[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Stop delivering to a subscription."""
        if isinstance(subscription, FullSubscription):
            self._full.pop(subscription, None)
            self._idle.pop(subscription, None)
        self._partial.pop(subscription, None)
        self._by_owner.pop(subscription, None)
        for extension in subscription.extensions or ():
            subscriptions = self._by_extension.get(extension, {})
            subscriptions.pop(subscription, None)
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
        idle, self._idle = self._idle, {}
        for subscription in idle:
            subscription.notify()

    def mark_idle(self, subscription: FullSubscription) -> None:
        """Have an empty full subscription notified of the next change."""
        if subscription in self._full:
            self._idle[subscription] = None
