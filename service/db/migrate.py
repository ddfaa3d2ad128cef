"""`migrate`: the schema, the roles and what each may do. Safe to run again, by several at once, and under traffic.

One connection holds the advisory lock, in a transaction of its own, for as long as all takes; a second one does the
work: each migration in a transaction, noted in `schema_migrations` by the same one, then the roles; a third one looks
at who blocks it. What is interrupted is undone or done; running it again goes on from there. docs/decisions/0013 says
why it is not Alembic.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Literal

import asyncpg
import structlog

from service.db import roles, schema
from service.db.connection import DatabaseLogin, wait_until_reachable
from service.db.errors import translated
from service.db.migration_locks import LockBudget, Watcher
from service.db.migrations import Migration, all_migrations
from service.errors import ConfigurationError, LocksHeld, Refused
from service.settings import Settings

log = structlog.get_logger(__name__)

FIRST = "0001"
"""The revision that the first release had, under Alembic."""
APPLICATION = "asterisk-connector migrate"
READ_COMMITTED: Literal["read_committed"] = "read_committed"
"""Whatever the database's default is: each look must see what is there now."""
WORD_DEADLINE = 10.0
"""Seconds that PostgreSQL may take for what is no work."""
WORK_DEADLINE = 86400.0
"""Seconds that one statement of a migration may take, while PostgreSQL answers at all."""

_GONE = ("08", "53", "57")
"""Classes of SQLSTATE that say nothing about the migration: the connection, resources, an operator."""


async def migrate(settings: Settings) -> None:
    """Bring schema, roles and grants up to date.

    Raises ConfigurationError when the settings cannot work or PostgreSQL stays away, DatabaseUnavailable when it goes
    away, LocksHeld when somebody holds for too long what a migration needs, Refused when a migration fails.
    """
    owner = DatabaseLogin.of_owner(settings)
    roles.validate(settings)
    await wait_until_reachable(owner, settings.database_start_deadline)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(translated(lambda: True))
        guard = await stack.enter_async_context(_connection(owner))
        await _refuse_other_encodings(guard)
        await stack.enter_async_context(_locked(guard, settings.migrate_deadline))
        work = await stack.enter_async_context(_connection(owner))
        eye = await stack.enter_async_context(_connection(owner))
        await Migrator(work, Watcher(eye, work), settings).run()
    log.info("migrate_finished", call_servers=sorted(settings.call_servers))


@contextlib.asynccontextmanager
async def _connection(login: DatabaseLogin) -> AsyncIterator[asyncpg.Connection]:
    connection = await login.connect(command_timeout=WORD_DEADLINE, server_settings={"application_name": APPLICATION})
    try:
        yield connection
    finally:
        connection.terminate()


async def _refuse_other_encodings(connection: asyncpg.Connection) -> None:
    encoding = await connection.fetchval("show server_encoding")
    if encoding != schema.ENCODING:
        raise ConfigurationError(
            f"the database's encoding is {encoding}, and must be {schema.ENCODING}: {schema.RECODE}"
        )


@contextlib.asynccontextmanager
async def _locked(guard: asyncpg.Connection, deadline: float) -> AsyncIterator[None]:
    """Hold the advisory lock in a transaction: a pooler in transaction mode cannot lose it like this.

    Each try is a transaction of its own, and the one that succeeds forgets what it saw: `create index concurrently`
    would wait for its end.
    """
    end = asyncio.get_running_loop().time() + deadline
    told = False
    while True:
        async with guard.transaction(isolation=READ_COMMITTED):
            await guard.execute("set local idle_in_transaction_session_timeout = 0")
            if await guard.fetchval("select pg_try_advisory_xact_lock($1)", schema.LOCK):
                await guard.execute("select 1")  # by the simple protocol, which closes the portal and its snapshot
                yield
                return
            other = await schema.migrating(guard)
        if not told:
            log.info("migrate_already_running", pid=other)
            told = True
        if asyncio.get_running_loop().time() > end:
            raise LocksHeld(f"another migrate (process {other}) is still under way after {deadline:g} s")
        await asyncio.sleep(0.2)


