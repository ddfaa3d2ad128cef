"""Who is notified of which changed queues. Synchronous and pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class QueueSubscription:
    """A reader of some queues, all if `names` is None. It is notified once, and then not again until it has read."""

    __slots__ = ("_notified", "by_membership", "names", "notify")

    def __init__(self, names: frozenset[str] | None, notify: Callable[[], None], by_membership: bool) -> None:
        self.names = names
        self.notify = notify
        self.by_membership = by_membership
        """Whether what the reader sees depends on the queues that it is a member of."""
        self._notified = False

    def changed(self) -> None:
        """There is something to read."""
        if not self._notified:
            self._notified = True
            self.notify()

    def read(self) -> None:
        """The reader reads in this turn of the loop."""
        self._notified = False


class QueueSubscriptions:
    """All subscriptions, by the name of the queue: a change costs nothing for those to whom it means nothing."""

    def __init__(self) -> None:
        self._by_name: dict[str | None, set[QueueSubscription]] = {}
        self._all: set[QueueSubscription] = set()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, subscription: QueueSubscription) -> QueueSubscription:
        """Begin to notify a subscription."""
        self._all.add(subscription)
        for name in _names(subscription):
            self._by_name.setdefault(name, set()).add(subscription)
        return subscription

    def remove(self, subscription: QueueSubscription) -> None:
        """Stop notifying it."""
        self._all.discard(subscription)
        for name in _names(subscription):
            subscriptions = self._by_name.get(name, set())
            subscriptions.discard(subscription)
            if not subscriptions:
                self._by_name.pop(name, None)

    def notify(self, names: Iterable[str], *, remapped: bool) -> None:
        """Notify of changed queues; if `remapped`, also all readers whose memberships may have changed."""
        changed = list(names)
        for name in (*changed, None) if changed else ():
            for subscription in self._by_name.get(name, ()):
                subscription.changed()
        if remapped:
            for subscription in self._all:
                if subscription.by_membership:
                    subscription.changed()


def _names(subscription: QueueSubscription) -> Iterable[str | None]:
    return (None,) if subscription.names is None else subscription.names
