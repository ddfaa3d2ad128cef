"""What one reader follows: which extensions it asked for, of those that it may see. Pure.

Whose an extension is can change, and with it what a reader sees who asked by `userId`, or who sees only their own. What
they see no more cannot be told as a change of it, so they get the whole picture whenever an owner changed.
"""

from __future__ import annotations

from operator import attrgetter

from service.domain.directory import Directory
from service.domain.models import Person
from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item
from service.domain.presence.visibility import may_see, sees_all

Changes = list[tuple[str, Item | None]]
EXTENSION = attrgetter("extension")
OWN = "-own"
"""Ends the cursors of those who see their own only: whose role changed meanwhile needs the whole picture."""


class Scope:
    """`numbers` and `uids` are the filters; without any it is everything that the person may see."""

    __slots__ = ("_directory", "_feed", "_numbers", "_uids", "person")

    def __init__(
        self, feed: PresenceFeed, directory: Directory, person: Person, numbers: frozenset[str], uids: frozenset[str]
    ) -> None:
        self.person = person
        self._feed = feed
        self._directory = directory
        self._numbers = numbers
        self._uids = uids

    @property
    def everything(self) -> bool:
        """Whether it is the whole board."""
        return sees_all(self.person) and not self._numbers and not self._uids

    @property
    def asked(self) -> frozenset[str] | None:
        """The extensions that were asked for, none for all; None where it depends on who asks, or on whose they are."""
        return None if self.by_owner else self._numbers

    @property
    def by_owner(self) -> bool:
        """Whether it depends on whose an extension is."""
        return bool(self._uids) or not sees_all(self.person)

    def wanted(self) -> frozenset[str] | None:
        """The extensions to follow, as owned now; None for all."""
        if self.everything:
            return None
        asked = self._numbers | self._held(self._uids) if self._uids else self._numbers
        if sees_all(self.person):
            return asked
        own = self._held(frozenset({self.person.uid}))
        return own & asked if self._numbers or self._uids else own

    def snapshot(self) -> list[Item]:
        """Everything in sight, in a stable order."""
        wanted = self.wanted()
        self._feed.catch_up(wanted)
        if wanted is None:
            return sorted(self._feed.items(), key=EXTENSION)
        found = (item for number in wanted if (item := self._feed.get(number)) is not None)
        return sorted((item for item in found if may_see(self.person, item)), key=EXTENSION)

    def cursor(self, version: int | None = None) -> str:
        """Where a reader stands with this sight who has seen everything up to this change."""
        return self._feed.cursor(version) + ("" if sees_all(self.person) else OWN)

    def since(self, cursor: str) -> Changes | None:
        """What changed in sight after a cursor; None when only the whole picture will do."""
        wanted = self.wanted()
        self._feed.catch_up(wanted)
        if not sees_all(self.person):
            cursor, mark, rest = cursor.partition(OWN)
            if not mark or rest:
                return None
        version = self._feed.version_of(cursor)
        if version is None or (self.by_owner and (version < self._feed.moved or self._feed.behind)):
            return None  # while the board is behind, who knows which owners have changed
        return self._seen(self._feed.since(version, wanted), wanted)

    def chosen(self, changes: Changes) -> Changes:
        """Those that are in sight. That something vanished is told to those who see all."""
        return self._seen(changes, self.wanted())

    def _seen(self, changes: Changes, wanted: frozenset[str] | None) -> Changes:
        all_ = sees_all(self.person)
        return [
            (extension, item)
            for extension, item in changes
            if (wanted is None or extension in wanted) and (all_ or (item is not None and may_see(self.person, item)))
        ]

    def _held(self, uids: frozenset[str]) -> frozenset[str]:
        found = map(self._directory.extension_of, uids)
        return frozenset(extension.number for extension in found if extension is not None)
