"""The directory's tables: people, tokens and extensions by key, and their indexes. Synchronous and pure.

`DirectoryReread` fills new tables beside the current ones, batch by batch, from one snapshot of PostgreSQL. Rows that
hints name are read meanwhile and may be newer than the snapshot. So the snapshot rule applies, as for Asterisk's
snapshots: a row that was touched meanwhile keeps its value, all others take the snapshot's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.domain.models import Extension, Person, TokenScope
from service.domain.secret_counts import SecretCounts
from service.domain.user_names import folded


@dataclass(frozen=True, slots=True)
class Token:
    """A token's user, its expiry in seconds since the epoch, and its scope."""

    user_id: int
    expires_at: float
    scope: TokenScope = TokenScope.ALL


MAX_REVOKED = 10_000
"""Revoked tokens that are remembered. A request with one is refused without waiting for a read barrier."""


class RevokedTokens:
    """Hashes of revoked tokens. The oldest is forgotten for the newest."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, token_hash: object) -> bool:
        return token_hash in self._hashes

    def remember(self, token_hash: bytes) -> None:
        self._hashes[token_hash] = None
        if len(self._hashes) > MAX_REVOKED:
            self._hashes.popitem(last=False)

    def forget(self, token_hash: bytes) -> None:
        self._hashes.pop(token_hash, None)


class DirectoryTables:
    """Tables by key, and the indexes by name, uid and assigned user."""

    __slots__ = (
        "by_name", "by_uid", "extensions", "number_by_user", "numbers_by_endpoint", "people", "secret_counts", "setups",
        "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.people: dict[int, Person] = {}
        self.by_uid: dict[str, int] = {}
        self.by_name: dict[str, int] = {}  # folded
        self.tokens: dict[bytes, Token] = {}
        self.extensions: dict[str, Extension] = {}
        self.number_by_user: dict[int, str] = {}
        self.numbers_by_endpoint: dict[str, tuple[str, ...]] = {}
        """Without the endpoints that are named by their extension's number."""
        self.setups: dict[bytes, tuple[str, int]] = {}
        """Number and phone id by the hash of a set-up link or of a device's URL."""
        self.secret_counts = SecretCounts()

    def put_person(self, user_id: int, person: Person | None) -> None:
        """Set the person with this id; None deletes them."""
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
        """Set the token with this hash; None deletes it. Returns whether there was one."""
        if token is None:
            return self.tokens.pop(token_hash, None) is not None
        existed = token_hash in self.tokens
        self.tokens[token_hash] = token
        return existed

    def put_extension(self, number: str, extension: Extension | None) -> bool:
        """Set the extension with this number; None deletes it. Returns whether there was one."""
        before = self.extensions.pop(number, None)
        self.secret_counts.add(before, -1)
        self.secret_counts.add(extension, 1)
        if before is not None and before.user_id is not None and self.number_by_user.get(before.user_id) == number:
            del self.number_by_user[before.user_id]
        for endpoint in _other_endpoints(before):
            others = tuple(other for other in self.numbers_by_endpoint[endpoint] if other != number)
            if others:
                self.numbers_by_endpoint[endpoint] = others
            else:
                del self.numbers_by_endpoint[endpoint]
        for token_hash, _ in _setup_hashes(before):
            if self.setups.get(token_hash, ("", 0))[0] == number:  # the phone may have moved to another number
                del self.setups[token_hash]
        for token_hash, phone_id in _setup_hashes(extension):
            self.setups[token_hash] = number, phone_id
        for endpoint in _other_endpoints(extension):
            self.numbers_by_endpoint[endpoint] = (*self.numbers_by_endpoint.get(endpoint, ()), number)
        if extension is not None:
            self.extensions[number] = extension
            if extension.user_id is not None:
                self.number_by_user[extension.user_id] = number
        return before is not None

    def find(self, name: str) -> list[Extension]:
        """Return the extension with this number, else all that have a phone whose endpoint has this name."""
        numbers = (name,) if name in self.extensions else self.numbers_by_endpoint.get(name, ())
        return [self.extensions[number] for number in numbers]

    def discard_batch(self, size: int) -> bool:
        """Delete up to `size` entries: freeing all at once blocks the loop. Returns whether any may be left."""
        tables = self.people, self.by_uid, self.by_name, self.tokens, self.extensions, self.number_by_user
        for table in (*tables, self.numbers_by_endpoint, self.setups):
            while table and size > 0:
                table.popitem()
                size -= 1
        return size == 0


