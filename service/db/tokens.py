"""Tokens in PostgreSQL: only the SHA-256 is stored, with an expiry."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from service.credentials import new_token, token_hash
from service.db import sql
from service.db.audit import Connection, record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.errors import NotFound

SQL = sql.load("tokens")

LOGIN_LABELS = ("login", "auth")
"""Labels of tokens issued by logins; the SQL function `issue_token` counts these."""


@retry_outdated_statements
async def issue(
    database: Database, user_id: int, lifetime: timedelta, label: str = "", *, origin: Origin
) -> tuple[str, datetime]:
    """Issue a token for an active user, on an operator's behalf. Returns the token and its expiry. Raises NotFound."""
    token, expires_at = new_token(), datetime.now(UTC) + lifetime
    async with database.connection() as connection:
        async with connection.transaction():
            if await connection.execute(SQL["issue"], token_hash(token), user_id, expires_at, label) == "INSERT 0 0":
                raise NotFound(f"there is no active user {user_id}")
            details = {"label": label, "expires_at": expires_at.isoformat(timespec="seconds")}
            await record(connection, AuditedChange(Action.TOKEN_ISSUED, Subject.user(user_id), origin, details))
        await connection.execute(SQL["delete_expired"])
    return token, expires_at


@retry_outdated_statements
async def issue_for_login(
    database: Database, user_id: int, lifetime: timedelta, label: str, max_tokens: int, *, origin: Origin
) -> tuple[str, datetime]:
    """Issue a token for a login, and revoke the user's oldest login tokens above `max_tokens`. Raises NotFound."""
    token, expires_at = new_token(), datetime.now(UTC) + lifetime
    async with database.connection() as connection:
        async with connection.transaction():
            arguments = (token_hash(token), user_id, expires_at, label, max_tokens)
            if not await connection.fetchval(SQL["issue_for_login"], *arguments):
                raise NotFound(f"there is no active user {user_id}")
            details = {"label": label, "expires_at": expires_at.isoformat(timespec="seconds")}
            await record(connection, AuditedChange(Action.LOGIN, Subject.user(user_id), origin, details))
        await connection.execute(SQL["delete_expired"])
    return token, expires_at


@retry_outdated_statements
async def revoke(database: Database, token: str, *, origin: Origin) -> None:
    """Revoke one token. An unknown token is no error."""
    async with database.connection() as connection, connection.transaction():
        await _audit_revoked(connection, await connection.fetch(SQL["revoke"], token_hash(token)), origin)


@retry_outdated_statements
async def revoke_by_prefix(database: Database, prefix: str, *, origin: Origin) -> None:
    """Revoke the tokens whose hash begins with `prefix`, as `token list` shows it. Raises NotFound."""
    if len(prefix) < 8 or not all(letter in "0123456789abcdef" for letter in prefix):
        raise NotFound("name a token by at least 8 hexadecimal digits of its hash, as the list shows them")
    async with database.connection() as connection, connection.transaction():
        revoked = await connection.fetch(SQL["revoke_by_prefix"], prefix)
        if not revoked:
            raise NotFound(f"there is no token {prefix}")
        await _audit_revoked(connection, revoked, origin)


@retry_outdated_statements
async def revoke_all(database: Database, user_id: int, *, origin: Origin) -> int:
    """Revoke all tokens of a user. Returns their number."""
    async with database.connection() as connection, connection.transaction():
        number = int((await connection.execute(SQL["revoke_all"], user_id)).split()[-1])
        details = {"tokens": number}
        await record(connection, AuditedChange(Action.TOKEN_REVOKED, Subject.user(user_id), origin, details))
        return number


async def _audit_revoked(connection: Connection, revoked: Iterable[asyncpg.Record], origin: Origin) -> None:
    for token in revoked:
        subject, details = Subject.user(token["user_id"]), {"label": token["label"]}
        await record(connection, AuditedChange(Action.TOKEN_REVOKED, subject, origin, details))


async def list_all(database: Database) -> list[dict[str, Any]]:
    """List the unexpired tokens by hash; only the holder knows the token."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]
