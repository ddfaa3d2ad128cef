"""The connection pool, with a deadline for every operation."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

import asyncpg
import structlog

from service.db import schema
from service.db.connection import CONNECT_DEADLINE, Connection, DatabaseLogin, is_read_only, wait_until_reachable
from service.db.errors import translated
from service.db.timestamps import set_timestamp_codec
from service.errors import ConfigurationError, DatabaseUnavailable, StatementOutdated
from service.settings import Settings

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def retry_outdated_statements(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run a transaction once more if a table was altered after its statements were prepared.

    Outside a transaction the driver prepares them again itself. Within one the server has aborted the transaction.
    """

    @functools.wraps(work)
    async def retry(*args: P.args, **values: P.kwargs) -> T:
        try:
            return await work(*args, **values)
        except StatementOutdated as error:
            log.info("statements_reprepared", error=str(error))
            return await work(*args, **values)

    return retry


async def _keep_session(_: asyncpg.Connection) -> None:
    """Reset nothing when a connection returns to the pool, which saves a round trip per use.

    No code changes the session of a pooled connection (`set`, `listen`, advisory locks). asyncpg ends open
    transactions.
    """


class Database:
    """A connection pool for the service's role. An async context manager.

    `__aenter__` waits for the server, and for a running `migrate`. It raises ConfigurationError, one line, when
    PostgreSQL stays unreachable, or when the schema does not fit this release unless `any_schema` is set.
    """

    def __init__(
        self, login: DatabaseLogin, *, size: int, deadline: float, start_deadline: float, any_schema: bool = False
    ) -> None:
        self.login = login
        self._any_schema = any_schema
        self._size = size
        self.deadline = deadline
        """Seconds that one use of a connection may take, acquiring it included."""
        self._start_deadline = start_deadline
        self._pool: asyncpg.Pool | None = None

    @classmethod
    def of(cls, settings: Settings, *, size: int | None = None, any_schema: bool = False) -> Database:
        return cls(
            DatabaseLogin.of_service(settings),
            size=size or settings.database_pool,
            deadline=settings.database_deadline,
            start_deadline=settings.database_start_deadline,
            any_schema=any_schema,
        )

    def beside(self, size: int) -> Database:
        """Create a pool of at least one connection for work that takes long. The connections of requests stay free."""
        return Database(
            self.login, size=max(size, 1), deadline=self.deadline, start_deadline=self._start_deadline, any_schema=True
        )

    async def __aenter__(self) -> Database:
        await wait_until_reachable(self.login, self._start_deadline)
        self._pool = asyncpg.create_pool(
            connect=self._connect,
            connection_class=Connection,
            min_size=0,  # a pool that starts empty cannot fail to start
            max_size=self._size,
            reset=_keep_session,
        )
        with translated(lambda: True):
            await self._pool
        try:
            if not self._any_schema:
                await self._wait_for_schema()
        except BaseException:
            self._pool.terminate()
            raise
        return self

    async def _wait_for_schema(self) -> None:
        """Return once this release can use the schema. Waits only while `migrate` runs."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._start_deadline
        logged = False
        while True:
            try:
                async with self.connection() as connection:
                    # Before the schema is read, as `migrate` may end in between.
                    migrating = await schema.find_migrate_process(connection) is not None
                    problem = await schema.find_problem(connection)
            except DatabaseUnavailable as error:
                migrating, problem = True, str(error)
            if problem is None:
                return
            if not migrating or loop.time() + 0.2 > end:
                raise ConfigurationError(problem)
            if not logged:
                log.info("migration_awaited", error=problem, deadline_seconds=self._start_deadline)
                logged = True
            await asyncio.sleep(0.2)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await self._pool.close()
        except TimeoutError:  # connections are in use, or the server is frozen
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def connection(self, within: float | None = None) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection. Its whole use must end `within` seconds (default: `deadline`). Raises DatabaseUnavailable.

        After a timeout the connection is discarded: with a frozen server `release` would wait too.
        """
        assert self._pool is not None, "the database is used before it was opened"
        with translated():
            async with asyncio.timeout(within or self.deadline):
                with translated(lambda: True):
                    connection = await self._acquire(self._pool)
                try:
                    with translated(lambda: _is_lost(connection)):
                        async with self._discard_on_error(connection):
                            yield connection
                finally:
                    await self._pool.release(connection, timeout=self.deadline)

    async def _acquire(self, pool: asyncpg.Pool) -> asyncpg.pool.PoolConnectionProxy:
        """Acquire a connection to the current primary, writable if the server is. Others are discarded."""
        while True:
            connection = await pool.acquire(timeout=self.deadline)
            session = cast(Connection, connection)
            outdated = is_read_only(session) and self.login.write_access.read_only_since is None
            if session.host == self.login.host and not outdated:
                return connection
            connection.terminate()
            await pool.release(connection)

    @contextlib.asynccontextmanager
    async def _discard_on_error(self, connection: asyncpg.pool.PoolConnectionProxy) -> AsyncIterator[None]:
        """Discard the connection after an error that makes it unusable."""
        try:
            yield
        except (TimeoutError, asyncio.CancelledError):
            _terminate(connection)
            raise
        except (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError):
            # The driver clears the pool's prepared statements itself, unless a cursor raised this.
            await connection.reload_schema_state()  # sends nothing to the server
            raise
        except asyncpg.ReadOnlySQLTransactionError:
            self.login.write_access.report(read_only=True)
            _terminate(connection)
            raise

    async def _connect(self, *_: Any, **options: Any) -> Connection:
        """Open a connection for the pool."""
        connection = await self.login.connect(
            **options, command_timeout=self.deadline, server_settings={"application_name": "asterisk-connector"}
        )
        await set_timestamp_codec(connection)
        return connection


def _terminate(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    with contextlib.suppress(asyncpg.InterfaceError):  # it is closed, and the pool has taken it back
        connection.terminate()


def _is_lost(connection: asyncpg.pool.PoolConnectionProxy) -> bool:
    """Return whether the connection is closed. The pool takes closed ones back, after which every call raises."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True
