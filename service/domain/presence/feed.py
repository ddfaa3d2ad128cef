"""The board: every extension's presence, numbered by change, so that anybody can ask what changed since.

Synchronous and pure. Parts that know better call `touch`; what was touched is then composed, and only what really
differs is a change. State is not a log: a mailbox gives the newest item per extension, so its size is bounded by the
number of extensions, however slow its reader is.

When very much was touched at once, as by a lost link, it is composed in slices, a turn of the loop each. Nobody is told
anything older meanwhile: whoever looks calls `catch_up` with what they look at, and only who looks at everything has to
wait until the board is not `behind` any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

import msgspec

from service.domain.presence.change_numbers import ChangeNumbers
from service.domain.presence.item import Item
from service.domain.presence.subscription import FullSubscription, Subscription
from service.domain.presence.subscription_index import SubscriptionIndex

SLICE = 256
"""Extensions that are composed in one turn of the loop: a few milliseconds."""


class PresenceFeed:
    """`compose` makes an extension's item as of now, or None for one that is not there.

    `soon` runs a function in a later turn of the loop: changes of one turn are one flush. `look` touches what changed
    by the passing of time alone, such as all of a link that has fallen silent.
    """

    def __init__(
        self,
        compose: Callable[[str], Item | None],
        soon: Callable[[Callable[[], None]], object],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._compose = compose
        self.soon = soon
        self._look = look
        self._instance = secrets.token_hex(6)
        self._items: dict[str, Item] = {}
        self._numbering = ChangeNumbers(self._items)
        self._touched: set[str] = set()
        self._altered: list[tuple[set[str], bool]] = []
        self.moved = 0
        """The number of the newest change of an owner."""
        self._due = False
        self.subscriptions = SubscriptionIndex()

    def __len__(self) -> int:
        return len(self._items)

    # --- who writes --------------------------------------------------------------------------------------------

    def touch(self, extensions: Iterable[str]) -> None:
        """Something of these changed, perhaps."""
        self._touched.update(extensions)
        if not self._due and self._touched:
            self._due = True
            self.soon(self._turn)

    def touch_one(self, extension: str) -> None:
        """Something of this one changed, perhaps."""
        self._touched.add(extension)
        if not self._due:
            self._due = True
            self.soon(self._turn)

    def touch_call_server(self, call_server: str) -> None:
        """Something of all that this call server has changed, perhaps."""
        self.touch([number for number, item in self._items.items() if item.call_server == call_server])

    def _turn(self) -> None:
        """Compose a slice of what was touched, and the next one in another turn."""
        self._due = False
        touched = self._touched
        if len(touched) <= SLICE:
            self.flush()
            return
        self._refresh([touched.pop() for _ in range(SLICE)])
        self._due = True
        self.soon(self._turn)

    def flush(self) -> None:
        """Compose all that was touched."""
        touched, self._touched = self._touched, set()
        self._refresh(touched)

    def _refresh(self, extensions: Iterable[str]) -> None:
        """Compose these; number and deliver what differs."""
        before = self.version
        for extension in extensions:
            new, old = self._compose(extension), self._items.get(extension)
            if new is not None and old is not None and new.same(old):
                if new.round_trip_ms != old.round_trip_ms:
                    self._items[extension] = _with_time(new, old.as_of)
                    self._note(extension, trip=True)
                continue
            if new is None and old is None:
                continue
            self._changed(extension, new, old)
        if self.version != before:
            self.subscriptions.wake()

    def _changed(self, extension: str, new: Item | None, old: Item | None) -> None:
        if new is not None:
            self._items[extension] = new
        else:
            del self._items[extension]
        version = self._numbering.changed(extension, appeared=old is None, vanished=new is None)
        self._note(extension, trip=False)
        moved = _owner(old) != _owner(new)
        if moved:
            self.moved = version
        self.subscriptions.put(version, extension, new, moved=moved)

    def _note(self, extension: str, *, trip: bool) -> None:
        for altered, trips in self._altered:
            if trips or not trip:
                altered.add(extension)

    # --- who reads ---------------------------------------------------------------------------------------------

    def catch_up(self, extensions: frozenset[str] | None = None) -> None:
        """Compose what was touched of these, so that they are as of now; of all (None), unless it is `behind` then."""
        self._look()
        if not self._touched:
            return
        if len(self._touched) <= SLICE:
            self.flush()
        elif extensions is not None and (due := self._touched & extensions):
            self._touched -= due
            self._refresh(due)

    @property
    def behind(self) -> bool:
        """Whether more is to be composed than a turn of the loop may take."""
        return len(self._touched) > SLICE

    def altered(self, *, trips: bool) -> set[str]:
        """A set that gets every extension whose item is another from now on, and holds all that there are.

        `trips`: also those of which only the round-trip time is another. It is its reader's to empty.
        """
        altered = set(self._items)
        self._altered.append((altered, trips))
        return altered

    @property
    def version(self) -> int:
        """The number of the newest change."""
        return self._numbering.newest

    @property
    def forgotten(self) -> int:
        """The number of the newest change that is remembered no more."""
        return self._numbering.forgotten

    def cursor(self, version: int | None = None) -> str:
        """Where a reader stands who has seen everything up to this change."""
        return f"{self._instance}-{self.version if version is None else version}"

    def items(self) -> Iterable[Item]:
        """The whole picture."""
        return self._items.values()

    def get(self, extension: str) -> Item | None:
        """One extension's item."""
        return self._items.get(extension)

    def version_of(self, cursor: str) -> int | None:
        """The change up to which a reader has seen everything; None when only the whole picture will do.

        That is so for a cursor from another process, from before a restart, from too long ago, and a made-up one.
        """
        instance, _, number = cursor.partition("-")
        if instance != self._instance or not number.isascii() or not number.isdecimal() or len(number) > 18:
            return None
        version = int(number)
        return version if self.forgotten <= version <= self.version else None

    def since(self, version: int, wanted: frozenset[str] | None = None) -> list[tuple[str, Item | None]]:
        """What changed, of these, after a version that `version_of` gave in the same turn, oldest first."""
        return [(extension, self._items.get(extension)) for _, extension in self._numbering.since(version, wanted)]

    def numbered_since(self, version: int) -> list[tuple[int, str]]:
        """The same as numbers and extensions."""
        return self._numbering.since(version)

    def link_changed(self, call_server: str, live: bool) -> None:
        """A link was lost, or is back: everybody who follows anything is told, and then what changed by that."""
        self.catch_up()
        self.subscriptions.put_link(call_server, live)

    def subscribe(
        self, extensions: frozenset[str] | None, arrived: Callable[[], None], by_owner: bool = False
    ) -> Subscription:
        """A mailbox for what changes from now on. Take the picture in the same turn of the loop."""
        self.catch_up(extensions)
        subscription = (
            FullSubscription(self, arrived) if extensions is None else Subscription(extensions, arrived, by_owner)
        )
        self.subscriptions.add(subscription)
        return subscription

    def wake_for_next(self, subscription: FullSubscription) -> None:
        """It is empty: it is to be told of the next change."""
        self.subscriptions.wake_for_next(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """The reader is gone."""
        self.subscriptions.remove(subscription)


def _owner(item: Item | None) -> str | None:
    return item.user_id if item is not None else None


def _with_time(item: Item, as_of: str) -> Item:
    return msgspec.structs.replace(item, as_of=as_of)
