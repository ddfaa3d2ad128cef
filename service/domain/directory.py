"""The directory: an in-memory copy of PostgreSQL's users, tokens and extensions.

Synchronous and pure: it gets both clocks from outside and never waits. One loader writes, everyone reads.

The loader confirms regularly that the copy is current. When a confirmation is overdue, the directory goes on answering
for a bounded grace period and reports since when it is stale. After that it raises DirectoryUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from service.domain.confirmed_copy import ConfirmedCopy
from service.domain.directory_tables import DirectoryReread, DirectoryTables, RevokedTokens, Token
from service.domain.models import Extension, Person, Phone, TokenScope
from service.domain.secret_counts import SecretCounts
from service.domain.user_names import folded
from service.errors import DirectoryUnavailable


class Directory(ConfirmedCopy):
    """The tables, with what is asked of them."""

    def __init__(
        self,
        clock: Callable[[], float],
        now: Callable[[], float],
        *,
        stale_after: float = 5.0,
        grace_period: float = 60.0,
    ) -> None:
        super().__init__(clock, now, stale_after=stale_after, grace_period=grace_period)
        self._tables = DirectoryTables()
        self._reread: DirectoryReread | None = None
        self._revoked = RevokedTokens()
        self._sorted_numbers: list[str] | None = None
        self._unreadable_people: set[int] = set()
        self.version = 0
        """Grows with every change of a token or person."""
        self.rows_left_out = 0
        """Number of rows that this release cannot read."""

    # --- writing: the loader -----------------------------------------------------------------------------------

    def begin_reread(self) -> DirectoryReread:
        """Begin a full read. Fill what this returns, then call `end_reread`. An earlier one becomes void."""
        self._reread = DirectoryReread(self._tables)
        return self._reread

    def cancel_reread(self, reread: DirectoryReread) -> None:
        """Abandon a full read that failed."""
        if self._reread is reread:
            self._reread = None

    def end_reread(self, reread: DirectoryReread) -> DirectoryTables:
        """Replace the tables with those of the full read. Returns the old tables, which are unused now.

        `reread.affected` holds the extensions whose answers may have changed.
        """
        assert reread is self._reread, "another full read has begun since"
        before, self._tables, self._reread = self._tables, reread.finish(), None
        for token_hash in reread.revoked:
            self._revoked.remember(token_hash)
        self._sorted_numbers = None
        if reread.differs or reread.revoked:
            self.version += 1
        return before

    def put_person(self, user_id: int, person: Person | None) -> None:
        """Set a person; None deletes them."""
        self.version += 1
        self._tables.put_person(user_id, person)
        if self._reread is not None:
            self._reread.touched_people.add(user_id)

    def put_token(self, token_hash: bytes, token: Token | None) -> None:
        """Set a token; None revokes it."""
        self.version += 1
        existed = self._tables.put_token(token_hash, token)
        if token is not None:
            self._revoked.forget(token_hash)
        elif existed:
            self._revoked.remember(token_hash)
        if self._reread is not None:
            self._reread.touched_tokens.add(token_hash)

    def put_extension(self, number: str, extension: Extension | None) -> None:
        """Set an extension; None deletes it."""
        existed = self._tables.put_extension(number, extension)
        if existed is (extension is None):
            self._sorted_numbers = None
        if self._reread is not None:
            self._reread.touched_extensions.add(number)

    def set_left_out(self, rows: int, people: set[int]) -> None:
        """Set the number of unreadable rows and the user ids among them."""
        self.rows_left_out = rows
        self._unreadable_people = people

    # --- reading -----------------------------------------------------------------------------------------------

    def token_holder(self, token_hash: bytes, *, current: bool = False) -> Person | None:
        """Return the token's active holder, with its scope; None if not known to be `current`.

        Raises DirectoryUnavailable.
        """
        if not current:
            self._check()
        elif self._clock() >= self._current_until:
            return None
        token = self._tables.tokens.get(token_hash)
        if token is None or token.expires_at <= self.now():
            return None
        person = self._tables.people.get(token.user_id)
        if person is None and token.user_id in self._unreadable_people:
            raise DirectoryUnavailable("this release cannot read the row of the token's holder")
        if person is None or not person.active:
            return None
        return person if token.scope is TokenScope.ALL else replace(person, scope=token.scope)

    def knows_token(self, token_hash: bytes) -> bool:
        """Return whether this token and its holder are known, valid or not."""
        token = self._tables.tokens.get(token_hash)
        return token is not None and token.user_id in self._tables.people

    def has_ended(self, token_hash: bytes) -> bool:
        """Return whether this token is known to be revoked, expired or an inactive person's. An unknown one is not."""
        token = self._tables.tokens.get(token_hash)
        if token is None:
            return token_hash in self._revoked
        person = self._tables.people.get(token.user_id)
        return token.expires_at <= self.now() or (person is not None and not person.active)

    def expires_at(self, token_hash: bytes) -> float:
        """Return a token's expiry in seconds since the epoch; 0.0 for an unknown token."""
        token = self._tables.tokens.get(token_hash)
        return token.expires_at if token is not None else 0.0

    def person_by_uid(self, uid: str) -> Person | None:
        """Return the person with this uid, active or not."""
        user_id = self._tables.by_uid.get(uid)
        return None if user_id is None else self._tables.people.get(user_id)

    def person_by_name(self, name: str) -> Person | None:
        """Return the person whose folded name (`names.folded`) this is, active or not."""
        user_id = self._tables.by_name.get(folded(name))
        return None if user_id is None else self._tables.people.get(user_id)

    def people(self) -> Iterable[Person]:
        """Return all persons, active or not, in no particular order."""
        return self._tables.people.values()

    def extension_of(self, uid: str) -> Extension | None:
        """Return the extension that this person may register now. Raises DirectoryUnavailable."""
        self._check()
        person = self.person_by_uid(uid)
        return self.extension_of_person(person) if person is not None else None

    def extension_of_person(self, person: Person) -> Extension | None:
        """Return the extension that this person, as the directory has them now, may register."""
        number = self._tables.number_by_user.get(person.user_id)
        extension = self._tables.extensions.get(number) if number is not None else None
        return extension if extension is not None and extension.enabled and person.active else None

    def extension(self, number: str) -> Extension | None:
        """Return the extension with this number if it may register."""
        extension = self._tables.extensions.get(number)
        return extension if extension is not None and self._may_register(extension) else None

    def stored_extension(self, number: str) -> Extension | None:
        """Return the extension with this number, whether it may register or not."""
        return self._tables.extensions.get(number)

    def find_extension(self, name: str, caller: Person | None = None) -> Extension | None:
        """Return the extension with this number, else the only one with a phone whose endpoint has this name.

        Of several with such a phone it is the caller's own. Only extensions that may register count.
        """
        if (extension := self.extension(name)) is not None:
            return extension
        numbers = self._tables.numbers_by_endpoint.get(name, ())
        found = [extension for number in numbers if (extension := self.extension(number)) is not None]
        if len(found) > 1 and caller is not None:
            found = [extension for extension in found if extension.user_id == caller.user_id]
        return found[0] if len(found) == 1 else None

    def find_stored(self, name: str) -> list[Extension]:
        """Return the extension with this number, else all with an endpoint of this name, allowed to register or not."""
        return self._tables.find(name)

    def extension_holder(self, extension: Extension) -> Person | None:
        """Return the person to whom the extension is assigned."""
        return self._tables.people.get(extension.user_id) if extension.user_id is not None else None

    def number_of(self, user_id: int) -> str | None:
        """Return the number of the extension assigned to a person, whether it may register or not."""
        return self._tables.number_by_user.get(user_id)

    def numbers(self) -> Sequence[str]:
        """Return the numbers of all extensions, whether they may register or not, sorted."""
        if self._sorted_numbers is None:
            self._sorted_numbers = sorted(self._tables.extensions)
        return self._sorted_numbers

    def is_assigned(self, number: str) -> bool:
        """Return whether an extension is assigned to a person, active or not."""
        extension = self._tables.extensions.get(number)
        return extension is not None and extension.user_id is not None

    def registrable_extensions(self) -> list[Extension]:
        """Return the extensions that may register, which Asterisk knows, sorted by number."""
        extensions = map(self._tables.extensions.__getitem__, self.numbers())
        return [extension for extension in extensions if self._may_register(extension)]

    def counts(self) -> dict[str, int]:
        """Return the number of entries per table."""
        tables = self._tables
        return {"people": len(tables.people), "tokens": len(tables.tokens), "extensions": len(tables.extensions)}

    @property
    def secret_counts(self) -> SecretCounts:
        """The phones without a SIP password that this process can read, by call server."""
        return self._tables.secret_counts

    def find_setup(self, token_hash: bytes) -> tuple[Extension, Phone] | None:
        """Return the phone whose set-up link or device URL has this hash, and its extension, if it may register.

        Whether the link has expired is for the caller. Raises DirectoryUnavailable.
        """
        self._check()
        number, phone_id = self._tables.setups.get(token_hash, ("", 0))
        extension = self.extension(number)
        phone = extension.phone(phone_id) if extension is not None else None
        return (extension, phone) if extension is not None and phone is not None else None

    def _may_register(self, extension: Extension) -> bool:
        if not extension.enabled or extension.user_id is None:
            return extension.enabled
        person = self._tables.people.get(extension.user_id)
        return person is not None and person.active