class Migrator:
    """One run, under the advisory lock."""

    def __init__(self, work: asyncpg.Connection, watcher: Watcher, settings: Settings) -> None:
        self._work = work
        self._watcher = watcher
        self._settings = settings

    async def run(self) -> None:
        found = await self._prepared()
        if (why := found.too_new(schema.known_revisions())) is not None:
            raise ConfigurationError(why)
        for migration in all_migrations():
            if migration.revision in found.revisions:
                continue
            apply = self._apply if migration.in_transaction else self._apply_apart
            with _named(migration):
                await self._until_no_lock_is_missed(migration.name, partial(apply, migration))
            log.info("migration_applied", revision=migration.revision, name=migration.name)
        opened = await roles.opened(DatabaseLogin.of_owner(self._settings), self._settings, self._work)
        await self._until_no_lock_is_missed("roles and grants", partial(self._ensure_roles, opened))

    async def _prepared(self) -> schema.Schema:
        """What is there. Makes the table that notes them, and takes the first release's note over."""
        if not await self._work.fetchval("select to_regclass('schema_migrations') is not null"):
            await self._until_no_lock_is_missed("schema_migrations", self._make_table)
        return await schema.read(self._work)

    async def _make_table(self) -> None:
        async with self._work.transaction(isolation=READ_COMMITTED):
            earlier = await schema.read(self._work)
            await self._work.execute(
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
                    await self._note(migration)

    async def _apply(self, migration: Migration) -> None:
        """All statements and the note in one transaction, whose waits for locks are bounded together."""
        async with self._work.transaction(isolation=READ_COMMITTED):
            await self._watcher.follow()
            await self._work.execute("set local statement_timeout = 0")
            budget = LockBudget(self._settings.database_deadline)
            for statement in migration.statements:
                await self._work.execute(f"set local lock_timeout = {budget.milliseconds()}")
                await self._watcher.run(self._work.execute(statement, timeout=WORK_DEADLINE))
                if not budget.holding and await self._watcher.holds_what_others_wait_for():
                    budget.hold()
            await self._note(migration)

    async def _apply_apart(self, migration: Migration) -> None:
        """Statement by statement. They take no lock that a request waits for, so they may wait for theirs."""
        await self._watcher.follow()
        milliseconds = max(1, int(self._settings.migrate_deadline * 1000))
        await self._work.execute(f"set lock_timeout = {milliseconds}; set statement_timeout = 0")
        try:
            for statement in migration.statements:
                await self._watcher.run(self._work.execute(statement, timeout=WORK_DEADLINE))
            await self._note(migration)
        finally:
            if not self._work.is_closed():
                await self._work.execute("reset lock_timeout; reset statement_timeout")

    async def _note(self, migration: Migration) -> None:
        await self._work.execute(
            "insert into schema_migrations (revision, name, oldest) values ($1, $2, $3)",
            migration.revision,
            migration.name,
            migration.oldest,
        )
        if migration.revision == FIRST:  # the first release's own `migrate` looks here, also after a step back
            await self._work.execute("create table if not exists alembic_version (version_num varchar(32) primary key)")
            await self._work.execute("insert into alembic_version values ($1) on conflict do nothing", FIRST)

    async def _ensure_roles(self, opened: frozenset[str]) -> None:
        async with self._work.transaction(isolation=READ_COMMITTED):
            budget = LockBudget(self._settings.database_deadline)
            await self._work.execute(f"set local lock_timeout = {budget.milliseconds()}")
            await roles.ensure(self._work, self._settings, opened)

    async def _until_no_lock_is_missed(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try again after pauses in which those who waited behind us come through. Raises LocksHeld in the end."""
        end = asyncio.get_running_loop().time() + self._settings.migrate_deadline
        told = False
        self._watcher.holders = ""
        while True:
            try:
                await attempt()
                return
            except asyncpg.PostgresError as error:
                if not _passes(error):
                    raise
                pause = random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                holders = self._watcher.holders or str(error)
                if asyncio.get_running_loop().time() + pause > end:
                    raise LocksHeld(
                        f"{what}: no lock within {self._settings.migrate_deadline:g} s; {holders}. "
                        "Wait until they are done, or end them, and run migrate again"
                    ) from error
                level = logging.DEBUG if told else logging.WARNING
                log.log(level, "migration_lock_timeout", step=what, holders=holders)
                told = True
            await asyncio.sleep(pause)


@contextlib.contextmanager
def _named(migration: Migration) -> Iterator[None]:
    """What PostgreSQL has against a migration, with its name, without a row's content."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] in _GONE:
            raise
        undone = " and is undone" if migration.in_transaction else ""
        raise Refused(f"migration {migration.name} failed{undone}: {error.args[0]}") from error


def _passes(error: asyncpg.PostgresError) -> bool:
    """Whether somebody else was in the way: a lock, or a change of the same row in a catalogue."""
    held = isinstance(error, asyncpg.LockNotAvailableError | asyncpg.TransactionRollbackError)
    return held or (isinstance(error, asyncpg.InternalServerError) and "concurrently" in str(error))
