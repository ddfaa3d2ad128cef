"""Applies migrations one by one, records them, and retries while other sessions hold the locks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Literal

import asyncpg
import structlog

from service.db import roles, schema
from service.db.connection import DatabaseLogin
from service.db.migration_locks import LockBudget, LockWatcher
from service.db.migrations import Migration, all_migrations
from service.errors import ConfigurationError, LocksHeld, Refused
from service.settings import Settings

log = structlog.get_logger(__name__)

FIRST = "0001"
"""The first release's revision, which Alembic recorded."""
READ_COMMITTED: Literal["read_committed"] = "read_committed"
"""Overrides the database's default: each statement must see the current state."""
STATEMENT_DEADLINE = 86400.0
"""Seconds per statement of a migration, while PostgreSQL answers at all."""

_NOT_THE_MIGRATION = ("08", "53", "57")
"""SQLSTATE classes that the migration did not cause: connection, resources, operator intervention."""


class Migrator:
    """One run, under the advisory lock."""

    def __init__(self, connection: asyncpg.Connection, watcher: LockWatcher, settings: Settings) -> None:
        self._connection = connection
        self._watcher = watcher
        self._settings = settings

    async def run(self) -> None:
        current = await self._read_schema()
        if (problem := current.find_incompatibility(schema.known_revisions())) is not None:
            raise ConfigurationError(problem)
        for migration in all_migrations():
            if migration.revision in current.revisions:
                continue
            apply = self._apply if migration.in_transaction else self._apply_without_transaction
            with _failure_named(migration):
                await self._retry_on_lock(migration.name, partial(apply, migration))
            log.info("migration_applied", revision=migration.revision, name=migration.name)
        owner = DatabaseLogin.of_owner(self._settings)
        unchanged = await roles.roles_with_current_password(owner, self._settings, self._connection)
        await self._retry_on_lock("roles and grants", partial(self._ensure_roles, unchanged))

    async def _read_schema(self) -> schema.Schema:
        """Read the schema's revisions. Creates `schema_migrations` first if it is missing."""
        if not await self._connection.fetchval("select to_regclass('schema_migrations') is not null"):
            await self._retry_on_lock("schema_migrations", self._create_migrations_table)
        return await schema.read(self._connection)

    async def _create_migrations_table(self) -> None:
        """Create the table, with the first release's record if there is one."""
        async with self._connection.transaction(isolation=READ_COMMITTED):
            earlier = await schema.read(self._connection)
            await self._connection.execute(
                """
                create table schema_migrations (
                    revision   text primary key,
                    name       text not null,
                    oldest     text,
                    applied_at timestamptz not null default now()
                )
                """
            )
            for migration in all_migrations():
                if migration.revision in earlier.revisions:
                    await self._record(migration)

    async def _apply(self, migration: Migration) -> None:
        """Run a migration and record it, in one transaction with one budget for lock waits."""
        async with self._connection.transaction(isolation=READ_COMMITTED):
            await self._watcher.update_pid()
            await self._connection.execute("set local statement_timeout = 0")
            budget = LockBudget(self._settings.database_deadline)
            for statement in migration.statements:
                await self._connection.execute(f"set local lock_timeout = {budget.milliseconds()}")
                await self._watcher.run(self._connection.execute(statement, timeout=STATEMENT_DEADLINE))
                if not budget.holding and await self._watcher.holds_strong_lock():
                    budget.hold()
            await self._record(migration)

    async def _apply_without_transaction(self, migration: Migration) -> None:
        """Run a migration statement by statement. No request waits for its locks, so its own lock waits may be long."""
        await self._watcher.update_pid()
        milliseconds = max(1, int(self._settings.migrate_deadline * 1000))
        await self._connection.execute(f"set lock_timeout = {milliseconds}; set statement_timeout = 0")
        try:
            for statement in migration.statements:
                await self._watcher.run(self._connection.execute(statement, timeout=STATEMENT_DEADLINE))
            await self._record(migration)
        finally:
            if not self._connection.is_closed():
                await self._connection.execute("reset lock_timeout; reset statement_timeout")

    async def _record(self, migration: Migration) -> None:
        await self._connection.execute(
            "insert into schema_migrations (revision, name, oldest) values ($1, $2, $3)",
            migration.revision,
            migration.name,
            migration.oldest,
        )
        if migration.revision == FIRST:  # the first release's `migrate` reads this, also after a downgrade
            await self._connection.execute(
                "create table if not exists alembic_version (version_num varchar(32) primary key)"
            )
            await self._connection.execute("insert into alembic_version values ($1) on conflict do nothing", FIRST)

    async def _ensure_roles(self, unchanged: frozenset[str]) -> None:
        async with self._connection.transaction(isolation=READ_COMMITTED):
            budget = LockBudget(self._settings.database_deadline)
            await self._connection.execute(f"set local lock_timeout = {budget.milliseconds()}")
            await roles.ensure(self._connection, self._settings, unchanged)

    async def _retry_on_lock(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Retry while a lock is held. Sessions queued behind the attempt proceed in the pauses. Raises LocksHeld."""
        end = asyncio.get_running_loop().time() + self._settings.migrate_deadline
        logged = False
        self._watcher.holders = ""
        while True:
            try:
                await attempt()
                return
            except asyncpg.PostgresError as error:
                if not _is_lock_conflict(error):
                    raise
                pause = random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                holders = self._watcher.holders or str(error)
                if asyncio.get_running_loop().time() + pause > end:
                    raise LocksHeld(
                        f"{what}: no lock within {self._settings.migrate_deadline:g} s; {holders}. "
                        "Wait until they are done, or end them, and run migrate again"
                    ) from error
                level = logging.DEBUG if logged else logging.WARNING
                log.log(level, "migration_lock_timeout", step=what, holders=holders)
                logged = True
            await asyncio.sleep(pause)


@contextlib.contextmanager
def _failure_named(migration: Migration) -> Iterator[None]:
    """Raise Refused for a failed migration, with its name and without the content of a row."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] in _NOT_THE_MIGRATION:
            raise
        undone = " and is undone" if migration.in_transaction else ""
        raise Refused(f"migration {migration.name} failed{undone}: {error.args[0]}") from error


def _is_lock_conflict(error: asyncpg.PostgresError) -> bool:
    """Return whether another session caused the error: by a lock, or by changing the same row of a catalogue."""
    lock_held = isinstance(error, asyncpg.LockNotAvailableError | asyncpg.TransactionRollbackError)
    return lock_held or (isinstance(error, asyncpg.InternalServerError) and "concurrently" in str(error))
