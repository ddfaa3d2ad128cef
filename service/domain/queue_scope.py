"""The scope of a reader of queues: the queues that it asked for, and the callers that it may see. Pure.

Admins see the numbers of all waiting callers; others those in queues that they are members of. By a token with the
scope `board` nobody sees any.
"""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.directory import Directory
from service.domain.feed_cursor import Memberships, parse_queues_part, queues_part
from service.domain.models import Person, TokenScope
from service.domain.queue_feed import QueueChange, QueueFeed, QueueItem, QueueKey


class QueueScope:
    """`names`: the queues that were asked for, all if None."""

    __slots__ = ("_directory", "_feed", "names", "person")

    def __init__(
        self, feed: QueueFeed, directory: Directory, person: Person, names: frozenset[str] | None = None
    ) -> None:
        self._feed = feed
        self._directory = directory
        self.person = person
        self.names = names

    def memberships(self) -> Memberships | None:
        """Return the queues whose callers the person may see now; None for all."""
        if self.person.is_admin:
            return None
        if self.person.scope is not TokenScope.ALL:
            return frozenset()
        return self._feed.memberships(self._directory.extension_of_person(self.person))

    def snapshot(self) -> list[QueueItem]:
        """Return all queues in scope, sorted by call server and name."""
        self._feed.catch_up()
        return self._feed.items(self.names)

    def cursor(self) -> str:
        """Make the queues' part of the cursor of a reader who has seen everything."""
        return queues_part(self._feed.version, self.memberships())

    def changes_since(self, part: str) -> Sequence[QueueChange] | None:
        """Return the changes in scope after the queues' part of a cursor; None if the reader needs a snapshot.

        That is so if the part is missing, made up or too old, and if the person now sees the callers of other queues.
        """
        self._feed.catch_up()
        number = parse_queues_part(part, self.memberships())
        if number is None or not self._feed.forgotten <= number <= self._feed.version:
            return None
        return self._feed.changes_since(number, self.names)


def names_callers(memberships: Memberships | None, key: QueueKey) -> bool:
    """Return whether a reader with these memberships sees the callers' numbers of a queue."""
    return memberships is None or key in memberships
