"""Takes the place of PostgreSQL: pools that nobody reaches, and what follows the changes of `People`."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, cast

from service.db.change_listener import ChangeListener
from service.db.connection import DatabaseLogin
from service.db.pool import Database
from service.domain.directory import Directory
from service.errors import DatabaseUnavailable, DirectoryUnavailable
from service.runtime.storage import Storage
from service.settings import Settings
from tests.simulation.web.people import People, Row

CONFIRMED_EVERY = 1.5
LATEST_HINT = 0.05
"""The most seconds from a commit to the directory while PostgreSQL is followed."""


class PostgreSQL:
    """The server: whether it can be followed now."""

    def __init__(self, people: People, chance: random.Random, uptime: Callable[[], float]) -> None:
        self.people = people
        self.uptime = uptime
        self.away = False
        self.back_at = float("-inf")
        self.chance = chance
        self.follower: Follower | None = None
        people.committed = self._committed

    def _committed(self, row: Row) -> None:
        if self.follower is not None:
            self.follower.hear(row)

    @contextlib.asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[Storage]:
        """What a process of the service has of it."""
        yield FollowedPeople(settings, self)

    def is_away(self) -> bool:
        return self.away

    def set_away(self, away: bool) -> None:
        if self.away and not away:
            self.back_at = self.uptime()
        self.away = away
        if self.follower is not None:
            self.follower.wake()


class Follower:
    """What follows the changes for one process of the service. It stands in for `ChangeListener`."""

    def __init__(
        self, server: PostgreSQL, directory: Directory, changed: Sequence[Callable[[frozenset[str]], None]]
    ) -> None:
        self._server = server
        self._directory = directory
        self._changed = changed
        self._unread: deque[Row] = deque()
        self._awake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self.loaded = asyncio.Event()
        self.last_error: str | None = None
        self.current = True
        self.confirmed_at = float("-inf")
        server.follower = self

    # --- what the service uses -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read everything, then what changes. Confirm that everything is read."""
        while self._server.is_away():  # noqa: ASYNC110 - as a driver that tries again
            await asyncio.sleep(0.05)
        for row in self._server.people.rows():
            self._put(row)
        self._notify(frozenset(self._server.people.extensions))
        self._confirm()
        self.loaded.set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONFIRMED_EVERY):
                    await self._awake.wait()
            self._awake.clear()
            if self._server.is_away():
                continue
            await asyncio.sleep(self._server.chance.uniform(0, LATEST_HINT - 0.01))
            if not self._server.is_away():
                self._read_all()

    async def barrier(self, known: Callable[[], bool] = lambda: False) -> None:
        """Wait until everything that was committed before is read. Raises DirectoryUnavailable."""
        passed = asyncio.get_running_loop().create_future()
        self._waiting.append(passed)
        self.wake()
        try:
            async with asyncio.timeout(2.0):
                await passed
        except TimeoutError:
            raise DirectoryUnavailable("PostgreSQL does not answer") from None

    async def refresh(self, hint: str, within: float) -> bool:
        raise AssertionError(f"nobody logs in: {hint} {within}")

    @property
    def doubted(self) -> bool:
        """Whether a barrier may have failed a moment ago."""
        return self._server.away or self._server.uptime() < self._server.back_at + 2.5

    # --- what happens --------------------------------------------------------------------------------------------

    def hear(self, row: Row) -> None:
        """A row was committed."""
        self._unread.append(row)
        self.wake()

    def wake(self) -> None:
        self._awake.set()

    def _read_all(self) -> None:
        affected: set[str] = set()
        for row in dict.fromkeys(self._unread):
            self._put(row)
            kind, key = row
            if kind == "extension":
                affected.add(str(key))
            elif kind == "person":
                affected |= {number for number, each in self._server.people.extensions.items() if each.user_id == key}
        if self._unread:
            self._unread.clear()
            self._notify(frozenset(affected))
        self._confirm()

    def _put(self, row: Row) -> None:
        people, directory = self._server.people, self._directory
        kind, key = row
        if kind == "person":
            directory.put_person(cast(int, key), people.people[cast(int, key)])
        elif kind == "token":
            directory.put_token(cast(bytes, key), people.token_of(cast(bytes, key)))
        else:
            directory.put_extension(str(key), people.extensions[str(key)])
        people.told(row)

    def _notify(self, affected: frozenset[str]) -> None:
        for changed in self._changed:
            changed(affected)

    def _confirm(self) -> None:
        self.confirmed_at = self._server.uptime()
        self._directory.confirm(self.confirmed_at)
        waiting, self._waiting = self._waiting, []
        for passed in waiting:
            if not passed.done():
                passed.set_result(None)


class _AwayDatabase(Database):
    """A pool that gets no connection."""

    @contextlib.asynccontextmanager
    async def connection(self, within: float | None = None) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        if self._pool is None:
            raise DatabaseUnavailable("there is none in this world")
        yield


class _AwayLogin(DatabaseLogin):
    async def connect(self, **options: Any) -> Any:
        await asyncio.sleep(0)
        raise DatabaseUnavailable("there is none in this world")


class FollowedPeople(Storage):
    """The storage of one process."""

    def __init__(self, settings: Settings, server: PostgreSQL) -> None:
        login = _AwayLogin(settings.database_url, None)
        database = _AwayDatabase(login, size=2, deadline=1.0, start_deadline=1.0)
        super().__init__(database, database, b"the key of the entity tags")
        self._server = server

    def listener(
        self,
        directory: Directory,
        changed: Sequence[Callable[[frozenset[str]], None]],
        owners_read: Callable[[Mapping[str, str]], None],
    ) -> ChangeListener:
        return cast(ChangeListener, Follower(self._server, directory, changed))
