"""Checks names and passwords: throttled per account and address, with equal response and time for every failure.

Failures count for the name as typed, whether an account has it or not. So no response reveals which names exist.
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
from service.domain.networks import may_come_from, prefix
from service.domain.user_names import folded
from service.errors import Overloaded
from service.web.auth.failed_logins import FailedLogins
from service.web.auth.known_addresses import KnownAddresses
from service.web.http.errors import LoginFailed, TooManyRequests

TURN_DEADLINE = 5.0
"""Seconds that an attempt waits for pending attempts on its account or address."""
GLOBAL_LIMIT_FACTOR = 10
"""The limit of a name over all addresses, and of further attempts from an address over its limit, as a multiple of the
limit of a name at one address."""
MAX_PENDING, MAX_PENDING_PER_ADDRESS = 2_000, 200
"""Maximum pending attempts of a process, in all and from one address."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """The counters of an attempt."""

    pair: bytes
    """The name, as typed, at the address."""
    address: bytes
    """The address with any name."""
    over_limit: bytes
    """The address, for attempts beyond its limit."""
    name: bytes
    """The name from any address."""

    @classmethod
    def of(cls, name: str, prefix: str) -> _Keys:
        return cls(_key("pair", name, prefix), _key("address", prefix), _key("over", prefix), _key("name", name))


class LoginThrottle:
    """Throttles logins; one per process. Workers divide the limits among them; N replicas allow N times as much.

    Each minute a name may fail `failures_per_minute` times at one address, and an address as often with any names; a
    name over all addresses GLOBAL_LIMIT_FACTOR times as often. Beyond the limit of an address or a name, a person who
    logged in from this address before still gets in; only GLOBAL_LIMIT_FACTOR times as many failures at one address
    lock them out, for a minute. Everybody else gets a 429 at the limit, whatever the password. It is checked all the
    same, so that the time does not reveal who has logged in from there.
    """

    def __init__(
        self, database: Database, hasher: PasswordHasher, activity: Activity, failures_per_minute: int
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._activity = activity
        self._limit = failures_per_minute
        self._failures = FailedLogins(GLOBAL_LIMIT_FACTOR * failures_per_minute)
        self._known_addresses = KnownAddresses()
        self._checking: Counter[bytes] = Counter()  # by pair and by address
        self._pending: Counter[bytes] = Counter()  # by address, also those that wait for their turn
        self._all_pending = 0
        self._decided = asyncio.Event()
        self.refused = 0
        """Logins that failed or were throttled since the start."""

    async def check(self, name_or_email: str, password: str, address: str) -> Person:
        """The active person with this name and password. Raises LoginFailed, TooManyRequests, Unavailable."""
        source = prefix(address)
        keys = _Keys.of(folded(name_or_email), source)
        async with self._pending_attempt(keys):
            await self._known_addresses.refresh(self._database)
            wait = self._seconds_over_limit(keys)
            rank = self._rank(keys, source)
            login = await users.find_login(self._database, name_or_email)
            try:
                matches = await self._hasher.verify(password, login.passwd if login else None, rank)
            except Overloaded:
                if wait:
                    self._refuse(keys, wait)
                raise
            allowed = login is not None and login.person.active and may_come_from(login.auth_ip, address)
            if login is None or not matches or not allowed:
                self._failures.hit(keys.pair)
                self._refuse(keys, wait, login.person if login is not None else None)
            if wait and not self._known_addresses.has_login(login.person.user_id, source):
                self._refuse(keys, wait)
        self._known_addresses.add(login.person.user_id, source)
        self._activity.record_login(login.person.user_id, address)
        return login.person

    def _seconds_over_limit(self, keys: _Keys) -> float:
        """Seconds until both the address and the name are below their limits; 0 if they are."""
        by_address = self._failures.seconds_until_below(keys.address, self._limit)
        by_name = self._failures.seconds_until_below(keys.name, GLOBAL_LIMIT_FACTOR * self._limit)
        return max(by_address, by_name, 0.0)

    def _rank(self, keys: _Keys, source: str) -> Rank:
        """Addresses with an earlier login come first, then those with the fewest failures."""
        failures = self._failures.count(keys.address) + self._checking[keys.address]
        return int(not self._known_addresses.has_any_login(source)), failures

    def _refuse(self, keys: _Keys, wait: float, person: Person | None = None) -> NoReturn:
        self.refused += 1
        if wait:
            self._failures.hit(keys.over_limit)
            raise TooManyRequests(wait)
        self._failures.hit(keys.address)
        self._failures.hit(keys.name)
        raise LoginFailed(person)

    @asynccontextmanager
    async def _pending_attempt(self, keys: _Keys) -> AsyncIterator[None]:
        """Count an attempt as a failure while it is checked, so that concurrent attempts cannot exceed a limit."""
        if self._all_pending >= MAX_PENDING or self._pending[keys.address] >= MAX_PENDING_PER_ADDRESS:
            raise Overloaded("too many logins are being checked")
        self._all_pending += 1
        with _counting(self._pending, keys.address):
            try:
                await self._wait_for_turn(keys)
                with _counting(self._checking, keys.pair), _counting(self._checking, keys.address):
                    yield
            finally:
                self._all_pending -= 1
                self._decided.set()
                self._decided = asyncio.Event()

    async def _wait_for_turn(self, keys: _Keys) -> None:
        """Wait while attempts being checked fill a limit: they may succeed. Raises TooManyRequests, Overloaded."""
        try:
            async with asyncio.timeout(TURN_DEADLINE):
                while self._is_full(keys):
                    await self._decided.wait()
        except TimeoutError:
            raise Overloaded("too many logins of one account or address are being checked") from None

    def _is_full(self, keys: _Keys) -> bool:
        """Whether failures and attempts being checked fill a limit. Raises TooManyRequests if failures alone do."""
        failures, limit, global_limit = self._failures, self._limit, GLOBAL_LIMIT_FACTOR * self._limit
        wait = max(
            failures.seconds_until_below(keys.pair, limit), failures.seconds_until_below(keys.over_limit, global_limit)
        )
        if wait > 0:
            self.refused += 1
            raise TooManyRequests(wait)
        checking, failed = self._checking[keys.address], failures.count(keys.address)
        remaining = limit - failed if failed < limit else global_limit - failures.count(keys.over_limit)
        return failures.count(keys.pair) + self._checking[keys.pair] >= limit or checking >= remaining


@contextmanager
def _counting(counter: Counter[bytes], key: bytes) -> Iterator[None]:
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


def _key(*parts: str) -> bytes:
    """A key of fixed size, whatever was typed."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.digest()


LOGIN_THROTTLE = web.AppKey("login_throttle", LoginThrottle)
