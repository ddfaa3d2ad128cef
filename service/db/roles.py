"""PostgreSQL roles: the service's, without DDL privileges, and one per call server for Asterisk, with three views.

`migrate` runs this as the owner, which needs CREATEROLE. Passwords are sent only as SCRAM verifiers, so that no
statement log contains one. Only differences are applied. An existing grant is not repeated. A working password is not
set again, because a new verifier would lock out poolers that keep a copy of the old one.
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
from service.db.schema import APPENDED, READ, SEQUENCES, WRITTEN
from service.errors import ConfigurationError, DatabaseUnavailable
from service.settings import Settings

VIEWS = ("ps_endpoints", "ps_auths", "ps_aors")
READ_BY_PREVIOUS_RELEASE = ("alembic_version",)
"""Tables that the previous release's `check` reads."""
ACLS = {
    "database": "select datacl from pg_database where datname = $2",
    "schema": "select nspacl from pg_namespace where nspname = $2",
    "table": "select relacl from pg_class where oid = to_regclass($2)",
    "sequence": "select relacl from pg_class where oid = to_regclass($2)",
}
"""Queries for the access privileges of each kind of object."""
SCRAM_ROUNDS = 4096


def validate(settings: Settings) -> None:
    """Check the roles and passwords of the settings before any change. Raises ConfigurationError."""
    service, owner = service_role(settings), _parse_role(settings.owner_database_url)
    if not service or service == owner:
        raise ConfigurationError("CONNECTOR_DATABASE_URL must name a role of its own, not the owner")
    _check_password(settings.database_password)
    for name, server in settings.call_servers.items():
        if server.database_role in (service, owner):
            raise ConfigurationError(f"call server {name}: its Asterisk needs a database role of its own")
        _check_password(server.database_password)


def passwords(settings: Settings) -> dict[str, SecretStr | None]:
    """Map the roles that log in to their passwords in the settings."""
    roles = {server.database_role: server.database_password for server in settings.call_servers.values()}
    return {service_role(settings): settings.database_password} | {role: roles[role] for role in roles if role}


async def roles_with_current_password(
    owner: DatabaseLogin, settings: Settings, connection: asyncpg.Connection
) -> frozenset[str]:
    """Return the existing roles whose password is right. Tries each at the owner's address, which no pooler serves."""
    rows = await connection.fetch("select rolname from pg_roles where rolcanlogin")
    existing = {row["rolname"] for row in rows}
    current: set[str] = set()
    for role, password in passwords(settings).items():
        if role in existing and password is not None and await _can_log_in(owner.url, role, password):
            current.add(role)
    return frozenset(current)


async def _can_log_in(url: str, role: str, password: SecretStr) -> bool:
    try:
        connection = await DatabaseLogin(url, password.get_secret_value()).connect(user=role)
    except DatabaseUnavailable as error:  # the privilege to connect is checked after the password
        return isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError)
    connection.terminate()
    return True


