"""The directory: who holds which token, and whose extension is which, in memory, as PostgreSQL has it.

Synchronous and pure: it is told everything, including both clocks, and never waits. One feed writes, anybody reads.

It is current as long as PostgreSQL proves that it is. When the proof is overdue the directory goes on answering for a
bounded time, and says since when it could not be checked; after that it answers nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from service.domain.directory_tables import DirectoryReread, DirectoryTables, Token
from service.domain.models import Extension, Person
from service.domain.names import folded
from service.errors import DirectoryUnavailable

ENDED = 10_000
"""Tokens that ended and are remembered as such: whoever goes on asking with one is refused without a proof."""


class Directory:
    """`clock` gives seconds that only grow, `now` those since the epoch.

    `noticed_within`: seconds after which a missing proof means trouble. `usable_for`: seconds that it goes on answering
    after that.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        now: Callable[[], float],
        *,
        noticed_within: float = 5.0,
        usable_for: float = 60.0,
    ) -> None:
        self._clock = clock
        self.now = now
        self._noticed_within = noticed_within
        self._usable_for = usable_for
        self._proven_until = self._usable_until = float("-inf")
        self._tables = DirectoryTables()
        self._rereading: DirectoryReread | None = None
        self._ended: OrderedDict[bytes, None] = OrderedDict()  # tokens, oldest first
        self._in_order: list[str] | None = None
        self._unreadable_people: set[int] = set()
        self.version = 0
        """Grows whenever a token or a person was read."""
        self.rows_left_out = 0
        """How many rows there are that this release cannot read."""

    # --- what the feed says ------------------------------------------------------------------------------------

    def reread(self) -> DirectoryReread:
        """Everything is about to be read anew: fill what this returns, then `replace`. One that was begun is void."""
        self._rereading = DirectoryReread(self._tables)
        return self._rereading

    def give_up(self, rereading: DirectoryReread) -> None:
        """It could not be read to the end."""
        if self._rereading is rereading:
            self._rereading = None

    def replace(self, rereading: DirectoryReread) -> DirectoryTables:
        """Everything was read anew, and is so from now on. Returns what was before: nobody looks at that any more.

        `rereading.concerned` are the extensions that may read differently now.
        """
        assert rereading is self._rereading, "another one was begun since"
        before, self._tables, self._rereading = self._tables, rereading.finish(), None
        for token_hash in rereading.ended:
            self._end(token_hash)
        self._in_order = None
        if rereading.differs or rereading.ended:
            self.version += 1
        return before

    def put_person(self, user_id: int, person: Person | None) -> None:
        """One person was read; None: there is none any more."""
        self.version += 1
        self._tables.put_person(user_id, person)
        if self._rereading is not None:
            self._rereading.touched_people.add(user_id)

    def put_token(self, token_hash: bytes, token: Token | None) -> None:
        """One token was read; None: it is revoked."""
        self.version += 1
        was_there = self._tables.put_token(token_hash, token)
        if token is not None:
            self._ended.pop(token_hash, None)
        elif was_there:
            self._end(token_hash)
        if self._rereading is not None:
            self._rereading.touched_tokens.add(token_hash)

    def put_extension(self, number: str, extension: Extension | None) -> None:
        """One extension was read; None: it is gone."""
        was_there = self._tables.put_extension(number, extension)
        if was_there is (extension is None):
            self._in_order = None
        if self._rereading is not None:
            self._rereading.touched_extensions.add(number)

    def left_out(self, rows: int, people: set[int]) -> None:
        """So many rows cannot be read in all; these people are among them."""
        self.rows_left_out = rows
        self._unreadable_people = people

    def confirmed(self, at: float) -> None:
        """PostgreSQL proved that everything it had committed by this moment of the clock has been read."""
        self._proven_until = max(self._proven_until, at + self._noticed_within)
        self._usable_until = self._proven_until + self._usable_for

    # --- what everybody asks -----------------------------------------------------------------------------------

    @property
    def overdue(self) -> float:
        """Seconds by which the proof is overdue; 0 or less when all is well."""
        return self._clock() - self._proven_until

    @property
    def stale_since(self) -> datetime | None:
        """Since when it could not be checked, in UTC; None when all is well."""
        overdue = self.overdue
        if overdue <= 0:
            return None
        now = datetime.fromtimestamp(self.now(), UTC)
        return now - timedelta(seconds=min(overdue + self._noticed_within, 1e9))

    @property
    def usable(self) -> bool:
        """Whether it answers at all."""
        return self._clock() <= self._usable_until

    def holder(self, token_hash: bytes) -> Person | None:
        """The active person who holds this token. Raises DirectoryUnavailable."""
        self._check()
        token = self._tables.tokens.get(token_hash)
        if token is None or token.expires_at <= self.now():
            return None
        person = self._tables.people.get(token.user_id)
        if person is None and token.user_id in self._unreadable_people:
            raise DirectoryUnavailable("this release cannot read the row of the token's holder")
        return person if person is not None and person.active else None

    def knows(self, token_hash: bytes) -> bool:
        """Whether it knows this token and who holds it, whether it is of use or not."""
        token = self._tables.tokens.get(token_hash)
        return token is not None and token.user_id in self._tables.people

    def has_ended(self, token_hash: bytes) -> bool:
        """Whether this token is known to be of no use any more, rather than not known."""
        token = self._tables.tokens.get(token_hash)
        if token is None:
            return token_hash in self._ended
        person = self._tables.people.get(token.user_id)
        return token.expires_at <= self.now() or (person is not None and not person.active)

    def expires_at(self, token_hash: bytes) -> float:
        """When a token expires, in seconds since the epoch: long ago, where there is none."""
        token = self._tables.tokens.get(token_hash)
        return token.expires_at if token is not None else 0.0

    def person(self, uid: str) -> Person | None:
        """The person with this id, active or not."""
        user_id = self._tables.by_uid.get(uid)
        return None if user_id is None else self._tables.people.get(user_id)

    def named(self, name: str) -> Person | None:
        """The person with this name, as `names.folded` has it, active or not."""
        user_id = self._tables.by_name.get(folded(name))
        return None if user_id is None else self._tables.people.get(user_id)

    def people(self) -> Iterable[Person]:
        """Everybody, active or not, in no order."""
        return self._tables.people.values()

    def extension_of(self, uid: str) -> Extension | None:
        """The extension that this person may register now. Raises DirectoryUnavailable."""
        self._check()
        person = self.person(uid)
        if person is None or not person.active:
            return None
        number = self._tables.held.get(person.user_id)
        extension = self._tables.extensions.get(number) if number is not None else None
        return extension if extension is not None and extension.enabled else None

    def extension(self, number: str) -> Extension | None:
        """An extension that may register, by its number."""
        extension = self._tables.extensions.get(number)
        return extension if extension is not None and self._may_register(extension) else None

    def holder_of(self, extension: Extension) -> Person | None:
        """Whose extension it is."""
        return self._tables.people.get(extension.user_id) if extension.user_id is not None else None

    def number_of(self, user_id: int) -> str | None:
        """The extension that a person holds, whether they may register it or not."""
        return self._tables.held.get(user_id)

    def numbers(self) -> Sequence[str]:
        """All extensions, whether they may register or not, in order."""
        if self._in_order is None:
            self._in_order = sorted(self._tables.extensions)
        return self._in_order

    def is_held(self, number: str) -> bool:
        """Whether an extension is somebody's, who may be inactive."""
        extension = self._tables.extensions.get(number)
        return extension is not None and extension.user_id is not None

    def that_may_register(self) -> list[Extension]:
        """The extensions that Asterisk knows, in order of their numbers."""
        found = map(self._tables.extensions.__getitem__, self.numbers())
        return [extension for extension in found if self._may_register(extension)]

    def call_server_of(self, number: str) -> str | None:
        """The call server with which an extension may register; None: it may not register, or there is none."""
        extension = self.extension(number)
        return extension.call_server if extension is not None else None

    def counts(self) -> dict[str, int]:
        """How much it holds."""
        tables = self._tables
        return {"people": len(tables.people), "tokens": len(tables.tokens), "extensions": len(tables.extensions)}

    def _may_register(self, extension: Extension) -> bool:
        if not extension.enabled or extension.user_id is None:
            return extension.enabled
        person = self._tables.people.get(extension.user_id)
        return person is not None and person.active

    def _end(self, token_hash: bytes) -> None:
        self._ended[token_hash] = None
        if len(self._ended) > ENDED:
            self._ended.popitem(last=False)

    def _check(self) -> None:
        if not self.usable:
            raise DirectoryUnavailable("PostgreSQL could not be followed for too long")
