"""The directory's maps: people, tokens and extensions by their keys, and the indexes among them. Synchronous and pure.

`DirectoryReread` fills new ones beside those that are answered from, slice by slice, as of one moment in PostgreSQL.
Rows that are read one by one meanwhile, because a hint named them, may be newer than that moment: so, as with
Asterisk's snapshots, what was touched while it lasted keeps its value, and all else takes the snapshot's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.models import Extension, Person
from service.domain.names import folded


@dataclass(frozen=True, slots=True)
class Token:
    """Whose a token is, and when it ends, in seconds since the epoch."""

    user_id: int
    expires_at: float


class DirectoryTables:
    """What is known. `held` is which extension is whose."""

    __slots__ = ("by_name", "by_uid", "extensions", "held", "people", "tokens")

    def __init__(self) -> None:
        self.people: dict[int, Person] = {}
        self.by_uid: dict[str, int] = {}
        self.by_name: dict[str, int] = {}  # folded
        self.tokens: dict[bytes, Token] = {}
        self.extensions: dict[str, Extension] = {}
        self.held: dict[int, str] = {}

    def put_person(self, user_id: int, person: Person | None) -> None:
        """This is the person with this id now; None: there is none."""
        before = self.people.pop(user_id, None)
        if before is not None:
            for index, key in ((self.by_uid, before.uid), (self.by_name, folded(before.name))):
                if index.get(key) == user_id:
                    del index[key]
        if person is not None:
            self.people[user_id] = person
            self.by_uid[person.uid] = user_id
            self.by_name[folded(person.name)] = user_id

    def put_token(self, token_hash: bytes, token: Token | None) -> bool:
        """This is the token with this hash now; None: there is none. Returns whether there was one."""
        if token is None:
            return self.tokens.pop(token_hash, None) is not None
        there = token_hash in self.tokens
        self.tokens[token_hash] = token
        return there

    def put_extension(self, number: str, extension: Extension | None) -> bool:
        """This is the extension with this number now; None: there is none. Returns whether there was one."""
        before = self.extensions.pop(number, None)
        if before is not None and before.user_id is not None and self.held.get(before.user_id) == number:
            del self.held[before.user_id]
        if extension is not None:
            self.extensions[number] = extension
            if extension.user_id is not None:
                self.held[extension.user_id] = number
        return before is not None

    def empty_some(self, many: int) -> bool:
        """Forget so many of what they hold: that takes time too. Returns whether anything is left."""
        for table in (self.people, self.by_uid, self.by_name, self.tokens, self.extensions, self.held):
            while table and many > 0:
                table.popitem()
                many -= 1
        return many == 0


class DirectoryReread:
    """Everything, being read anew: people first, then tokens, then extensions."""

    def __init__(self, now: DirectoryTables) -> None:
        self._now = now
        self.tables = DirectoryTables()
        self.touched_people: set[int] = set()
        """Who was read by themselves since this began; and so the two below."""
        self.touched_tokens: set[bytes] = set()
        self.touched_extensions: set[str] = set()
        self.concerned: set[str] = set()
        """Extensions that read differently then, or whose holder does."""
        self.differs = False
        """Whether a person or a token does."""
        self._gone_people = set(now.people)  # who was not read yet; in the end, who is gone. And so the two below
        self._gone_tokens = set(now.tokens)
        self._gone_extensions = set(now.extensions)

    def add_people(self, people: Iterable[Person]) -> None:
        """More people, as of the moment. Who reads the same stays the same object, and so does what was made of it."""
        for person in people:
            self._gone_people.discard(person.user_id)
            known = self._now.people.get(person.user_id)
            if known != person:
                self._other_person(person.user_id)
            self.tables.put_person(person.user_id, person if known != person or known is None else known)

    def add_tokens(self, tokens: Iterable[tuple[bytes, Token]]) -> None:
        """More tokens."""
        for token_hash, token in tokens:
            self._gone_tokens.discard(token_hash)
            known = self._now.tokens.get(token_hash)
            if known != token:
                self.differs = True
            self.tables.put_token(token_hash, token if known != token or known is None else known)

    def add_extensions(self, extensions: Iterable[Extension]) -> None:
        """More extensions."""
        for extension in extensions:
            self._gone_extensions.discard(extension.number)
            known = self._now.extensions.get(extension.number)
            if known != extension:
                self.concerned.add(extension.number)
            same = known if known is not None and known == extension else extension
            self.tables.put_extension(extension.number, same)

    def finish(self) -> DirectoryTables:
        """All there is, as of now. What was touched is as it is already, and its readers were told."""
        new, now = self.tables, self._now
        for user_id in self.touched_people:
            new.put_person(user_id, now.people.get(user_id))
        for token_hash in self.touched_tokens:
            new.put_token(token_hash, now.tokens.get(token_hash))
        for number in self.touched_extensions:
            new.put_extension(number, now.extensions.get(number))
        for user_id in self._gone_people - self.touched_people:
            self._other_person(user_id)
        self.concerned |= self._gone_extensions - self.touched_extensions
        return new

    @property
    def ended(self) -> set[bytes]:
        """The tokens that there were, and that were not read."""
        return self._gone_tokens - self.touched_tokens

    def _other_person(self, user_id: int) -> None:
        self.differs = True
        if (number := self._now.held.get(user_id)) is not None:
            self.concerned.add(number)
