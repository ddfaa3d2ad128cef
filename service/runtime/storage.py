"""PostgreSQL as the application is composed with it: two pools, a shared key, and what follows changes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from service.db.change_listener import ChangeListener
from service.db.directory_loader import DirectoryLoader
from service.db.pool import Database
from service.db.shared_keys import tag_key
from service.domain.directory import Directory
from service.settings import Settings


class Storage:
    """What `run_app` needs of PostgreSQL. The simulated world has one without a server."""

    def __init__(self, database: Database, import_database: Database, key: bytes) -> None:
        self.database = database
        self.import_database = import_database
        """Of imports alone: one keeps its connection while it reads an Asterisk, which may be frozen."""
        self.tag_key = key

    def listener(
        self,
        directory: Directory,
        changed: Sequence[Callable[[frozenset[str]], None]],
        owners_read: Callable[[Mapping[str, str]], None],
    ) -> ChangeListener:
        """Create what fills the directory and follows changes."""
        loader = DirectoryLoader(self.database, directory, changed, owners_read)
        return ChangeListener(self.database.login, loader)


@contextlib.asynccontextmanager
async def postgresql(settings: Settings) -> AsyncIterator[Storage]:
    """Open PostgreSQL. Raises ConfigurationError if it stays unreachable."""
    async with Database.of(settings) as database, database.beside(len(settings.call_servers)) as imports:
        yield Storage(database, imports, await tag_key(database))
