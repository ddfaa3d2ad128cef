"""Connecting to PostgreSQL: role, password, and the hosts, one of which is the primary."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import asyncpg
import structlog

from service.db.errors import raises_unavailable, translated
from service.db.session_keys import PARAMETER, REFUSED, KeysRefused, require_keys
from service.db.write_access import WriteAccess
from service.domain.secret_keys import MasterKey, service_setting
from service.errors import ConfigurationError, DatabaseUnavailable
from service.settings import Settings
from service.settings.database_url import Host, hosts, target

log = structlog.get_logger(__name__)

CONNECT_DEADLINE = 5.0
"""Seconds per connection attempt."""
WRITABLE_CHECK_INTERVAL, READ_ONLY_CHECK_INTERVAL = 15.0, 2.0
"""Seconds between checks of write access, while PostgreSQL is writable and while it is read-only."""
HOST_DEADLINE = 1.5
"""Seconds per host if there are several. Short, so that a frozen host does not delay the next."""


class Connection(asyncpg.Connection):
    """A connection that knows its host."""

    __slots__ = ("host",)

    host: Host | None


class DatabaseLogin:
    """A URL and its password, kept apart. Remembers which host is the primary and whether it is writable."""

    def __init__(self, url: str, password: str | None, secret_keys: Iterable[MasterKey] = ()) -> None:
        self.url = url
        self.secret_keys = tuple(secret_keys)
        self.write_access = WriteAccess()
        self.host: Host | None = None
        """The host of the newest connection."""
        self._password = password
        self._hosts: list[Host | None] = [*hosts(url)] or [None]
        self._target = target(url)

    def __repr__(self) -> str:
        return f"Login({self.url})"

    @classmethod
    def of_service(cls, settings: Settings) -> DatabaseLogin:
        return cls(settings.database_url, _plain_text(settings.database_password), settings.secret_keys)

    @classmethod
    def of_owner(cls, settings: Settings) -> DatabaseLogin:
        if not settings.owner_database_url:
            raise ConfigurationError("CONNECTOR_OWNER_DATABASE_URL is not set: migrations run as the owner")
        return cls(settings.owner_database_url, _plain_text(settings.owner_database_password), settings.secret_keys)

    async def connect(self, **options: Any) -> Connection:
        """Connect to the primary. Raises DatabaseUnavailable, ConfigurationError.

        Tries the last known primary first, then the other hosts, each with its own deadline.
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
        main_cause = next((cause for cause in causes if isinstance(cause, asyncpg.PostgresError)), causes[-1])
        raise DatabaseUnavailable("; ".join(f"{host}: {error}" for host, error in failures.items())) from main_cause

    async def _connect(self, host: Host | None, deadline: float, options: dict[str, Any]) -> Connection:
        address = {} if host is None else {"host": host.name, "port": host.port}
        fixed: dict[str, Any] = {"password": self._password, "timeout": deadline, "target_session_attrs": self._target}
        if self.secret_keys:  # in the startup packet, which no statement log shows
            named = options.get("server_settings", {})
            fixed["server_settings"] = {**named, PARAMETER: service_setting(self.secret_keys)}
        with translated(lambda: True):
            try:
                connection: Connection = await asyncpg.connect(
                    self.url, **{**options, **address, **fixed, "connection_class": Connection}
                )
            except asyncpg.PostgresError as error:
                if PARAMETER in str(error.args[0]):
                    raise KeysRefused(REFUSED) from None
                raise
        if host != self.host and self.host is not None:
            log.warning("database_primary_changed", host=str(host))
        connection.host = self.host = host
        self.write_access.report(read_only=is_read_only(connection))
        return connection


def is_read_only(connection: asyncpg.Connection) -> bool:
    """Return whether the session's transactions are read-only. The server reports this setting without a query."""
    return getattr(connection.get_settings(), "default_transaction_read_only", "off") == "on"


async def watch_write_access(login: DatabaseLogin) -> None:
    """Check write access until cancelled, each time with a new session: open sessions keep their initial setting."""
    while True:
        writable = login.write_access.read_only_since is None
        await asyncio.sleep(WRITABLE_CHECK_INTERVAL if writable else READ_ONLY_CHECK_INTERVAL)
        with contextlib.suppress(DatabaseUnavailable), raises_unavailable():
            connection = await login.connect(server_settings={"application_name": "asterisk-connector write access"})
            await connection.close(timeout=1)


async def wait_until_reachable(login: DatabaseLogin, deadline: float) -> None:
    """Wait until PostgreSQL accepts the login. Raises ConfigurationError, one line, after `deadline` seconds.

    Raises it at once if a pooler refuses or drops the keys of SIP passwords.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    logged = False
    while True:
        try:
            async with asyncio.timeout(max(0.1, end - loop.time())):
                connection = await login.connect()
                if login.secret_keys:
                    with translated(lambda: True):
                        await require_keys(connection)
                await connection.close(timeout=1)
            if logged:
                log.info("database_available")
            return
        except KeysRefused as error:
            raise ConfigurationError(str(error)) from None
        except (DatabaseUnavailable, TimeoutError) as error:
            cause = str(error) or "it does not answer"
            if loop.time() + 0.5 >= end:
                raise ConfigurationError(f"no PostgreSQL within {deadline:g} s: {cause}") from error
            if not logged:
                log.warning("database_unavailable", error=cause, deadline_seconds=deadline)
                logged = True
        await asyncio.sleep(0.5)


def _plain_text(secret: Any) -> str | None:
    return secret.get_secret_value() if secret is not None else None
