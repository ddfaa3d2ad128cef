"""Checking a name and a password: limited per account and per address, the same answer and time for every failure.

What is counted is what was typed, whether anybody is called so or not; an answer never tells which names there are.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import NoReturn

from aiohttp import web

from service.credentials import PasswordHasher, Rank
from service.db import users
from service.db.activity import Activity
from service.db.pool import Database
from service.domain.models import Person
from service.domain.names import folded
from service.domain.networks import may_come_from, prefix
from service.errors import Overloaded
from service.web.auth.failed_logins import FailedLogins
from service.web.auth.known_addresses import KnownAddresses
from service.web.http.errors import LoginFailed, TooManyRequests

TURN_DEADLINE = 5.0
"""Seconds that an attempt waits for others of its account or address to be decided."""
CROWD = 10
"""How many times the limit of a name at one address counts for a name from everywhere, and for passwords that are
looked at from an address that is over its limit."""
MOST_AT_ONCE, MOST_FROM_ONE = 2_000, 200
"""Attempts that one process has under way, in all and from one address."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """What an attempt counts for."""

    pair: bytes
    """The name, as it was typed, at the address."""
    place: bytes
    """The address, whatever the name."""
    looked_at: bytes
    """The address, for attempts beyond its limit."""
    name: bytes
    """The name, from wherever."""

    @classmethod
    def of(cls, name: str, place: str) -> _Keys:
        return cls(_key("pair", name, place), _key("place", place), _key("looked at", place), _key("name", name))


class LoginThrottle:
    """One per process. The limits live in its memory: workers share them, N replicas let N times as many through.

    A name has so many failures a minute at each address, an address so many in all; a name from everywhere has CROWD
    times as many. Beyond an address's or a name's limit a person who logged in from this address before still gets in.
    Only CROWD times as many failures at one address lock those who share it out, for a minute. Everybody else gets the
    429 at the limit, whatever the password: it is looked at all the same, so that the time does not tell who is known.
    """

    def __init__(
        self, database: Database, hasher: PasswordHasher, activity: Activity, failures_per_minute: int
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._activity = activity
        self._limit = failures_per_minute
        self._failures = FailedLogins(CROWD * failures_per_minute)
        self._known = KnownAddresses()
        self._under_way: Counter[bytes] = Counter()
        self._from_one: Counter[bytes] = Counter()
        self._at_once = 0
        self._decided = asyncio.Event()
        self.refused = 0
        """How many logins failed or were limited, since the start."""

    async def check(self, name_or_email: str, password: str, address: str) -> Person:
        """The active person who proved to be who they say. Raises LoginFailed, TooManyRequests, Unavailable."""
        place = prefix(address)
        keys = _Keys.of(folded(name_or_email), place)
        async with self._attempt(keys):
            await self._known.refresh(self._database)
            wait = self._over(keys)
            rank = self._rank(keys, place)
            login = await users.by_login(self._database, name_or_email)
            try:
                fits = await self._hasher.verify(password, login.passwd if login else None, rank)
            except Overloaded:
                if wait:  # it came from a crowd
                    self._refuse(keys, wait)
                raise
            may = login is not None and login.person.active and may_come_from(login.auth_ip, address)
            if login is None or not fits or not may:
                self._failures.hit(keys.pair)
                self._refuse(keys, wait)
            if wait and not self._known.knows(login.person.user_id, place):
                self._refuse(keys, wait)
        self._known.add(login.person.user_id, place)
        self._activity.logged_in(login.person.user_id, address)
        return login.person

    def _over(self, keys: _Keys) -> float:
        """Seconds until neither the address nor the name is over its limit; 0: it is not."""
        crowd = self._failures.wait(keys.name, CROWD * self._limit)
        return max(self._failures.wait(keys.place, self._limit), crowd, 0.0)

    def _rank(self, keys: _Keys, place: str) -> Rank:
        """Addresses from which somebody logged in before come first, then those that failed least."""
        return int(not self._known.has(place)), self._failures.count(keys.place) + self._under_way[keys.place]

    def _refuse(self, keys: _Keys, wait: float) -> NoReturn:
        self.refused += 1
        if wait:
            self._failures.hit(keys.looked_at)
            raise TooManyRequests(wait)
        self._failures.hit(keys.place)
        self._failures.hit(keys.name)
        raise LoginFailed

    @asynccontextmanager
    async def _attempt(self, keys: _Keys) -> AsyncIterator[None]:
        """Attempts that are being checked count as failures until they are known, so that none slips past."""
        if self._at_once >= MOST_AT_ONCE or self._from_one[keys.place] >= MOST_FROM_ONE:
            raise Overloaded("too many logins are being checked")
        self._at_once += 1
        with _counted(self._from_one, keys.place):
            try:
                await self._turn(keys)
                with _counted(self._under_way, keys.pair), _counted(self._under_way, keys.place):
                    yield
            finally:
                self._at_once -= 1
                self._decided.set()
                self._decided = asyncio.Event()

    async def _turn(self, keys: _Keys) -> None:
        """Wait while attempts under way, which may yet succeed, fill a limit. Failures that fill it are a 429."""
        try:
            async with asyncio.timeout(TURN_DEADLINE):
                while self._is_full(keys):
                    await self._decided.wait()
        except TimeoutError:
            raise Overloaded("too many logins of one account or address are being checked") from None

    def _is_full(self, keys: _Keys) -> bool:
        """Whether attempts under way fill a limit together with failures. Raises TooManyRequests."""
        failures, limit, crowd = self._failures, self._limit, CROWD * self._limit
        wait = max(failures.wait(keys.pair, limit), failures.wait(keys.looked_at, crowd))
        if wait > 0:
            self.refused += 1
            raise TooManyRequests(wait)
        under_way, failed = self._under_way[keys.place], failures.count(keys.place)
        left = limit - failed if failed < limit else crowd - failures.count(keys.looked_at)
        return failures.count(keys.pair) + self._under_way[keys.pair] >= limit or under_way >= left


@contextmanager
def _counted(counter: Counter[bytes], key: bytes) -> Iterator[None]:
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


def _key(*parts: str) -> bytes:
    """As many bytes whatever was typed."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.digest()


LOGIN_THROTTLE = web.AppKey("logins", LoginThrottle)
