"""People, tokens, extensions and phones as PostgreSQL has them, with their past; and what the service was told of them.

There is no PostgreSQL: `Follower` takes the place of what follows its changes. A change reaches the directory some
milliseconds after it was committed, or not while PostgreSQL is away.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from service.credentials import token_hash
from service.domain.directory_tables import Token
from service.domain.models import Extension, Person, Phone, Profile, Role, TokenScope
from tests.simulation.marks import SECRET_MARK, TOKEN_MARK

T = TypeVar("T")
ROLES = (Role.ADMIN, Role.AGENT, Role.AGENT, *[Role.CLIENT] * 7)
YEAR = 31_536_000.0


@dataclass
class Grant:
    """A token."""

    token: str
    user_id: int
    scope: TokenScope
    issued_at: float
    ended_at: float | None = None
    """When the service heard that it has ended."""
    revoked: bool = False

    @property
    def hash(self) -> bytes:
        return token_hash(self.token)


@dataclass
class Past:
    """What a value was since when, as the service was told. Times are the world's uptime."""

    moments: list[tuple[float, object]] = field(default_factory=list)

    def put(self, at: float, value: object) -> None:
        self.moments.append((at, value))

    def held(self, since: float) -> set[object]:
        """The values that held at some moment since then."""
        held: set[object] = set()
        for began, value in reversed(self.moments):
            held.add(value)
            if began <= since:
                break
        return held


Row = tuple[str, object]
"""What changed: `person`, `token` or `extension`, and its key."""


class People:
    """The rows. `committed` is called with each row that changes."""

    def __init__(self, chance: random.Random, uptime: Callable[[], float]) -> None:
        self._chance = chance
        self._uptime = uptime
        self.committed: Callable[[Row], None] = lambda _: None
        self.people: dict[int, Person] = {}
        self.tokens: dict[bytes, Grant] = {}
        self.extensions: dict[str, Extension] = {}
        self.past: dict[tuple[str, object], Past] = {}
        """By `owner` and number, `secret` and number, `role` and user id: as the service was told."""
        self._secrets = self._issued = 0
        for number, role in enumerate(ROLES):
            user_id = 101 + number
            uid, name = f"uid{number:02}aaaaaaaaaaaa", f"person{number}"
            self.people[user_id] = Person(user_id, uid, name, role, True, name.title(), None, False)

    def add_extension(self, number: str, user_id: int | None) -> Extension:
        """A number with a phone of its own."""
        phone = Phone(int(number), number, number, self._new_secret(number), Profile.SIP)
        extension = self.extensions[number] = Extension(number, "main", True, user_id, number, (phone,))
        return extension

    # --- changes -----------------------------------------------------------------------------------------------

    def issue(self, user_id: int, scope: TokenScope = TokenScope.ALL) -> Grant:
        """A new token, which the service hears of as of any other change."""
        grant = self._new_grant(user_id, scope)
        self.committed(("token", grant.hash))
        return grant

    def _new_grant(self, user_id: int, scope: TokenScope) -> Grant:
        self._issued += 1
        text = f"{TOKEN_MARK}{self._issued:05}" + "x" * (43 - len(TOKEN_MARK) - 5)
        grant = Grant(("board_" if scope is TokenScope.BOARD else "") + text, user_id, scope, self._uptime())
        self.tokens[grant.hash] = grant
        return grant

    def revoke(self, grant: Grant) -> None:
        """End a token."""
        if not grant.revoked:
            grant.revoked = True
            self.committed(("token", grant.hash))

    def hand_over(self) -> None:
        """Two extensions change their owners, or one is nobody's for now."""
        one, other = self._chance.sample(sorted(self.extensions), 2)
        owners = self.extensions[one].user_id, self.extensions[other].user_id
        for number in (one, other):  # each person has one extension at a time
            self._change(number, user_id=None)
        for number, owner in zip((one, other), reversed(owners), strict=True):
            if owner is not None:
                self._change(number, user_id=owner, phones=self._rotated(number))

    def new_secret(self) -> None:
        """A phone gets another SIP password."""
        number = self._chance.choice(sorted(self.extensions))
        self._change(number, phones=self._rotated(number))

    def set_active(self, user_id: int, active: bool) -> None:
        self._change_person(user_id, replace(self.people[user_id], active=active))

    def set_role(self, user_id: int, role: Role) -> None:
        self._change_person(user_id, replace(self.people[user_id], role=role))

    def _change_person(self, user_id: int, person: Person) -> None:
        self.people[user_id] = person
        self.committed(("person", user_id))

    def _change(self, number: str, **changes: object) -> None:
        self.extensions[number] = replace(self.extensions[number], **changes)  # type: ignore[arg-type]
        self.committed(("extension", number))

    def _rotated(self, number: str) -> tuple[Phone, ...]:
        own, *others = self.extensions[number].phones
        return (replace(own, secret=self._new_secret(number)), *others)

    def _new_secret(self, number: str) -> str:
        self._secrets += 1
        return f"{SECRET_MARK}{number}-{self._secrets:05}"

    # --- what the service was told -------------------------------------------------------------------------------

    def told(self, row: Row) -> None:
        """The service has read a row."""
        kind, key = row
        now = self._uptime()
        if kind == "extension":
            extension = self.extensions[str(key)]
            self._remember("owner", key, now, extension.user_id)
            self._remember("secret", key, now, extension.phones[0].secret)
        elif kind == "person":
            assert isinstance(key, int)
            self._remember("role", key, now, (self.people[key].role, self.people[key].active))
        elif (grant := self.tokens[_bytes(key)]).revoked and grant.ended_at is None:
            grant.ended_at = now

    def _remember(self, what: str, key: object, at: float, value: object) -> None:
        self.past.setdefault((what, key), Past()).put(at, value)

    def held(self, what: str, key: object, since: float) -> set[object]:
        """The values that the service was told of, and that held since then."""
        past = self.past.get((what, key))
        return past.held(since) if past is not None else set()

    def token_of(self, hash_: bytes) -> Token | None:
        grant = self.tokens[hash_]
        return None if grant.revoked else Token(grant.user_id, 4 * YEAR * 20, grant.scope)

    def rows(self) -> Iterator[Row]:
        """All rows, in the order in which they can be read."""
        yield from (("person", user_id) for user_id in self.people)
        yield from (("token", hash_) for hash_ in self.tokens)
        yield from (("extension", number) for number in self.extensions)


def _bytes(key: object) -> bytes:
    assert isinstance(key, bytes)
    return key
