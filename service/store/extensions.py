"""Extensions in PostgreSQL: one row, one phone. Triggers rotate secrets and tell of changes."""

from __future__ import annotations

import re
from typing import Any

import asyncpg

from service.credentials import new_sip_secret
from service.errors import AlreadyExists, Invalid, NotFound
from service.store import sql
from service.store.database import Database

SQL = sql.load("extensions")
NUMBER = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
SECRET_LENGTH = 80


async def of_call_server(database: Database, call_server: str) -> set[str]:
    """The numbers of all extensions that a call server's Asterisk can see."""
    async with database.connection() as connection:
        return {row["extension"] for row in await connection.fetch(SQL["of_call_server"], call_server)}


async def create(database: Database, extension: str, call_server: str, profile: str, secret: str | None = None) -> None:
    """Make an extension of nobody, with a random secret if none is given. Raises AlreadyExists, NotFound, Invalid."""
    if not NUMBER.fullmatch(extension):
        raise Invalid("an extension is 1 to 40 of A-Z a-z 0-9 _ -")
    if secret is not None and not (secret.isprintable() and 0 < len(secret) <= SECRET_LENGTH):
        raise Invalid(f"a SIP password is 1 to {SECRET_LENGTH} printable characters")
    async with database.connection() as connection:
        await connection.execute(SQL["create"], extension, secret or new_sip_secret(), call_server, profile)


async def assign(database: Database, extension: str, user: str) -> None:
    """Give a free extension to a user, by name. Raises NotFound, AlreadyExists when either has another already."""
    async with database.connection() as connection:
        try:
            if await connection.fetchval(SQL["assign"], extension, user) is not None:
                return
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(f"{user} has an extension already") from None
        there = await connection.fetchrow(SQL["exists"], extension, user)
    assert there is not None
    if not there["extension"]:
        raise NotFound(f"there is no extension {extension!r}")
    if not there["person"]:
        raise NotFound(f"there is no user {user!r}")
    raise AlreadyExists(f"extension {extension} is somebody else's")


async def unassign(database: Database, extension: str) -> None:
    """Take an extension from its user; its secret changes. Raises NotFound."""
    await _change(database, "unassign", extension)


async def rotate(database: Database, extension: str) -> None:
    """Give an extension a new random secret. Raises NotFound."""
    await _change(database, "rotate", extension, new_sip_secret())


async def set_enabled(database: Database, extension: str, enabled: bool) -> None:
    """Let an extension register, or not. Raises NotFound."""
    await _change(database, "set_enabled", extension, enabled)


async def delete(database: Database, extension: str) -> None:
    """Remove an extension. Raises NotFound."""
    await _change(database, "delete", extension)


async def listed(database: Database) -> list[dict[str, Any]]:
    """All extensions, without their secrets."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]


async def _change(database: Database, statement: str, extension: str, *values: Any) -> None:
    async with database.connection() as connection:
        if await connection.fetchval(SQL[statement], extension, *values) is None:
            raise NotFound(f"there is no extension {extension!r}")
