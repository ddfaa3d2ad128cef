"""Creates the owner's role and its database in a new PostgreSQL, as a superuser over the local socket. Safe to repeat.

`migrate` makes everything else as that owner. PostgreSQL knows the superuser by the user of the operating system (peer
authentication), so no password is needed. Passwords are sent only as SCRAM verifiers.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import asyncpg

from service.db import schema
from service.db.connection import CONNECT_DEADLINE, DatabaseLogin
from service.db.errors import translated
from service.db.roles import scram_verifier
from service.errors import ConfigurationError, DatabaseUnavailable, Refused
from service.settings import Settings
from service.settings.database_url import DEFAULT_PORT, hosts

LOCAL = ("localhost", "127.0.0.1", "::1")
STATEMENT_DEADLINE = 30.0
"""Seconds per statement: `create database` copies files."""
OLDEST_VERSION = 150_000


@dataclass(frozen=True)
class OwnedDatabase:
    """The database to create, its owner, and where PostgreSQL is on this machine."""

    url: str
    owner: str
    name: str
    port: int
    socket_folder: str | None

    @classmethod
    def of(cls, settings: Settings) -> OwnedDatabase:
        """Read it from the owner's URL. Raises ConfigurationError."""
        url = settings.owner_database_url
        if not url:
            raise ConfigurationError("CONNECTOR_OWNER_DATABASE_URL is not set: it names the database and its owner")
        remote = [host.name for host in hosts(url) if not host.name.startswith("/") and host.name not in LOCAL]
        if remote:
            raise ConfigurationError(
                f"CONNECTOR_OWNER_DATABASE_URL names {remote[0]}: setup works on this machine's PostgreSQL only. "
                "There, create the role and the database by hand (docs/operations.md)"
            )
        owner, name = _parse(url)
        if not owner or not name:
            raise ConfigurationError("CONNECTOR_OWNER_DATABASE_URL must name a role and a database")
        if _parse(settings.database_url)[1] != name:
            raise ConfigurationError(
                "CONNECTOR_DATABASE_URL and CONNECTOR_OWNER_DATABASE_URL must name the same database"
            )
        first = next(iter(hosts(url)), None)
        folder = first.name if first is not None and first.name.startswith("/") else None
        return cls(url, owner, name, first.port if first is not None else DEFAULT_PORT, folder)


async def set_up(database: OwnedDatabase, password: str, superuser: str, socket_folder: str) -> list[str]:
    """Create or correct role and database. Returns a sentence per change.

    Raises DatabaseUnavailable, Refused if a superuser must decide.
    """
    changes: list[str] = []
    connection = await _connect(superuser, database.socket_folder or socket_folder, database.port)
    try:
        with translated(lambda: True), _refusals(superuser):
            await _require_version(connection)
            changes += await _ensure_role(connection, database.owner, password)
            changes += await _ensure_database(connection, database)
            if not await _can_log_in(database, password):
                await _run(connection, "alter role %I password %L", database.owner, scram_verifier(password))
                changes.append(f"Set the password of the role {database.owner}.")
    finally:
        connection.terminate()
    if not await _can_log_in(database, password):
        raise Refused(f"PostgreSQL still refuses {database.owner} with its new password: look at pg_hba.conf")
    return changes


async def _connect(superuser: str, folder: str, port: int) -> asyncpg.Connection:
    with translated(lambda: True), _as_user(superuser):
        try:
            return await asyncpg.connect(
                host=folder,
                port=port,
                user=superuser,
                database="postgres",
                password="",  # neither this nor TLS is looked for in files of root's home, which that user cannot enter
                ssl=False,
                timeout=CONNECT_DEADLINE,
                command_timeout=STATEMENT_DEADLINE,
                server_settings={"application_name": "asterisk-connector setup"},
            )
        except FileNotFoundError:
            raise DatabaseUnavailable(f"no PostgreSQL has a socket in {folder} for port {port}") from None


@contextlib.contextmanager
def _as_user(name: str) -> Iterator[None]:
    """Connect as this user of the operating system, if this is root. Otherwise as the user who runs the command."""
    if os.geteuid() != 0:
        yield
        return
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ConfigurationError(f"this machine has no user {name}: is PostgreSQL installed?") from None
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def _refusals(superuser: str) -> Iterator[None]:
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise Refused(f"the role {superuser} may not do it: {error}") from None


async def _require_version(connection: asyncpg.Connection) -> None:
    if int(await connection.fetchval("show server_version_num")) < OLDEST_VERSION:
        raise Refused(f"PostgreSQL {OLDEST_VERSION // 10_000} or newer is needed")


async def _ensure_role(connection: asyncpg.Connection, owner: str, password: str) -> list[str]:
    row = await connection.fetchrow(
        "select rolcanlogin, rolcreaterole, rolsuper from pg_roles where rolname = $1", owner
    )
    if row is None:
        await _run(connection, "create role %I login createrole password %L", owner, scram_verifier(password))
        return [f"Created the role {owner}."]
    if row["rolsuper"]:
        raise Refused(f"the role {owner} is a superuser: name a role of its own in CONNECTOR_OWNER_DATABASE_URL")
    if not (row["rolcanlogin"] and row["rolcreaterole"]):
        await _run(connection, "alter role %I login createrole", owner)
        return [f"Let the role {owner} log in and create roles."]
    return []


async def _ensure_database(connection: asyncpg.Connection, database: OwnedDatabase) -> list[str]:
    row = await connection.fetchrow(
        "select pg_get_userbyid(datdba) as owner, pg_encoding_to_char(encoding) as encoding "
        "from pg_database where datname = $1",
        database.name,
    )
    if row is None:
        statement = f"create database %I owner %I encoding '{schema.ENCODING}' template template0"
        await _run(connection, statement, database.name, database.owner)
        return [f"Created the database {database.name}."]
    if row["owner"] != database.owner:
        raise Refused(f"the database {database.name} exists and belongs to {row['owner']}, not to {database.owner}")
    if row["encoding"] != schema.ENCODING:
        raise Refused(
            f"the encoding of the database {database.name} is {row['encoding']}, and must be {schema.ENCODING}"
        )
    return []


async def _can_log_in(database: OwnedDatabase, password: str) -> bool:
    """Try the owner's own way in. Raises DatabaseUnavailable where PostgreSQL does not listen there."""
    try:
        connection = await DatabaseLogin(database.url, password).connect()
    except DatabaseUnavailable as error:
        if isinstance(error.__cause__, asyncpg.InvalidAuthorizationSpecificationError):
            return False
        raise
    connection.terminate()
    return True


async def _run(connection: asyncpg.Connection, statement: str, *names: str) -> None:
    """Run a statement that takes no parameters. PostgreSQL quotes the names."""
    await connection.execute(
        await connection.fetchval("select format($1, variadic $2::text[])", statement, list(names))
    )


def _parse(url: str) -> tuple[str, str]:
    """Return role and database of a URL."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
