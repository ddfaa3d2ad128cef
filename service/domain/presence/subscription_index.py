"""All mailboxes of a board, by what they are for: a change costs nothing for those whom it does not concern.

Synchronous and pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.presence.item import Item
from service.domain.presence.subscription import Mailbox, WholeMailbox


class Mailboxes:
    """Of those who follow everything, of those who follow extensions, and of those who follow by owner."""

    def __init__(self) -> None:
        self._for_all: set[WholeMailbox] = set()
        self._asleep: set[WholeMailbox] = set()  # those of them that are to be told of the next change
        self._for_some: set[Mailbox] = set()
        self._by_owner: set[Mailbox] = set()
        self._for_one: dict[str, set[Mailbox]] = {}

    def __len__(self) -> int:
        return len(self._for_all) + len(self._for_some)

    def __iter__(self) -> Iterator[Mailbox]:
        yield from self._for_all
        yield from self._for_some

    def add(self, mailbox: Mailbox) -> None:
        """From now on it gets what changes."""
        if isinstance(mailbox, WholeMailbox):
            self._for_all.add(mailbox)
            self._asleep.add(mailbox)
            return
        self._for_some.add(mailbox)
        if mailbox.by_owner:
            self._by_owner.add(mailbox)
        for extension in mailbox.extensions or ():
            self._for_one.setdefault(extension, set()).add(mailbox)

    def remove(self, mailbox: Mailbox) -> None:
        """It gets nothing any more."""
        if isinstance(mailbox, WholeMailbox):
            self._for_all.discard(mailbox)
            self._asleep.discard(mailbox)
        self._for_some.discard(mailbox)
        self._by_owner.discard(mailbox)
        for extension in mailbox.extensions or ():
            boxes = self._for_one.get(extension, set())
            boxes.discard(mailbox)
            if not boxes:
                self._for_one.pop(extension, None)

    def put(self, version: int, extension: str, item: Item | None, *, moved: bool) -> None:
        """A change, for whoever follows this extension; and for who follows by owner, where it `moved`."""
        for mailbox in self._for_one.get(extension, ()):
            mailbox.put(version, extension, item)
        if moved:
            for mailbox in self._by_owner:
                mailbox.put_moved()

    def put_link(self, call_server: str, live: bool) -> None:
        """A link was lost, or is back: that is for all."""
        for mailbox in self:
            mailbox.put_link(call_server, live)

    def wake(self) -> None:
        """Something changed: tell those who follow everything, once until they have looked."""
        woken, self._asleep = self._asleep, set()
        for mailbox in woken:
            mailbox.arrived()

    def wake_for_next(self, mailbox: WholeMailbox) -> None:
        """It is empty: it is to be told of the next change."""
        if mailbox in self._for_all:
            self._asleep.add(mailbox)
