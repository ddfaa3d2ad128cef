"""How PostgreSQL is reached: the role, its password, and the hosts, of which one is the primary now."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog

from service.db.errors import not_now, translated
from service.db.write_access import WriteAccess
from service.errors import ConfigurationError, DatabaseUnavailable
from service.settings import Settings
from service.settings.database_url import Host, hosts, target

log = structlog.get_logger(__name__)

CONNECT_DEADLINE = 5.0
"""Seconds that one attempt to connect may take."""
LOOK_EVERY, LOOK_AGAIN_EVERY = 15.0, 2.0
"""Seconds between two looks at whether changes are taken: while they are, and while they are not."""
HOST_DEADLINE = 1.5
"""Seconds that each host has where there are several: one that is frozen must not keep us from the next."""


class Connection(asyncpg.Connection):
    """A connection that knows where it leads."""

    __slots__ = ("host",)

    host: Host | None


class DatabaseLogin:
    """A URL without a password, and the password. It remembers which host is the primary, and what that lets us do."""

    def __init__(self, url: str, password: str | None) -> None:
        self.url = url
        self.write_access = WriteAccess()
        self.host: Host | None = None
        """Where the newest connection leads."""
        self._password = password
        self._hosts: list[Host | None] = [*hosts(url)] or [None]
        self._target = target(url)

    def __repr__(self) -> str:
        return f"Login({self.url})"

    @classmethod
    def of_service(cls, settings: Settings) -> DatabaseLogin:
        return cls(settings.database_url, _plain(settings.database_password))

    @classmethod
    def of_owner(cls, settings: Settings) -> DatabaseLogin:
        if not settings.owner_database_url:
            raise ConfigurationError("CONNECTOR_OWNER_DATABASE_URL is not set: migrations run as the owner")
        return cls(settings.owner_database_url, _plain(settings.owner_database_password))

    async def connect(self, **options: Any) -> Connection:
        """A connection to the primary. Raises DatabaseUnavailable, ConfigurationError.

        The host that was the primary last is tried first, then the others, each with a deadline of its own.
        """
        if len(self._hosts) == 1:
            return await self._connect(self._hosts[0], CONNECT_DEADLINE, options)
        failures: dict[Host | None, DatabaseUnavailable] = {}
        for host in tuple(self._hosts):
            try:
                connection = await self._connect(host, HOST_DEADLINE, options)
            except DatabaseUnavailable as error:
                failures[host] = error
                continue
            self._hosts.sort(key=lambda other: other != host)
            return connection
        causes = [error.__cause__ for error in failures.values()]
        foremost = next((cause for cause in causes if isinstance(cause, asyncpg.PostgresError)), causes[-1])
        raise DatabaseUnavailable("; ".join(f"{host}: {error}" for host, error in failures.items())) from foremost

    async def _connect(self, host: Host | None, deadline: float, options: dict[str, Any]) -> Connection:
        where = {} if host is None else {"host": host.name, "port": host.port}
        given = {"password": self._password, "timeout": deadline, "target_session_attrs": self._target}
        with translated(lambda: True):
            connection: Connection = await asyncpg.connect(
                self.url, **{**options, **where, **given, "connection_class": Connection}
            )
        if host != self.host and self.host is not None:
            log.warning("database_primary_changed", host=str(host))
        connection.host = self.host = host
        self.write_access.report(read_only=is_read_only(connection))
        return connection


def is_read_only(connection: asyncpg.Connection) -> bool:
    """Whether this session's transactions take no changes, as the server reports without being asked."""
    return getattr(connection.get_settings(), "default_transaction_read_only", "off") == "on"


async def watch_write_access(login: DatabaseLogin) -> None:
    """Look now and then, until cancelled, with a session of its own: those that are open keep what they began with."""
    while True:
        await asyncio.sleep(LOOK_EVERY if login.write_access.read_only_since is None else LOOK_AGAIN_EVERY)
        with contextlib.suppress(DatabaseUnavailable), not_now():
            connection = await login.connect(server_settings={"application_name": "asterisk-connector write access"})
            await connection.close(timeout=1)


async def wait_until_reachable(login: DatabaseLogin, deadline: float) -> None:
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
                log.info("database_available")
            return
        except (DatabaseUnavailable, TimeoutError) as error:
            why = str(error) or "it does not answer"
            if loop.time() + 0.5 >= end:
                raise ConfigurationError(f"no PostgreSQL within {deadline:g} s: {why}") from error
            if not told:
                log.warning("database_unavailable", error=why, deadline_seconds=deadline)
                told = True
        await asyncio.sleep(0.5)


def _plain(secret: Any) -> str | None:
    return secret.get_secret_value() if secret is not None else None
