"""The directory: who holds which token, and whose extension is which, in memory, as PostgreSQL has it.

Synchronous and pure: it is told everything, including both clocks, and never waits. One feed writes, anybody reads.

It is current as long as PostgreSQL proves that it is. When the proof is overdue the directory goes on answering for a
bounded time, and says since when it could not be checked; after that it answers nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.errors import DirectoryUnavailable
from service.model import Extension, Person
from service.names import folded


@dataclass(frozen=True, slots=True)
class Token:
    """Whose a token is, and when it ends, in seconds since the epoch."""

    user_id: int
    expires_at: float


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
        self._people: dict[int, Person] = {}
        self._by_uid: dict[str, int] = {}
        self._by_name: dict[str, int] = {}  # folded
        self._tokens: dict[bytes, Token] = {}
        self._ended: OrderedDict[bytes, None] = OrderedDict()  # oldest first
        self._extensions: dict[str, Extension] = {}
        self._held: dict[int, str] = {}
        self._in_order: list[str] | None = None
        self._unreadable_people: set[int] = set()
        self.version = 0
        """Grows whenever a token or a person was read."""
        self.rows_left_out = 0
        """How many rows there are that this release cannot read."""

    # --- what the feed says ------------------------------------------------------------------------------------

    def replace(
        self,
        people: Iterable[Person],
        tokens: Iterable[tuple[bytes, Token]],
        extensions: Iterable[Extension],
    ) -> None:
        """Everything was read anew."""
        self._people = {person.user_id: person for person in people}
        self._by_uid = {person.uid: person.user_id for person in self._people.values()}
        self._by_name = {folded(person.name): person.user_id for person in self._people.values()}
        before, self._tokens = self._tokens, dict(tokens)
        for token_hash in before.keys() - self._tokens.keys():
            self._end(token_hash)
        self._extensions = {extension.number: extension for extension in extensions}
        self._held = {
            extension.user_id: extension.number
            for extension in self._extensions.values()
            if extension.user_id is not None
        }
        self._in_order = None
        self.version += 1

    def put_person(self, user_id: int, person: Person | None) -> None:
        """One person was read; None: there is none any more."""
        self.version += 1
        before = self._people.pop(user_id, None)
        if before is not None:
            for index, key in ((self._by_uid, before.uid), (self._by_name, folded(before.name))):
                if index.get(key) == user_id:
                    del index[key]
        if person is not None:
            self._people[user_id] = person
            self._by_uid[person.uid] = user_id
            self._by_name[folded(person.name)] = user_id

    def put_token(self, token_hash: bytes, token: Token | None) -> None:
        """One token was read; None: it is revoked."""
        self.version += 1
        if token is not None:
            self._tokens[token_hash] = token
            self._ended.pop(token_hash, None)
        elif self._tokens.pop(token_hash, None) is not None:
            self._end(token_hash)

    def put_extension(self, number: str, extension: Extension | None) -> None:
        """One extension was read; None: it is gone."""
        before = self._extensions.pop(number, None)
        if before is not None and before.user_id is not None and self._held.get(before.user_id) == number:
            del self._held[before.user_id]
        if (before is None) is not (extension is None):
            self._in_order = None
        if extension is not None:
            self._extensions[number] = extension
            if extension.user_id is not None:
                self._held[extension.user_id] = number

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
        token = self._tokens.get(token_hash)
        if token is None or token.expires_at <= self.now():
            return None
        person = self._people.get(token.user_id)
        if person is None and token.user_id in self._unreadable_people:
            raise DirectoryUnavailable("this release cannot read the row of the token's holder")
        return person if person is not None and person.active else None

    def has_ended(self, token_hash: bytes) -> bool:
        """Whether this token is known to be of no use any more, rather than not known."""
        token = self._tokens.get(token_hash)
        if token is None:
            return token_hash in self._ended
        person = self._people.get(token.user_id)
        return token.expires_at <= self.now() or (person is not None and not person.active)

    def expires_at(self, token_hash: bytes) -> float:
        """When a token expires, in seconds since the epoch: long ago, where there is none."""
        token = self._tokens.get(token_hash)
        return token.expires_at if token is not None else 0.0

    def person(self, uid: str) -> Person | None:
        """The person with this id, active or not."""
        user_id = self._by_uid.get(uid)
        return None if user_id is None else self._people.get(user_id)

    def named(self, name: str) -> Person | None:
        """The person with this name, as `names.folded` has it, active or not."""
        user_id = self._by_name.get(folded(name))
        return None if user_id is None else self._people.get(user_id)

    def people(self) -> Iterable[Person]:
        """Everybody, active or not, in no order."""
        return self._people.values()

    def extension_of(self, uid: str) -> Extension | None:
        """The extension that this person may register now. Raises DirectoryUnavailable."""
        self._check()
        person = self.person(uid)
        if person is None or not person.active:
            return None
        number = self._held.get(person.user_id)
        extension = self._extensions.get(number) if number is not None else None
        return extension if extension is not None and extension.enabled else None

    def extension(self, number: str) -> Extension | None:
        """An extension that may register, by its number."""
        extension = self._extensions.get(number)
        return extension if extension is not None and self._may_register(extension) else None

    def holder_of(self, extension: Extension) -> Person | None:
        """Whose extension it is."""
        return self._people.get(extension.user_id) if extension.user_id is not None else None

    def number_of(self, user_id: int) -> str | None:
        """The extension that a person holds, whether they may register it or not."""
        return self._held.get(user_id)

    def numbers(self) -> Sequence[str]:
        """All extensions, whether they may register or not, in order."""
        if self._in_order is None:
            self._in_order = sorted(self._extensions)
        return self._in_order

    def is_held(self, number: str) -> bool:
        """Whether an extension is somebody's, who may be inactive."""
        extension = self._extensions.get(number)
        return extension is not None and extension.user_id is not None

    def that_may_register(self) -> list[Extension]:
        """The extensions that Asterisk knows, in order of their numbers."""
        found = map(self._extensions.__getitem__, self.numbers())
        return [extension for extension in found if self._may_register(extension)]

    def of_call_server(self, call_server: str) -> frozenset[str]:
        """The numbers of the extensions that may register with this call server."""
        return frozenset(
            extension.number
            for extension in self._extensions.values()
            if extension.call_server == call_server and self._may_register(extension)
        )

    def counts(self) -> dict[str, int]:
        """How much it holds."""
        return {"people": len(self._people), "tokens": len(self._tokens), "extensions": len(self._extensions)}

    def _may_register(self, extension: Extension) -> bool:
        if not extension.enabled or extension.user_id is None:
            return extension.enabled
        person = self._people.get(extension.user_id)
        return person is not None and person.active

    def _end(self, token_hash: bytes) -> None:
        self._ended[token_hash] = None
        if len(self._ended) > ENDED:
            self._ended.popitem(last=False)

    def _check(self) -> None:
        if not self.usable:
            raise DirectoryUnavailable("PostgreSQL could not be followed for too long")