async def ensure(connection: asyncpg.Connection, settings: Settings, unchanged: frozenset[str] = frozenset()) -> None:
    """Create or correct all roles and grants, in the caller's transaction. `unchanged` roles keep their password."""
    database = await connection.fetchval("select current_database()")
    service = service_role(settings)
    if await connection.fetchval("select has_database_privilege('public', current_database(), 'connect, temporary')"):
        await _run(connection, "revoke all on database %I from public", database)
    if await connection.fetchval("select has_schema_privilege('public', 'public', 'create')"):
        await _run(connection, "revoke create on schema public from public")
    for name, server in settings.call_servers.items():
        changed = await connection.fetchval(
            """
            insert into call_servers as c (name, database_role, credentials, sip_transport) values ($1, $2, $3, $4)
            on conflict (name) do update
            set database_role = excluded.database_role, credentials = excluded.credentials,
                sip_transport = excluded.sip_transport
            where (c.database_role, c.credentials, c.sip_transport)
                is distinct from (excluded.database_role, excluded.credentials, excluded.sip_transport)
            returning true
            """,
            name,
            server.database_role,
            server.credentials,
            server.sip_transport,
        )
        if changed:  # no trigger watches this table, and processes compare it with their settings
            await connection.execute("select pg_notify('connector_changes', 'extension *')")
    for role, password in passwords(settings).items():
        await _ensure_login_role(connection, role, None if role in unchanged else password)
        await _grant(connection, role, "database", database, "connect")
        await _grant(connection, role, "schema", "public", "usage")
        if role == service:
            for table in WRITTEN:
                await _grant(connection, role, "table", table, "select", "insert", "update", "delete")
            for table in APPENDED:
                await _grant(connection, role, "table", table, "select", "insert")
                await _revoke_others(connection, role, table, "select", "insert")
            for table in READ + READ_BY_PREVIOUS_RELEASE:
                await _grant(connection, role, "table", table, "select")
            for sequence in SEQUENCES:
                await _grant(connection, role, "sequence", sequence, "usage", "select", "update")
        else:
            for view in VIEWS:
                await _grant(connection, role, "table", view, "select")


async def _grant(connection: asyncpg.Connection, role: str, kind: str, name: str, *privileges: str) -> None:
    """Grant the privileges that the role itself lacks. Those of PUBLIC do not count, as they may be revoked."""
    missing = await connection.fetchval(
        f"""
        select string_agg(wanted, ', ') from unnest($3::text[]) as wanted where wanted not in (
            select lower(privilege_type collate "C") from aclexplode(({ACLS[kind]}))
            where grantee = (select oid from pg_roles where rolname = $1)
        )
        """,  # noqa: S608 - from this module
        role,
        name,
        privileges,
    )
    if missing:
        await _run(connection, f"grant {missing} on {kind} %I to %I", name, role)


async def _revoke_others(connection: asyncpg.Connection, role: str, table: str, *kept: str) -> None:
    """Revoke all other privileges that the role itself holds, as default privileges may have granted more."""
    excess = await connection.fetchval(
        f"""
        select string_agg(lower(privilege_type collate "C"), ', ') from aclexplode(({ACLS["table"]}))
        where grantee = (select oid from pg_roles where rolname = $1)
            and lower(privilege_type collate "C") <> all ($3::text[])
        """,  # noqa: S608 - from this module
        role,
        table,
        kept,
    )
    if excess:
        await _run(connection, f"revoke {excess} on table %I from %I", table, role)


async def _ensure_login_role(connection: asyncpg.Connection, role: str, password: SecretStr | None) -> None:
    can_log_in = await connection.fetchval("select rolcanlogin from pg_roles where rolname = $1", role)
    if can_log_in is None:
        await _run(connection, "create role %I login", role)
    elif not can_log_in:
        await _run(connection, "alter role %I login", role)
    if password is not None:
        await _run(connection, "alter role %I password %L", role, scram_verifier(password.get_secret_value()))


async def _run(connection: asyncpg.Connection, statement: str, *names: Any) -> None:
    """Run a statement that takes no parameters. PostgreSQL quotes the names."""
    if names:
        statement = await connection.fetchval("select format($1, variadic $2::text[])", statement, list(names))
    await connection.execute(statement)


def service_role(settings: Settings) -> str:
    """Return the role of the service."""
    return _parse_role(settings.database_url)


def _parse_role(url: str | None) -> str:
    return unquote(urlsplit(url or "").username or "")


def _check_password(password: SecretStr | None) -> None:
    if password is not None and not (
        password.get_secret_value().isascii() and password.get_secret_value().isprintable()
    ):
        raise ConfigurationError("a database password must be of printable ASCII characters")


def scram_verifier(password: str) -> str:
    """Compute the verifier that PostgreSQL stores (RFC 5803). For ASCII passwords only, which need no SASLprep."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_, stored_, server_ = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{salt_}${stored_}:{server_}"
