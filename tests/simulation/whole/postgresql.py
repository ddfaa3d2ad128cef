"""The model of PostgreSQL as the application is given it, and what its faults use of a universe."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from service.db.change_listener import ChangeListener
from service.db.connection import DatabaseLogin
from service.db.pool import Database
from service.domain.directory import Directory
from service.runtime.storage import Storage
from service.settings import Settings
from tests.simulation.database.calm import Calm
from tests.simulation.database.changes import Changes
from tests.simulation.database.checkers import Checkers
from tests.simulation.database.cluster import Cluster
from tests.simulation.database.connector import STALE_AFTER
from tests.simulation.database.faults import KINDS
from tests.simulation.database.rows import Commit
from tests.simulation.plan import Fault
from tests.simulation.whole.people import StoredPeople
from tests.simulation.world import World

RECOVERS_WITHIN = 8.0
"""Seconds after the last fault of PostgreSQL within which a call may be refused: connections are found to be lost."""
TAG_KEY = b"the key of the entity tags"


class ModelStorage(Storage):
    """What `service/runtime/storage.py` opens, without what reads the schema. It hears what is confirmed."""

    def __init__(self, database: Database, imports: Database, server: ModelPostgreSQL) -> None:
        super().__init__(database, imports, TAG_KEY)
        self._server = server

    def listener(self, directory: Directory, *others: Any) -> ChangeListener:
        listener = super().listener(directory, *others)
        confirm, people = directory.confirm, self._server.people

        def confirmed(at: float) -> None:
            confirm(at)
            people.confirmed(at)

        directory.confirm = confirmed  # type: ignore[method-assign]
        self._server.followed(directory, listener, self.database.login)
        return listener


class ModelPostgreSQL:
    """The cluster. It is also the universe of the faults of the database profile."""

    def __init__(
        self, world: World, people: StoredPeople, cluster: Cluster, grace: float, check_all: Callable[[], None]
    ) -> None:
        self.world = world
        self.people = people
        self.cluster = cluster
        self.check_all = check_all
        self.chance = random.Random(f"{world.seed}:changes in PostgreSQL")
        self.changes = Changes(cluster, self.chance)
        self.calm = Calm(world, cluster)
        self.failing_over = False
        self.follower: Followed | None = None
        self._parts = SimpleNamespace(grace=grace)
        self.checkers = Checkers(world, cluster, cast(Any, self._parts))
        cluster.observers.append(self._on_commit)

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[Storage]:
        """As `service/runtime/storage.py` opens it."""
        async with Database.of(settings, any_schema=True) as database, database.beside(1) as imports:
            yield ModelStorage(database, imports, self)

    def followed(self, directory: Directory, listener: ChangeListener, login: DatabaseLogin) -> None:
        """A process begins to follow: judge it from now on."""
        self._parts.directory, self._parts.listener, self._parts.login = directory, listener, login
        self.follower = Followed(self, directory)
        self.people.begin()

    def _on_commit(self, commit: Commit) -> None:
        def check() -> None:
            self.checkers.check_soon(commit.changed, commit.at)
            self.people.after_commit(commit)

        self.calm.after_commit(commit, check)

    def burst(self, count: int) -> None:
        """Many changes at once."""
        kinds = (self.people.hand_over, self.people.new_secret, self._come_and_go)
        for _ in range(count):
            self.chance.choice(kinds)()

    def _come_and_go(self) -> None:
        self.people.revoke(self.people.issue(self.chance.choice(sorted(self.people.people))))

    async def break_once(self, kind: str, fault: Fault) -> None:
        await self.calm.disturbed_by(self._break(kind, fault))

    async def _break(self, kind: str, fault: Fault) -> None:
        await KINDS[kind](cast(Any, self), fault)
        if kind == "failover" and self.cluster.primary.frozen:  # by a fault that ended meanwhile
            self.cluster.primary.freeze(False)

    @property
    def is_well(self) -> bool:
        """Whether each call must be answered."""
        return bool(self.calm) and self.world.uptime() > self.calm.since + RECOVERS_WITHIN


class Followed:
    """The listener and the directory of a process."""

    def __init__(self, server: ModelPostgreSQL, directory: Directory) -> None:
        self._server = server
        self._directory = directory

    @property
    def confirmed_at(self) -> float:
        return self._directory._current_until - STALE_AFTER

    @property
    def doubted(self) -> bool:
        return not self._server.is_well
