"""`migrate`: brings schema, roles and privileges up to date. Safe to repeat, to run concurrently and under traffic.

It uses three connections. The first holds the advisory lock throughout, in its own transaction. The second does the
work: each migration and its record in `schema_migrations` in one transaction, then the roles. The third observes who
blocks the second. After an interruption each step is either complete or undone, and the next run continues from there.
docs/decisions/0013 says why this is not Alembic.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import structlog

from service.db import roles, schema
from service.db.connection import DatabaseLogin, wait_until_reachable
from service.db.errors import translated
from service.db.migration_locks import LockWatcher
from service.db.migration_runner import READ_COMMITTED, Migrator
from service.errors import ConfigurationError, LocksHeld
from service.settings import Settings

log = structlog.get_logger(__name__)

APPLICATION = "asterisk-connector migrate"
QUERY_DEADLINE = 10.0
"""Seconds per statement that is not part of a migration."""


async def migrate(settings: Settings) -> None:
    """Bring schema, roles and grants up to date.

    Raises ConfigurationError for unusable settings or an unreachable PostgreSQL, DatabaseUnavailable if the connection
    is lost, LocksHeld if another session holds a required lock for too long, Refused if a migration fails.
    """
    owner = DatabaseLogin.of_owner(settings)
    roles.validate(settings)
    await wait_until_reachable(owner, settings.database_start_deadline)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(translated(lambda: True))
        lock_connection = await stack.enter_async_context(_connect(owner))
        await _refuse_other_encodings(lock_connection)
        await stack.enter_async_context(_advisory_lock(lock_connection, settings.migrate_deadline))
        work_connection = await stack.enter_async_context(_connect(owner))
        observer = await stack.enter_async_context(_connect(owner))
        await Migrator(work_connection, LockWatcher(observer, work_connection), settings).run()
    log.info("migrate_finished", call_servers=sorted(settings.call_servers))


@contextlib.asynccontextmanager
async def _connect(login: DatabaseLogin) -> AsyncIterator[asyncpg.Connection]:
    connection = await login.connect(command_timeout=QUERY_DEADLINE, server_settings={"application_name": APPLICATION})
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
async def _advisory_lock(connection: asyncpg.Connection, deadline: float) -> AsyncIterator[None]:
    """Hold the advisory lock in a transaction, so that a pooler in transaction mode cannot lose it.

    Each attempt is a separate transaction. The successful one drops its snapshot, as `create index concurrently` would
    wait for it.
    """
    end = asyncio.get_running_loop().time() + deadline
    logged = False
    while True:
        async with connection.transaction(isolation=READ_COMMITTED):
            await connection.execute("set local idle_in_transaction_session_timeout = 0")
            if await connection.fetchval("select pg_try_advisory_xact_lock($1)", schema.LOCK):
                await connection.execute("select 1")  # by the simple protocol, which closes the portal and its snapshot
                yield
                return
            other = await schema.find_migrate_process(connection)
        if not logged:
            log.info("migrate_already_running", pid=other)
            logged = True
        if asyncio.get_running_loop().time() > end:
            raise LocksHeld(f"another migrate (process {other}) is still under way after {deadline:g} s")
        await asyncio.sleep(0.2)
