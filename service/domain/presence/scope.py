"""The scope of a reader: the extensions that it requested, limited to those that its person may see. Pure.

A reader who filters by `userId`, or who may see only their own extension, depends on owners. When an owner changes, an
extension may leave the scope, and a change of the extension cannot express that. Such a reader then gets a snapshot.
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
"""Suffix of the cursors of readers who see only their own extension. After a change of role such a cursor is void."""


class Scope:
    """`numbers` and `uids` are filters. Without any, the scope is everything that the person may see."""

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
    def covers_everything(self) -> bool:
        """Whether the scope is the whole feed."""
        return sees_all(self.person) and not self._numbers and not self._uids

    @property
    def requested(self) -> frozenset[str] | None:
        """Requested extensions; an empty set means all. None if the result depends on the caller or on ownership."""
        return None if self.depends_on_owner else self._numbers

    @property
    def depends_on_owner(self) -> bool:
        """Whether the scope depends on who owns an extension."""
        return bool(self._uids) or not sees_all(self.person)

    def extensions(self) -> frozenset[str] | None:
        """Return the extensions in scope, by current ownership; None for all."""
        if self.covers_everything:
            return None
        requested = self._numbers | self._assigned_to(self._uids) if self._uids else self._numbers
        if sees_all(self.person):
            return requested
        own = self._assigned_to(frozenset({self.person.uid}))
        return own & requested if self._numbers or self._uids else own

    def snapshot(self) -> list[Item]:
        """Return all items in scope, sorted by extension."""
        extensions = self.extensions()
        self._feed.catch_up(extensions)
        if extensions is None:
            return sorted(self._feed.items(), key=EXTENSION)
        items = (item for number in extensions if (item := self._feed.get(number)) is not None)
        return sorted((item for item in items if may_see(self.person, item)), key=EXTENSION)

    def cursor(self, version: int | None = None) -> str:
        """Build the cursor of a reader with this scope who has seen all changes up to `version`."""
        return self._feed.cursor(version) + ("" if sees_all(self.person) else OWN)

    def changes_since(self, cursor: str) -> Changes | None:
        """Return the changes in scope after a cursor; None if the reader needs a snapshot."""
        extensions = self.extensions()
        self._feed.catch_up(extensions)
        if not sees_all(self.person):
            cursor, suffix, rest = cursor.partition(OWN)
            if not suffix or rest:
                return None
        version = self._feed.parse_cursor(cursor)
        if version is None:
            return None
        # While the feed is behind, owner changes may be among the extensions that are not composed yet.
        if self.depends_on_owner and (version < self._feed.last_owner_change or self._feed.behind):
            return None
        return self._filter(self._feed.changes_since(version, extensions), extensions)

    def filter(self, changes: Changes) -> Changes:
        """Return the changes in scope. Deletions are reported only to readers who see everything."""
        return self._filter(changes, self.extensions())

    def _filter(self, changes: Changes, extensions: frozenset[str] | None) -> Changes:
        all_ = sees_all(self.person)
        return [
            (extension, item)
            for extension, item in changes
            if (extensions is None or extension in extensions)
            and (all_ or (item is not None and may_see(self.person, item)))
        ]

    def _assigned_to(self, uids: frozenset[str]) -> frozenset[str]:
        extensions = map(self._directory.extension_of, uids)
        return frozenset(extension.number for extension in extensions if extension is not None)
