"""The part of the service that follows PostgreSQL, put together as `service/runtime/app.py` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from service.db.activity import Activity
from service.db.change_listener import ChangeListener
from service.db.connection import DatabaseLogin, watch_write_access
from service.db.directory_loader import DirectoryLoader
from service.db.pool import Database
from service.db.user_loader import UserLoader
from service.domain.credential_owners import CredentialOwners
from service.domain.credential_watch import CredentialWatch
from service.domain.directory import Directory
from service.domain.models import Credentials
from service.runtime.audit_trail import AuditTrail
from service.runtime.presence_composer import PresenceComposer
from service.web.app_keys import CHANGE_LISTENER, DIRECTORY
from tests.simulation.database.cluster import URL
from tests.simulation.world import World

POOL = 4
DEADLINE = 3.0
"""As the setting's default."""
STALE_AFTER = 5.0


class Connector:
    """Made within the event loop. `app` holds what authentication looks for in an application."""

    def __init__(self, world: World, grace: float) -> None:
        self._world = world
        self.grace = grace
        self.login = DatabaseLogin(URL, "password")
        self.database = Database(self.login, size=POOL, deadline=DEADLINE, start_deadline=30.0, any_schema=True)
        self.directory = Directory(world.uptime, world.wall, grace_period=grace)
        self.composer = PresenceComposer(self.directory)
        self.credential_watch = CredentialWatch(self.directory)
        self.owners = CredentialOwners({"main": Credentials.MANAGED})
        self.observers: list[Callable[[frozenset[str]], None]] = []
        changed = (self.composer.directory_changed, self.credential_watch.directory_changed, self._changed)
        self.listener = ChangeListener(
            self.login, DirectoryLoader(self.database, self.directory, changed, self.owners.update)
        )
        self.users = UserLoader(self.database, DEADLINE)
        self.activity = Activity(self.database)
        self.trail = AuditTrail(self.database)
        self.app: dict[Any, Any] = {DIRECTORY: self.directory, CHANGE_LISTENER: self.listener}
        self.tasks: list[asyncio.Task[Any]] = []

    def _changed(self, extensions: frozenset[str]) -> None:
        for observe in self.observers:
            observe(extensions)

    async def start(self) -> None:
        await self._world.start("connector", self.database.__aenter__(), "database")
        parts = {
            "changes": self.listener.run(),
            "composer": self.composer.run(),
            "activity": self.activity.run(),
            "audit": self.trail.run(),
            "write access": watch_write_access(self.login),
        }
        self.tasks = [self._world.start("connector", work, name) for name, work in parts.items()]
        await self.listener.loaded.wait()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._world.start("connector", self._close(), "shutdown")

    async def _close(self) -> None:
        await self.activity.flush()
        await self.trail.flush()
        await self.database.__aexit__(None, None, None)
