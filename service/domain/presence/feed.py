"""The presence feed: the current item of every extension, with numbered changes.

Synchronous and pure. Sources call `touch`; the feed then composes the touched extensions again, and only an item that
differs counts as a change. The feed is state, not a log: a subscription holds the newest item per extension, so the
number of extensions bounds its size, however slow its reader is.

When very many extensions are touched at once, as by a lost link, they are composed in slices, one per turn of the loop.
No reader sees an older item meanwhile: a reader calls `catch_up` for the extensions that it reads. Only a reader of all
extensions must wait while the feed is `behind`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from service.domain.presence.call_server_index import CallServerIndex
from service.domain.presence.change_numbers import ChangeNumbers
from service.domain.presence.item import Item
from service.domain.presence.subscription import FullSubscription, Subscription
from service.domain.presence.subscription_index import SubscriptionIndex

SLICE_SIZE = 256
"""Extensions that are composed in one turn of the loop, which takes a few milliseconds."""


class PresenceFeed:
    """`compose` returns the current item of an extension, None if the extension does not exist.

    `call_soon` runs a function in a later turn of the loop, so that the changes of one turn are composed together.
    `touch_expired` touches the extensions that change by the passage of time alone, such as those of a silent link.
    """

    def __init__(
        self,
        compose: Callable[[str], Item | None],
        call_soon: Callable[[Callable[[], None]], object],
        touch_expired: Callable[[], None] = lambda: None,
    ) -> None:
        self._compose = compose
        self.call_soon = call_soon
        self._touch_expired = touch_expired
        self.instance = secrets.token_hex(6)
        """The name of this process in cursors."""
        self._items: dict[str, Item] = {}
        self._by_call_server = CallServerIndex()
        self._numbers = ChangeNumbers[str](self._items)
        self._touched: set[str] = set()
        self._trackers: list[tuple[set[str], bool]] = []
        self._watchers: dict[str, dict[Callable[[], None], None]] = {}
        self.observers: list[Callable[[Item | None, Item | None], None]] = []
        """Called with the old and the new item of each change, None if there is none. They must not wait."""
        self.last_owner_change = 0
        """The number of the newest change of an owner."""
        self._scheduled = False
        self.subscriptions = SubscriptionIndex()

    def __len__(self) -> int:
        return len(self._items)

    # --- writing -----------------------------------------------------------------------------------------------

    def touch(self, extensions: Iterable[str]) -> None:
        """Mark extensions that may have changed."""
        self._touched.update(extensions)
        if not self._scheduled and self._touched:
            self._scheduled = True
            self.call_soon(self._compose_slice)

    def touch_one(self, extension: str) -> None:
        """Mark one extension that may have changed."""
        self._touched.add(extension)
        if not self._scheduled:
            self._scheduled = True
            self.call_soon(self._compose_slice)

    def touch_call_server(self, call_server: str) -> None:
        """Mark all extensions of a call server."""
        self.touch(self._by_call_server.of(call_server))

    def _compose_slice(self) -> None:
        """Compose a slice of the touched extensions, and schedule the next slice."""
        self._scheduled = False
        touched = self._touched
        if len(touched) <= SLICE_SIZE:
            self.flush()
            return
        self._refresh([touched.pop() for _ in range(SLICE_SIZE)])
        self._scheduled = True
        self.call_soon(self._compose_slice)

    def flush(self) -> None:
        """Compose all touched extensions."""
        touched, self._touched = self._touched, set()
        self._refresh(touched)

    def _refresh(self, extensions: Iterable[str]) -> None:
        """Compose these extensions; number and publish the items that differ."""
        before = self.version
        for extension in extensions:
            for notify in self._watchers.get(extension, ()):
                notify()
            new, old = self._compose(extension), self._items.get(extension)
            if new is not None and old is not None and new.has_same_facts(old):
                if new.round_trip_ms != old.round_trip_ms:
                    self._items[extension] = msgspec.structs.replace(new, as_of=old.as_of)
                    self._track(extension, only_round_trip=True)
                continue
            if new is None and old is None:
                continue
            self._publish(extension, new, old)
        if self.version != before:
            self.subscriptions.notify_idle()

    def _publish(self, extension: str, new: Item | None, old: Item | None) -> None:
        if new is not None:
            self._items[extension] = new
        else:
            del self._items[extension]
        self._by_call_server.move(extension, old.call_server if old else None, new.call_server if new else None)
        version = self._numbers.record(extension, created=old is None, deleted=new is None)
        self._track(extension, only_round_trip=False)
        for observe in self.observers:
            observe(old, new)
        owner_changed = _owner(old) != _owner(new)
        if owner_changed:
            self.last_owner_change = version
        self.subscriptions.put(version, extension, new, owner_changed=owner_changed)

    def _track(self, extension: str, *, only_round_trip: bool) -> None:
        for changed, round_trips in self._trackers:
            if round_trips or not only_round_trip:
                changed.add(extension)

    # --- reading -----------------------------------------------------------------------------------------------

    def catch_up(self, extensions: frozenset[str] | None = None) -> None:
        """Compose the touched ones of these extensions; of all (None), unless the feed is `behind`."""
        self._touch_expired()
        if not self._touched:
            return
        if len(self._touched) <= SLICE_SIZE:
            self.flush()
        elif extensions is not None and (due := self._touched & extensions):
            self._touched -= due
            self._refresh(due)

    @property
    def behind(self) -> bool:
        """Whether more extensions are touched than one turn of the loop may compose."""
        return len(self._touched) > SLICE_SIZE

    def track_changes(self, *, round_trips: bool) -> set[str]:
        """Return a set with all extensions, to which each changed extension will be added. The reader empties it.

        `round_trips`: also add extensions of which only the round-trip time changed.
        """
        changed = set(self._items)
        self._trackers.append((changed, round_trips))
        return changed

    @contextmanager
    def watching(self, extension: str, notify: Callable[[], None]) -> Iterator[None]:
        """Within the block, call `notify`, which must not wait, whenever an extension may have changed.

        That is more than a change of its item, which shows neither its secrets nor the state of each phone.
        """
        self._watchers.setdefault(extension, {})[notify] = None
        try:
            yield
        finally:
            self._watchers[extension].pop(notify, None)
            if not self._watchers[extension]:
                del self._watchers[extension]

    @property
    def version(self) -> int:
        """The number of the newest change."""
        return self._numbers.newest

    @property
    def forgotten(self) -> int:
        """The number of the newest change that is no longer remembered."""
        return self._numbers.forgotten

    def cursor(self, version: int | None = None) -> str:
        """Build the cursor of a reader who has seen all changes up to `version`, by default the newest."""
        return f"{self.instance}-{self.version if version is None else version}"

    def items(self) -> Iterable[Item]:
        """Return all items."""
        return self._items.values()

    def get(self, extension: str) -> Item | None:
        """Return one extension's item."""
        return self._items.get(extension)

    def knows(self, numbers: frozenset[str]) -> bool:
        """Return whether there is an item for each of these numbers."""
        return numbers <= self._items.keys()

    def parse_cursor(self, cursor: str) -> int | None:
        """Return the version of a cursor; None if its reader needs a snapshot.

        That is so for cursors of another process, from before a restart, too old ones and invented ones.
        """
        instance, _, number = cursor.partition("-")
        if instance != self.instance or not number.isascii() or not number.isdecimal() or len(number) > 18:
            return None
        version = int(number)
        return version if self.forgotten <= version <= self.version else None

    def changes_since(self, version: int, extensions: frozenset[str] | None = None) -> list[tuple[str, Item | None]]:
        """Return the items of these extensions that changed after `version`, oldest first; None for a deleted one.

        `version` must come from `parse_cursor` in the same turn of the loop.
        """
        return [(extension, self._items.get(extension)) for _, extension in self._numbers.since(version, extensions)]

    def numbers_since(self, version: int) -> list[tuple[int, str]]:
        """Return (number, extension) of the changes after `version`, oldest first."""
        return self._numbers.since(version)

    def link_changed(self, call_server: str, live: bool) -> None:
        """Notify all subscriptions that a link was lost or is live again."""
        self.catch_up()
        self.subscriptions.put_link(call_server, live)

    def subscribe(
        self, extensions: frozenset[str] | None, notify: Callable[[], None], by_owner: bool = False
    ) -> Subscription:
        """Subscribe to changes of these extensions, all if None. Take the snapshot in the same turn of the loop.

        `notify` is called when a change arrives, and must not wait. `by_owner`: see `Subscription`.
        """
        self.catch_up(extensions)
        subscription = (
            FullSubscription(self, notify) if extensions is None else Subscription(extensions, notify, by_owner)
        )
        self.subscriptions.add(subscription)
        return subscription

    def notify_next(self, subscription: FullSubscription) -> None:
        """Have an empty subscription notified of the next change."""
        self.subscriptions.mark_idle(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        self.subscriptions.remove(subscription)


def _owner(item: Item | None) -> str | None:
    return item.user_id if item is not None else None
