"""Tokens in PostgreSQL: only their SHA-256, with an expiry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from service.credentials import new_token, token_hash
from service.db import sql
from service.db.pool import Database
from service.errors import NotFound

SQL = sql.load("tokens")


LOGIN_LABELS = ("login", "auth")
"""Labels of tokens that logins made: the function `issue_token` counts these."""


async def issue(database: Database, user_id: int, lifetime: timedelta, label: str = "") -> tuple[str, datetime]:
    """Make a token for an active user, on an operator's behalf. Returns it, once, and when it ends. Raises NotFound."""
    token, expires_at = new_token(), datetime.now(UTC) + lifetime
    async with database.connection() as connection:
        if await connection.execute(SQL["issue"], token_hash(token), user_id, expires_at, label) == "INSERT 0 0":
            raise NotFound(f"there is no active user {user_id}")
        await connection.execute(SQL["delete_expired"])
    return token, expires_at


async def issue_to_login(
    database: Database, user_id: int, lifetime: timedelta, label: str, most: int
) -> tuple[str, datetime]:
    """The same for a login: where the person has more than `most` from logins, the oldest ends. Raises NotFound."""
    token, expires_at = new_token(), datetime.now(UTC) + lifetime
    async with database.connection() as connection:
        arguments = (token_hash(token), user_id, expires_at, label, most)
        if not await connection.fetchval(SQL["issue_to_one_of_few"], *arguments):
            raise NotFound(f"there is no active user {user_id}")
        await connection.execute(SQL["delete_expired"])
    return token, expires_at


async def revoke(database: Database, token: str) -> None:
    """End one token. One that is not there is ended already."""
    async with database.connection() as connection:
        await connection.execute(SQL["revoke"], token_hash(token))


async def revoke_by_prefix(database: Database, prefix: str) -> None:
    """End the token whose hash begins with `prefix`, as `list` shows it. Raises NotFound."""
    if len(prefix) < 8 or not all(letter in "0123456789abcdef" for letter in prefix):
        raise NotFound("name a token by at least 8 hexadecimal digits of its hash, as the list shows them")
    async with database.connection() as connection:
        if await connection.execute(SQL["revoke_by_prefix"], prefix) == "DELETE 0":
            raise NotFound(f"there is no token {prefix}")


async def revoke_all(database: Database, user_id: int) -> int:
    """End all tokens of a user. Returns how many."""
    async with database.connection() as connection:
        return int((await connection.execute(SQL["revoke_all"], user_id)).split()[-1])


async def listed(database: Database) -> list[dict[str, Any]]:
    """The tokens that have not expired; a token itself is not known to anybody but its holder."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]
