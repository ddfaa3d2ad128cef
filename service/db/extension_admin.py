"""Extensions as admins make and change them over HTTP: each call is one transaction."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from service.credentials import new_sip_secret
from service.db import extensions
from service.db.pool import Database
from service.errors import CallServerUnavailable, ExtensionExists, NoSuchExtension

SQL = extensions.SQL
Connection = asyncpg.pool.PoolConnectionProxy


@dataclass(frozen=True, slots=True)
class StoredExtension:
    """An extension as it is stored, and whose it is; no secret."""

    extension: str
    call_server: str
    profile: str
    enabled: bool
    uid: str | None
    username: str | None


async def create(
    database: Database, number: str, call_server: str, profile: str, secret: str, *, uid: str = "", name: str = ""
) -> tuple[StoredExtension, list[str]]:
    """Make an extension, with a random secret if none is given, for a user if one is named.

    What that user had is free then, and returned. Raises ExtensionExists, NoSuchUser, CallServerUnavailable.
    """
    async with database.connection() as connection, connection.transaction():
        try:
            await connection.execute(SQL["create"], number, secret or new_sip_secret(), call_server, profile)
        except asyncpg.UniqueViolationError:
            raise ExtensionExists(number) from None
        except asyncpg.ForeignKeyViolationError:
            raise CallServerUnavailable(f"PostgreSQL does not know call server {call_server}: run migrate") from None
        freed = await extensions.given(connection, number, uid=uid, name=name) if uid or name else []
        return await _kept(connection, number), freed


async def change(
    database: Database, number: str, *, profile: str | None, enabled: bool | None, secret: str | None
) -> StoredExtension:
    """Change what is not None. Raises NoSuchExtension."""
    async with database.connection() as connection, connection.transaction():
        await connection.execute(SQL["change"], number, profile, enabled, secret)
        return await _kept(connection, number)


async def _kept(connection: Connection, number: str) -> StoredExtension:
    row = await connection.fetchrow(SQL["one"], number)
    if row is None:
        raise NoSuchExtension(f"there is no extension {number!r}")
    return StoredExtension(**row)
