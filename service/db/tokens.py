"""Tokens in PostgreSQL: only the SHA-256 is stored, with an expiry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from service.credentials import new_token, token_hash
from service.db import sql
from service.db.pool import Database
from service.errors import NotFound

SQL = sql.load("tokens")

LOGIN_LABELS = ("login", "auth")
"""Labels of tokens issued by logins; the SQL function `issue_token` counts these."""


async def issue(database: Database, user_id: int, lifetime: timedelta, label: str = "") -> tuple[str, datetime]:
    """Issue a token for an active user, on an operator's behalf. Returns the token and its expiry. Raises NotFound."""
    token, expires_at = new_token(), datetime.now(UTC) + lifetime
    async with database.connection() as connection:
        if await connection.execute(SQL["issue"], token_hash(token), user_id, expires_at, label) == "INSERT 0 0":
            raise NotFound(f"there is no active user {user_id}")
        await connection.execute(SQL["delete_expired"])
    return token, expires_at


async def issue_for_login(
    database: Database, user_id: int, lifetime: timedelta, label: str, max_tokens: int
) -> tuple[str, datetime]:
    """Issue a token for a login, and revoke the user's oldest login tokens above `max_tokens`. Raises NotFound."""
    token, expires_at = new_token(), datetime.now(UTC) + lifetime
    async with database.connection() as connection:
        arguments = (token_hash(token), user_id, expires_at, label, max_tokens)
        if not await connection.fetchval(SQL["issue_for_login"], *arguments):
            raise NotFound(f"there is no active user {user_id}")
        await connection.execute(SQL["delete_expired"])
    return token, expires_at


async def revoke(database: Database, token: str) -> None:
    """Revoke one token. An unknown token is no error."""
    async with database.connection() as connection:
        await connection.execute(SQL["revoke"], token_hash(token))


async def revoke_by_prefix(database: Database, prefix: str) -> None:
    """Revoke the tokens whose hash begins with `prefix`, as `token list` shows it. Raises NotFound."""
    if len(prefix) < 8 or not all(letter in "0123456789abcdef" for letter in prefix):
        raise NotFound("name a token by at least 8 hexadecimal digits of its hash, as the list shows them")
    async with database.connection() as connection:
        if await connection.execute(SQL["revoke_by_prefix"], prefix) == "DELETE 0":
            raise NotFound(f"there is no token {prefix}")


async def revoke_all(database: Database, user_id: int) -> int:
    """Revoke all tokens of a user. Returns their number."""
    async with database.connection() as connection:
        return int((await connection.execute(SQL["revoke_all"], user_id)).split()[-1])


async def list_all(database: Database) -> list[dict[str, Any]]:
    """List the unexpired tokens by hash; only the holder knows the token."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]
