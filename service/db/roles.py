"""The roles in PostgreSQL: the service's, without DDL, and one per call server's Asterisk, with three views.

`migrate` runs this as the owner, which needs CREATEROLE. Passwords reach the server only as SCRAM verifiers, so that
no statement log holds one. What is right already is left alone: a grant that is there is not granted again, and a
password that opens its role is not set again, as a new verifier would lock out poolers that keep a copy of the old one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import SecretStr

from service.db.connection import DatabaseLogin
from service.db.schema import READ, SEQUENCES, WRITTEN
from service.errors import ConfigurationError, DatabaseUnavailable
from service.settings import Settings

VIEWS = ("ps_endpoints", "ps_auths", "ps_aors")
OF_THE_RELEASE_BEFORE = ("alembic_version",)
"""What its `check` reads."""
ACLS = {
    "database": "select datacl from pg_database where datname = $2",
    "schema": "select nspacl from pg_namespace where nspname = $2",
    "table": "select relacl from pg_class where oid = to_regclass($2)",
    "sequence": "select relacl from pg_class where oid = to_regclass($2)",
}
"""Where each kind of object keeps what is granted on it."""
SCRAM_ROUNDS = 4096


def validate(settings: Settings) -> None:
    """Raise ConfigurationError for what could not work, before anything is changed."""
    service, owner = _service(settings), _user(settings.owner_database_url)
    if not service or service == owner:
        raise ConfigurationError("CONNECTOR_DATABASE_URL must name a role of its own, not the owner")
    _check_password(settings.database_password)
    for name, server in settings.call_servers.items():
        if server.database_role in (service, owner):
            raise ConfigurationError(f"call server {name}: its Asterisk needs a database role of its own")
        _check_password(server.database_password)


def passwords(settings: Settings) -> dict[str, SecretStr | None]:
    """The roles that log in, with the passwords that the settings give them."""
    found = {server.database_role: server.database_password for server in settings.call_servers.values()}
    return {_service(settings): settings.database_password} | {role: found[role] for role in found if role}


async def opened(owner: DatabaseLogin, settings: Settings, connection: asyncpg.Connection) -> frozenset[str]:
    """The roles that exist and whose password is right: tried where the owner logs in, with no pooler between."""
    there = {row["rolname"] for row in await connection.fetch("select rolname from pg_roles where rolcanlogin")}
    found: set[str] = set()
    for role, password in passwords(settings).items():
        if role in there and password is not None and await _opens(owner.url, role, password.get_secret_value()):
            found.add(role)
    return frozenset(found)


async def _opens(url: str, role: str, password: str) -> bool:
    try:
        connection = await DatabaseLogin(url, password).connect(user=role)
    except DatabaseUnavailable as error:  # the right to connect comes after the password
        return isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError)
    connection.terminate()
    return True


async def ensure(connection: asyncpg.Connection, settings: Settings, opened: frozenset[str] = frozenset()) -> None:
    """Make or mend all roles and grants, inside the caller's transaction. `opened` need no new password."""
    database = await connection.fetchval("select current_database()")
    service = _service(settings)
    if await connection.fetchval("select has_database_privilege('public', current_database(), 'connect, temporary')"):
        await _run(connection, "revoke all on database %I from public", database)
    if await connection.fetchval("select has_schema_privilege('public', 'public', 'create')"):
        await _run(connection, "revoke create on schema public from public")
    for name, server in settings.call_servers.items():
        await connection.execute(
            """
            insert into call_servers (name, database_role) values ($1, $2)
            on conflict (name) do update set database_role = excluded.database_role
            where call_servers.database_role is distinct from excluded.database_role
            """,
            name,
            server.database_role,
        )
    for role, password in passwords(settings).items():
        await _login_role(connection, role, None if role in opened else password)
        await _grant(connection, role, "database", database, "connect")
        await _grant(connection, role, "schema", "public", "usage")
        if role == service:
            for table in WRITTEN:
                await _grant(connection, role, "table", table, "select", "insert", "update", "delete")
            for table in READ + OF_THE_RELEASE_BEFORE:
                await _grant(connection, role, "table", table, "select")
            for sequence in SEQUENCES:
                await _grant(connection, role, "sequence", sequence, "usage", "select", "update")
        else:
            for view in VIEWS:
                await _grant(connection, role, "table", view, "select")


async def _grant(connection: asyncpg.Connection, role: str, kind: str, name: str, *privileges: str) -> None:
    """Grant what is not granted to this very role yet: what everybody has may be taken from everybody."""
    missing = await connection.fetchval(
        f"""
        select string_agg(wanted, ', ') from unnest($3::text[]) as wanted where wanted not in (
            select lower(privilege_type) from aclexplode(({ACLS[kind]}))
            where grantee = (select oid from pg_roles where rolname = $1)
        )
        """,  # noqa: S608 - from this module
        role,
        name,
        privileges,
    )
    if missing:
        await _run(connection, f"grant {missing} on {kind} %I to %I", name, role)


async def _login_role(connection: asyncpg.Connection, role: str, password: SecretStr | None) -> None:
    can_log_in = await connection.fetchval("select rolcanlogin from pg_roles where rolname = $1", role)
    if can_log_in is None:
        await _run(connection, "create role %I login", role)
    elif not can_log_in:
        await _run(connection, "alter role %I login", role)
    if password is not None:
        await _run(connection, "alter role %I password %L", role, scram_verifier(password.get_secret_value()))


async def _run(connection: asyncpg.Connection, statement: str, *names: Any) -> None:
    """Run a statement that takes no parameters; PostgreSQL itself quotes the names."""
    if names:
        statement = await connection.fetchval("select format($1, variadic $2::text[])", statement, list(names))
    await connection.execute(statement)


def _service(settings: Settings) -> str:
    return _user(settings.database_url)


def _user(url: str | None) -> str:
    return unquote(urlsplit(url or "").username or "")


def _check_password(password: SecretStr | None) -> None:
    if password is not None and not (
        password.get_secret_value().isascii() and password.get_secret_value().isprintable()
    ):
        raise ConfigurationError("a database password must be of printable ASCII characters")


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5803). ASCII passwords only, which need no SASLprep."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_, stored_, server_ = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{salt_}${stored_}:{server_}"
