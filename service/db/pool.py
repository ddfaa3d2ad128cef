"""The pool, with a deadline for everything."""

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


def again_on_fresh_statements(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Have a whole transaction run once more when a table was altered since its statements were prepared.

    The driver prepares anew by itself where there is no transaction. Within one the server has given all of it up.
    """

    @functools.wraps(work)
    async def again(*args: P.args, **values: P.kwargs) -> T:
        try:
            return await work(*args, **values)
        except StatementOutdated as error:
            log.info("statements_reprepared", error=str(error))
            return await work(*args, **values)

    return again


async def _as_it_is(_: asyncpg.Connection) -> None:
    """Nothing to undo when a connection goes back to the pool, so no question to the server for each use.

    Nobody here changes a session: no `set`, `listen` or advisory lock. asyncpg itself ends an open transaction.
    """


class Database:
    """A pool of connections as the service's role. An async context manager.

    `__aenter__` waits for the server, and for a `migrate` that is under way. Raises ConfigurationError, one line, when
    PostgreSQL stays away or the schema is not for this release, unless `any_schema` will do.
    """

    def __init__(
        self, login: DatabaseLogin, *, size: int, deadline: float, start_deadline: float, any_schema: bool = False
    ) -> None:
        self.login = login
        self._any_schema = any_schema
        self._size = size
        self.deadline = deadline
        """Seconds that one use of a connection may take."""
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

    async def __aenter__(self) -> Database:
        await wait_until_reachable(self.login, self._start_deadline)
        self._pool = asyncpg.create_pool(
            connect=self._connect,
            connection_class=Connection,
            min_size=0,  # a pool that starts empty cannot fail to start
            max_size=self._size,
            reset=_as_it_is,
        )
        with translated(lambda: True):
            await self._pool
        try:
            if not self._any_schema:
                await self._wait_until_it_fits()
        except BaseException:
            self._pool.terminate()
            raise
        return self

    async def _wait_until_it_fits(self) -> None:
        """Return once this release can use the schema. Waits for nobody but a `migrate` that is under way."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._start_deadline
        told = False
        while True:
            try:
                async with self.connection() as connection:
                    coming = await schema.migrating(connection) is not None  # before the look: it may end meanwhile
                    problem = await schema.problem(connection)
            except DatabaseUnavailable as error:
                coming, problem = True, str(error)
            if problem is None:
                return
            if not coming or loop.time() + 0.2 > end:
                raise ConfigurationError(problem)
            if not told:
                log.info("migration_awaited", error=problem, deadline_seconds=self._start_deadline)
                told = True
            await asyncio.sleep(0.2)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await self._pool.close()
        except TimeoutError:  # it waits for connections that are out, or for a frozen server
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def connection(self, within: float | None = None) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection, whose whole use must end within the deadline, or `within`. Raises DatabaseUnavailable.

        On a deadline the connection is thrown away: a frozen server would keep `release` waiting too.
        """
        assert self._pool is not None, "the database is used before it was opened"
        with translated():
            async with asyncio.timeout(within or self.deadline):
                with translated(lambda: True):
                    connection = await self._acquired(self._pool)
                try:
                    with translated(lambda: _lost(connection)):
                        async with self._judged(connection):
                            yield connection
                finally:
                    await self._pool.release(connection, timeout=self.deadline)

    async def _acquired(self, pool: asyncpg.Pool) -> asyncpg.pool.PoolConnectionProxy:
        """One that leads to the primary of now, and takes changes if the server does: others are thrown away."""
        while True:
            connection = await pool.acquire(timeout=self.deadline)
            behind_it = cast(Connection, connection)
            outdated = is_read_only(behind_it) and self.login.write_access.read_only_since is None
            if behind_it.host == self.login.host and not outdated:
                return connection
            connection.terminate()
            await pool.release(connection)

    @contextlib.asynccontextmanager
    async def _judged(self, connection: asyncpg.pool.PoolConnectionProxy) -> AsyncIterator[None]:
        """What happens to a connection is the last that it is used for, when nobody can go on with it."""
        try:
            yield
        except (TimeoutError, asyncio.CancelledError):
            _end(connection)
            raise
        except (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError):
            # The driver forgets what it prepared, in the whole pool, for its own calls; not where a cursor found out.
            await connection.reload_schema_state()  # asks the server nothing
            raise
        except asyncpg.ReadOnlySQLTransactionError:
            self.login.write_access.report(read_only=True)
            _end(connection)
            raise

    async def _connect(self, *_: Any, **options: Any) -> Connection:
        """What the pool calls for a new connection."""
        connection = await self.login.connect(
            **options, command_timeout=self.deadline, server_settings={"application_name": "asterisk-connector"}
        )
        await set_timestamp_codec(connection)
        return connection


def _end(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    with contextlib.suppress(asyncpg.InterfaceError):  # it has ended, and the pool has it back
        connection.terminate()


def _lost(connection: asyncpg.pool.PoolConnectionProxy) -> bool:
    """Whether it has ended: the pool takes such ones back by itself, and then they answer nothing at all."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True
