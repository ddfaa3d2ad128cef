"""Extension management over HTTP. Each call is one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import asyncpg

from service.credentials import new_sip_secret
from service.db import extensions, ownership
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.db.secret_strength import refuse_weak
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.errors import CallServerUnavailable, ExtensionExists, NoSuchExtension

SQL = extensions.SQL
Connection = asyncpg.pool.PoolConnectionProxy


@dataclass(frozen=True, slots=True)
class StoredExtension:
    """A stored extension and its user, without the secret."""

    extension: str
    call_server: str
    profile: str
    enabled: bool
    uid: str | None
    username: str | None


@retry_outdated_statements
async def create(
    database: Database,
    number: str,
    call_server: str,
    profile: str,
    secret: str,
    *,
    origin: Origin,
    uid: str = "",
    name: str = "",
    imported: Collection[str] = (),
) -> tuple[StoredExtension, list[str]]:
    """Create an extension, by default with a random secret, and assign it if a user is named.

    Returns it, and the numbers that this unassigned from that user.
    Raises ExtensionExists, NoSuchUser, CallServerUnavailable, OwnedByAsterisk, WeakSecret.
    """
    async with database.connection() as connection, connection.transaction():
        await ownership.refuse_imported(connection, call_server, imported, ownership.CREATE)
        try:
            await connection.execute(SQL["create"], number, secret or new_sip_secret(), call_server, profile)
        except asyncpg.UniqueViolationError:
            raise ExtensionExists(number) from None
        except asyncpg.ForeignKeyViolationError:
            raise CallServerUnavailable(f"PostgreSQL does not know call server {call_server}: run migrate") from None
        await record(connection, extensions.created(number, call_server, origin))
        unassigned = []
        if uid or name:
            unassigned = await extensions.reassign_in_transaction(connection, number, origin=origin, uid=uid, name=name)
        if secret:
            await refuse_weak(connection, number, secret)
        return await _fetch(connection, number), unassigned


@retry_outdated_statements
async def change(
    database: Database,
    number: str,
    *,
    origin: Origin,
    profile: str | None,
    enabled: bool | None,
    secret: str | None,
    imported: Collection[str] = (),
) -> StoredExtension:
    """Set the values that are not None. A given password ends the present and the former one at once.

    Raises NoSuchExtension, WeakSecret, and OwnedByAsterisk for what only Asterisk can set.
    """
    async with database.connection() as connection, connection.transaction():
        if secret is not None or profile is not None:
            remedy = ownership.CHANGE_PASSWORD if secret is not None else ownership.CHANGE_PROFILE
            await ownership.lock_managed(connection, number, imported, remedy)
        await connection.execute(SQL["change"], number, enabled)
        await connection.execute(SQL["change_own_phone"], number, profile, secret)
        stored = await _fetch(connection, number)
        if secret is not None:
            await refuse_weak(connection, number, secret)
        given = {"profile": profile, "enabled": enabled, "secret": secret}
        details = {"fields": [name for name, value in given.items() if value is not None]}
        await record(connection, AuditedChange(Action.EXTENSION_UPDATED, Subject.extension(number), origin, details))
        return stored


async def _fetch(connection: Connection, number: str) -> StoredExtension:
    row = await connection.fetchrow(SQL["get"], number)
    if row is None:
        raise NoSuchExtension(f"there is no extension {number!r}")
    return StoredExtension(**row)
