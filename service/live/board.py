"""The board: every extension's presence, numbered by change, so that anybody can ask what changed since.

Synchronous and pure. Parts that know better call `touch`; `flush` then composes what was touched, and only what really
differs is a change. State is not a log: a mailbox gives the newest item per extension, so its size is bounded by the
number of extensions, however slow its reader is.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from service.live.mailbox import Mailbox, WholeMailbox
from service.live.presence import Item

TOMBSTONES = 10_000
"""Vanished extensions that are remembered; who asks for what changed before that gets the whole picture."""


class Board:
    """`compose` makes an extension's item as of now, or None for one that is not there.

    `soon` runs a function in a later turn of the loop: changes of one turn are one flush.
    """

    def __init__(self, compose: Callable[[str], Item | None], soon: Callable[[Callable[[], None]], object]) -> None:
        self._compose = compose
        self._soon = soon
        self._instance = secrets.token_hex(6)
        self._version = 0
        self._items: dict[str, Item] = {}
        self._order: OrderedDict[str, int] = OrderedDict()  # extension → number of its newest change, oldest first
        self.forgotten = 0
        """The number of the newest change that is remembered no more."""
        self._gone = 0
        self._touched: set[str] = set()
        self.stamp = 0
        """Grows with every difference, also with those that are no change."""
        self.moved = 0
        """The number of the newest change of an owner."""
        self._due = False
        self._for_all: set[WholeMailbox] = set()
        self._asleep: set[WholeMailbox] = set()  # those of them that are to be told of the next change
        self._by_owner: set[Mailbox] = set()
        self._for_one: dict[str, set[Mailbox]] = {}

    def __len__(self) -> int:
        return len(self._items)

    # --- who writes --------------------------------------------------------------------------------------------

    def touch(self, extensions: Iterable[str]) -> None:
        """Something of these changed, perhaps."""
        self._touched.update(extensions)
        if not self._due and self._touched:
            self._due = True
            self._soon(self.flush)

    def touch_one(self, extension: str) -> None:
        """Something of this one changed, perhaps."""
        self._touched.add(extension)
        if not self._due:
            self._due = True
            self._soon(self.flush)

    def touch_all(self, extensions: Iterable[str]) -> None:
        """Everything may have changed: these are all that there are, and those that were may be gone."""
        self.touch([*extensions, *self._items])

    def flush(self) -> None:
        """Compose what was touched; number and deliver what differs."""
        self._due = False
        touched, self._touched = self._touched, set()
        before = self._version
        for extension in touched:
            new, old = self._compose(extension), self._items.get(extension)
            if new is not None and old is not None and new.same(old):
                if new.round_trip_ms != old.round_trip_ms:
                    self._items[extension] = _with_time(new, old.as_of)
                    self.stamp += 1
                continue
            if new is None and old is None:
                continue
            self._changed(extension, new, old)
        if self._version != before:
            woken, self._asleep = self._asleep, set()
            for mailbox in woken:
                mailbox.arrived()

    def _changed(self, extension: str, new: Item | None, old: Item | None) -> None:
        self._version += 1
        self.stamp += 1
        if new is not None:
            if old is None and extension in self._order:
                self._gone -= 1
            self._items[extension] = new
        else:
            del self._items[extension]
            self._gone += 1
        self._order[extension] = self._version
        self._order.move_to_end(extension)
        if self._gone > TOMBSTONES:
            self._forget()
        for mailbox in self._for_one.get(extension, ()):
            mailbox.put(self._version, extension, new)
        if _owner(old) != _owner(new):
            self.moved = self._version
            for mailbox in self._by_owner:
                mailbox.put_moved()

    def _forget(self) -> None:
        """Drop the older half of the tombstones."""
        for extension in [name for name in self._order if name not in self._items][: TOMBSTONES // 2]:
            self.forgotten = self._order.pop(extension)
            self._gone -= 1

    # --- who reads ---------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The number of the newest change."""
        return self._version

    def cursor(self, version: int | None = None) -> str:
        """Where a reader stands who has seen everything up to this change."""
        return f"{self._instance}-{self._version if version is None else version}"

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
        if version > self._version or version < self.forgotten:
            return None
        return version

    def since(self, version: int) -> list[tuple[str, Item | None]]:
        """What changed after a version that `version_of` gave in the same turn, oldest first."""
        changed = []
        for extension in reversed(self._order):
            if self._order[extension] <= version:
                break
            changed.append((extension, self._items.get(extension)))
        changed.reverse()
        return changed

    def link_changed(self, call_server: str, live: bool) -> None:
        """A link was lost, or is back: everybody who follows anything is told."""
        self.flush()
        boxes = {*self._for_all, *self._by_owner}.union(*self._for_one.values())
        for mailbox in boxes:
            mailbox.put_link(call_server, live)

    def subscribe(
        self, extensions: frozenset[str] | None, arrived: Callable[[], None], by_owner: bool = False
    ) -> Mailbox:
        """A mailbox for what changes from now on. Take the picture in the same turn of the loop."""
        self.flush()
        if extensions is None:
            whole = WholeMailbox(self, arrived)
            self._for_all.add(whole)
            self._asleep.add(whole)
            return whole
        mailbox = Mailbox(extensions, arrived, by_owner)
        if by_owner:
            self._by_owner.add(mailbox)
        for extension in extensions:
            self._for_one.setdefault(extension, set()).add(mailbox)
        return mailbox

    def wake_for_next(self, mailbox: WholeMailbox) -> None:
        """It is empty: it is to be told of the next change."""
        if mailbox in self._for_all:
            self._asleep.add(mailbox)

    def unsubscribe(self, mailbox: Mailbox) -> None:
        """The reader is gone."""
        if isinstance(mailbox, WholeMailbox):
            self._for_all.discard(mailbox)
            self._asleep.discard(mailbox)
        self._by_owner.discard(mailbox)
        for extension in mailbox.extensions or ():
            boxes = self._for_one.get(extension, set())
            boxes.discard(mailbox)
            if not boxes:
                self._for_one.pop(extension, None)


def _owner(item: Item | None) -> str | None:
    return item.user_id if item is not None else None


def _with_time(item: Item, as_of: str) -> Item:
    return msgspec.structs.replace(item, as_of=as_of)
