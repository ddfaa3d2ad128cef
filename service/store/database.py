"""The pool, with a deadline for everything, and the one place where the driver's errors are translated."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import asyncpg
import structlog

from service.errors import AlreadyExists, ConfigurationError, DatabaseUnavailable, Invalid, NotFound
from service.settings import Settings
from service.store import schema

log = structlog.get_logger(__name__)

CONNECT_DEADLINE = 5.0
"""Seconds that one attempt to connect may take."""

# The server's word that it is there, but not for us, not now: worth a retry.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the pool's word for a connection that died under it
    asyncpg.InternalClientError,  # the driver's, for one that has heard that the server ends but not yet its end
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,  # a deadlock, resolved against us
)
# The server's word that it will not serve us like this: an operator must act, `migrate` first of all.
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver raises as this service's errors."""
    try:
        yield
    except _REFUSED as error:
        raise DatabaseUnavailable(f"PostgreSQL refuses us: {error}") from error
    except _AWAY as error:
        raise DatabaseUnavailable(f"PostgreSQL is out of reach: {_told(error)}") from error
    except asyncpg.UniqueViolationError as error:
        raise AlreadyExists(_taken(error)) from error
    except asyncpg.ForeignKeyViolationError as error:
        raise NotFound(error.detail or str(error)) from error
    except (asyncpg.CheckViolationError, asyncpg.DataError, asyncpg.NotNullViolationError) as error:
        raise Invalid(error.args[0]) from None  # its detail holds the whole row, secrets included


def _taken(error: asyncpg.UniqueViolationError) -> str:
    """`Key (folded(name))=(ada) already exists.` is not for people."""
    found = re.fullmatch(r"Key \(.*\)=\((.*)\) already exists\.", error.detail or "", re.DOTALL)
    return f"{found[1]} is taken" if found else str(error)


async def _as_it_is(_: asyncpg.Connection) -> None:
    """Nothing to undo when a connection goes back to the pool, so no question to the server for each use.

    Nobody here changes a session: no `set`, `listen` or advisory lock. asyncpg itself ends an open transaction.
    """


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Login:
    """How to reach PostgreSQL: a URL without a password, and the password."""

    url: str
    password: str | None

    def __repr__(self) -> str:
        return f"Login({self.url})"

    async def connect(self, **options: Any) -> asyncpg.Connection:
        """A connection outside the pool. Raises DatabaseUnavailable."""
        with translated():
            return await asyncpg.connect(self.url, password=self.password, timeout=CONNECT_DEADLINE, **options)

    @classmethod
    def of_service(cls, settings: Settings) -> Login:
        return cls(settings.database_url, _plain(settings.database_password))

    @classmethod
    def of_owner(cls, settings: Settings) -> Login:
        if not settings.owner_database_url:
            raise ConfigurationError("CONNECTOR_OWNER_DATABASE_URL is not set: migrations run as the owner")
        return cls(settings.owner_database_url, _plain(settings.owner_database_password))


def _plain(secret: Any) -> str | None:
    return secret.get_secret_value() if secret is not None else None


class Database:
    """A pool of connections as the service's role. An async context manager.

    `__aenter__` waits for the server, and for a `migrate` that is under way. Raises ConfigurationError, one line, when
    PostgreSQL stays away or the schema is not for this release, unless `any_schema` will do.
    """

    def __init__(
        self, login: Login, *, size: int, deadline: float, start_deadline: float, any_schema: bool = False
    ) -> None:
        self.login = login
        self._any_schema = any_schema
        self._size = size
        self._deadline = deadline
        self._start_deadline = start_deadline
        self._pool: asyncpg.Pool | None = None

    @classmethod
    def of(cls, settings: Settings, *, size: int | None = None, any_schema: bool = False) -> Database:
        return cls(
            Login.of_service(settings),
            size=size or settings.database_pool,
            deadline=settings.database_deadline,
            start_deadline=settings.database_start_deadline,
            any_schema=any_schema,
        )

    async def __aenter__(self) -> Database:
        await wait_until_reachable(self.login, self._start_deadline)
        self._pool = asyncpg.create_pool(
            self.login.url,
            password=self.login.password,
            min_size=0,  # a pool that starts empty cannot fail to start
            max_size=self._size,
            timeout=CONNECT_DEADLINE,
            command_timeout=self._deadline,
            reset=_as_it_is,
            server_settings={"application_name": "asterisk-connector"},
        )
        with translated():
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
                log.info(
                    "waiting for a migration that is under way", why=problem, deadline_seconds=self._start_deadline
                )
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
    async def connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection, whose whole use must end within the deadline. Raises DatabaseUnavailable.

        On a deadline the connection is thrown away: a frozen server would keep `release` waiting too.
        """
        assert self._pool is not None, "the database is used before it was opened"
        with translated():
            async with asyncio.timeout(self._deadline):
                connection = await self._pool.acquire(timeout=self._deadline)
                try:
                    yield connection
                except (TimeoutError, asyncio.CancelledError):
                    connection.terminate()
                    raise
                finally:
                    await self._pool.release(connection, timeout=self._deadline)


async def wait_until_reachable(login: Login, deadline: float) -> None:
    """Wait until PostgreSQL lets us in. Raises ConfigurationError, one line, after `deadline` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    told = False
    while True:
        try:
            async with asyncio.timeout(max(0.1, end - loop.time())):
                connection = await login.connect()
                await connection.close(timeout=1)
            if told:
                log.info("postgresql is back")
            return
        except (DatabaseUnavailable, TimeoutError) as error:
            if loop.time() + 0.5 >= end:
                raise ConfigurationError(f"no PostgreSQL within {deadline:g} s: {_told(error)}") from error
            if not told:
                log.warning("waiting for postgresql", error=_told(error), deadline_seconds=deadline)
                told = True
        await asyncio.sleep(0.5)
