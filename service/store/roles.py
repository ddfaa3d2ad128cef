"""The roles in PostgreSQL: the service's, without DDL, and one per call server's Asterisk, with three views.

`migrate` runs this as the owner, which needs CREATEROLE. Passwords reach the server only as SCRAM verifiers, so that
no statement log holds one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import SecretStr

from service.errors import ConfigurationError
from service.settings import Settings

VIEWS = ("ps_endpoints", "ps_auths", "ps_aors")
SCRAM_ROUNDS = 4096


async def ensure(connection: asyncpg.Connection, settings: Settings) -> None:
    """Make or mend all roles and grants, inside the caller's transaction."""
    database = await connection.fetchval("select current_database()")
    owner = await connection.fetchval("select current_user")
    service = unquote(urlsplit(settings.database_url).username or "")
    if not service or service == owner:
        raise ConfigurationError("CONNECTOR_DATABASE_URL must name a role of its own, not the owner")
    await _run(connection, "revoke all on database %I from public", database)
    await _run(connection, "revoke create on schema public from public")
    await _login_role(connection, service, settings.database_password)
    await _run(connection, "grant connect on database %I to %I", database, service)
    await _run(connection, "grant usage on schema public to %I", service)
    for table in ("users", "tokens", "stream_tickets", "activity", "extensions"):
        await _run(connection, f"grant select, insert, update, delete on {table} to %I", service)
    for table in ("call_servers", "service_keys", "live_extensions", "alembic_version"):
        await _run(connection, f"grant select on {table} to %I", service)
    await _run(connection, "grant usage, select, update on sequence users_user_id_seq to %I", service)
    for name, server in settings.call_servers.items():
        role = server.database_role
        await connection.execute(
            """
            insert into call_servers (name, database_role) values ($1, $2)
            on conflict (name) do update set database_role = excluded.database_role
            """,
            name,
            role,
        )
        if role is None:
            continue
        if role in (service, owner):
            raise ConfigurationError(f"call server {name}: its Asterisk needs a database role of its own")
        await _login_role(connection, role, server.database_password)
        await _run(connection, "grant connect on database %I to %I", database, role)
        await _run(connection, "grant usage on schema public to %I", role)
        for view in VIEWS:
            await _run(connection, f"grant select on {view} to %I", role)


async def _login_role(connection: asyncpg.Connection, role: str, password: SecretStr | None) -> None:
    if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
        await _run(connection, "create role %I login", role)
    if password is not None:
        await _run(connection, "alter role %I password %L", role, scram_verifier(password.get_secret_value()))


async def _run(connection: asyncpg.Connection, statement: str, *names: str) -> None:
    """Run a statement that takes no parameters; PostgreSQL itself quotes the names."""
    if names:
        statement = await connection.fetchval("select format($1, variadic $2::text[])", statement, list(names))
    await connection.execute(statement)


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5803). ASCII passwords only, which need no SASLprep."""
    if not password.isascii() or not password.isprintable():
        raise ConfigurationError("a database password must be of printable ASCII characters")
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_, stored_, server_ = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{salt_}${stored_}:{server_}"