def _other_endpoints(extension: Extension | None) -> list[str]:
    """Return the endpoints of an extension that are not named by its number."""
    phones = extension.phones if extension is not None else ()
    return [phone.endpoint for phone in phones if extension is not None and phone.endpoint != extension.number]


def _setup_hashes(extension: Extension | None) -> Iterator[tuple[bytes, int]]:
    """Yield the hashes with which the phones of an extension fetch their configuration, with the phone's id."""
    for phone in extension.phones if extension is not None else ():
        if phone.setup is not None:
            for token_hash in (phone.setup.link_hash, phone.setup.device_hash):
                if token_hash is not None:
                    yield token_hash, phone.phone_id


class DirectoryReread:
    """A full read in progress: add people first, then tokens, then extensions."""

    def __init__(self, current: DirectoryTables) -> None:
        self._current = current
        self.tables = DirectoryTables()
        self.touched_people: set[int] = set()
        """Keys of rows that were read individually since this began; likewise the next two."""
        self.touched_tokens: set[bytes] = set()
        self.touched_extensions: set[str] = set()
        self.affected: set[str] = set()
        """Extensions that change, or whose holder changes."""
        self.differs = False
        """Whether a person or token changes."""
        self._unseen_people = set(current.people)  # at the end these are deleted; likewise the next two
        self._unseen_tokens = set(current.tokens)
        self._unseen_extensions = set(current.extensions)

    def add_people(self, people: Iterable[Person]) -> None:
        """Add people. An unchanged person keeps its object, so that values cached for it stay valid."""
        for person in people:
            self._unseen_people.discard(person.user_id)
            known = self._current.people.get(person.user_id)
            if known != person:
                self._person_differs(person.user_id)
            self.tables.put_person(person.user_id, person if known != person or known is None else known)

    def add_tokens(self, tokens: Iterable[tuple[bytes, Token]]) -> None:
        """Add tokens. An unchanged token keeps its object."""
        for token_hash, token in tokens:
            self._unseen_tokens.discard(token_hash)
            known = self._current.tokens.get(token_hash)
            if known != token:
                self.differs = True
            self.tables.put_token(token_hash, token if known != token or known is None else known)

    def add_extensions(self, extensions: Iterable[Extension]) -> None:
        """Add extensions. An unchanged extension keeps its object."""
        for extension in extensions:
            self._unseen_extensions.discard(extension.number)
            known = self._current.extensions.get(extension.number)
            if known != extension:
                self.affected.add(extension.number)
            kept = known if known is not None and known == extension else extension
            self.tables.put_extension(extension.number, kept)

    def finish(self) -> DirectoryTables:
        """Return the new tables. Touched rows take the current value, of which subscribers have been notified."""
        new, current = self.tables, self._current
        for user_id in self.touched_people:
            new.put_person(user_id, current.people.get(user_id))
        for token_hash in self.touched_tokens:
            new.put_token(token_hash, current.tokens.get(token_hash))
        for number in self.touched_extensions:
            new.put_extension(number, current.extensions.get(number))
        for user_id in self._unseen_people - self.touched_people:
            self._person_differs(user_id)
        self.affected |= self._unseen_extensions - self.touched_extensions
        return new

    @property
    def revoked(self) -> set[bytes]:
        """The tokens that the full read did not find."""
        return self._unseen_tokens - self.touched_tokens

    def _person_differs(self, user_id: int) -> None:
        self.differs = True
        if (number := self._current.number_by_user.get(user_id)) is not None:
            self.affected.add(number)
