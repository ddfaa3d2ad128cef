"""Extensions in PostgreSQL, each with its own phone. Triggers rotate secrets and send change notifications."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.credentials import new_sip_secret
from service.db import ownership, sql
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.db.row_update import update_row
from service.db.secret_strength import refuse_weak
from service.db.text import is_storable
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.domain.checked_extension import CheckedExtension
from service.domain.extension_names import EXTENSION_NUMBER
from service.domain.user_names import folded
from service.domain.weak_secrets import MIN_LENGTH
from service.errors import AlreadyExists, Ambiguous, ExtensionTaken, Invalid, NoSuchExtension, NoSuchUser

SQL = sql.load("extensions")
MAX_SECRET_LENGTH = 80
"""Maximum length of a chosen SIP password, in characters."""


@dataclass(frozen=True, slots=True)
class AssignedExtension:
    """An extension and its present or former user."""

    uid: str
    username: str
    extension: str


async def list_in_use(database: Database) -> list[tuple[str, CheckedExtension]]:
    """List the extensions that an Asterisk can see, each with its call server, sorted."""
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["list_in_use"])
    return [
        (
            row["call_server"],
            CheckedExtension(
                row["extension"], row["local_number"], tuple(row["endpoints"] or ()), frozenset(row["missing"] or ())
            ),
        )
        for row in rows
    ]


@retry_outdated_statements
async def create(
    database: Database,
    extension: str,
    call_server: str,
    profile: str,
    secret: str | None = None,
    *,
    origin: Origin,
    imported: Collection[str] = (),
) -> None:
    """Create an unassigned extension, by default with a random secret.

    Raises AlreadyExists, NotFound, Invalid, WeakSecret, and OwnedByAsterisk if the call server is imported.
    """
    if not EXTENSION_NUMBER.fullmatch(extension):
        raise Invalid("an extension is 1 to 40 of A-Z a-z 0-9 _ -")
    if secret is not None and not (secret.isprintable() and MIN_LENGTH <= len(secret) <= MAX_SECRET_LENGTH):
        raise Invalid(f"a SIP password is {MIN_LENGTH} to {MAX_SECRET_LENGTH} printable characters")
    async with database.connection() as connection, connection.transaction():
        await ownership.refuse_imported(connection, call_server, imported, ownership.CREATE)
        await connection.execute(SQL["create"], extension, secret or new_sip_secret(), call_server, profile)
        if secret is not None:
            await refuse_weak(connection, extension, secret)
        await record(connection, created(extension, call_server, origin))


def created(extension: str, call_server: str, origin: Origin) -> AuditedChange:
    """The audit row of a new extension."""
    return AuditedChange(Action.EXTENSION_CREATED, Subject.extension(extension), origin, {"call_server": call_server})


@retry_outdated_statements
async def assign(database: Database, extension: str, user_id: int, *, origin: Origin) -> None:
    """Assign a free extension to a user.

    Raises NoSuchExtension, NoSuchUser, AlreadyExists if the user has an extension or the extension has a user.
    """
    async with database.connection() as connection:
        try:
            async with connection.transaction():
                if await connection.fetchval(SQL["assign"], extension, user_id) is not None:
                    await record(connection, _assigned(extension, user_id, origin))
                    return
        except asyncpg.UniqueViolationError:
            raise AlreadyExists("this user has an extension already") from None
        exists = await connection.fetchrow(SQL["exists"], extension, user_id)
    assert exists is not None
    if not exists["extension"]:
        raise NoSuchExtension(f"there is no extension {extension!r}")
    if not exists["person"]:
        raise NoSuchUser(f"there is no user {user_id}")
    raise ExtensionTaken(extension)


@retry_outdated_statements
async def reassign(
    database: Database, extension: str, *, origin: Origin, uid: str = "", name: str = ""
) -> tuple[str, list[str]]:
    """Assign an extension to a user, by uid or name, and unassign their others.

    The extension may be named by an endpoint (`find_number`). Returns its number, and the unassigned numbers.
    Runs in one transaction. Raises NoSuchUser, NoSuchExtension, ExtensionTaken.
    """
    async with database.connection() as connection, connection.transaction():
        found = await _find_numbers(connection, extension)
        number = found[0] if len(found) == 1 else extension
        return number, await reassign_in_transaction(connection, number, origin=origin, uid=uid, name=name)


async def find_number(database: Database, name: str) -> str:
    """Return the extension with this number, else the only one with a phone whose endpoint has this name.

    Raises NoSuchExtension, Ambiguous.
    """
    async with database.connection() as connection:
        found = await _find_numbers(connection, name)
    if not found:
        raise NoSuchExtension(f"there is no extension {name!r}")
    if len(found) > 1:
        raise Ambiguous(f"endpoint {name!r} belongs to extensions {', '.join(found)}: name one of them")
    return found[0]


async def _find_numbers(connection: asyncpg.pool.PoolConnectionProxy, name: str) -> list[str]:
    rows = await connection.fetch(SQL["find_number"], name) if is_storable(name) else []
    return [row["extension"] for row in rows]


async def reassign_in_transaction(
    connection: asyncpg.pool.PoolConnectionProxy, extension: str, *, origin: Origin, uid: str, name: str
) -> list[str]:
    """Do the same in the caller's transaction, with the number. Returns the unassigned numbers."""
    statement, key = ("lock_user_by_uid", uid) if uid else ("lock_user_by_name", folded(name))
    user = await connection.fetchrow(SQL[statement], key) if is_storable(key) else None
    if user is None:
        raise NoSuchUser(f"there is no user {uid or name!r}")
    row = await connection.fetchrow(SQL["lock_extension"], extension) if is_storable(extension) else None
    if row is None:
        raise NoSuchExtension(f"there is no extension {extension!r}")
    if row["user_id"] not in (None, user["user_id"]):
        raise ExtensionTaken(extension)
    unassigned = await connection.fetch(SQL["unassign_others"], user["user_id"], extension)
    await connection.execute(SQL["assign_locked"], extension, user["user_id"])
    numbers = [row["extension"] for row in unassigned]
    for number in numbers:
        await record(connection, AuditedChange(Action.EXTENSION_UNASSIGNED, Subject.extension(number), origin))
    await record(connection, _assigned(extension, user["user_id"], origin))
    return numbers


def _assigned(extension: str, user_id: int, origin: Origin) -> AuditedChange:
    return AuditedChange(Action.EXTENSION_ASSIGNED, Subject.extension(extension), origin, {"user_id": user_id})


@retry_outdated_statements
async def unassign_user(database: Database, name: str, *, origin: Origin) -> AssignedExtension:
    """Unassign the extension of the user with this name; its secret changes. Raises NoSuchUser, NoSuchExtension."""
    if not is_storable(name):
        raise NoSuchUser(f"there is no user {name!r}")
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["unassign_user"], folded(name))
        if row is None and await connection.fetchrow(SQL["lock_user_by_name"], folded(name)) is None:
            raise NoSuchUser(f"there is no user {name!r}")
        if row is None:
            raise NoSuchExtension(f"{name} has no extension")
        subject, details = Subject.extension(row["extension"]), {"user": row["username"]}
        await record(connection, AuditedChange(Action.EXTENSION_UNASSIGNED, subject, origin, details))
    return AssignedExtension(**row)


async def unassign(database: Database, extension: str, *, origin: Origin) -> None:
    """Unassign an extension; its secret changes. Raises NoSuchExtension."""
    await _update(database, "unassign", extension, action=Action.EXTENSION_UNASSIGNED, origin=origin)


async def set_enabled(database: Database, extension: str, enabled: bool, *, origin: Origin) -> None:
    """Enable or disable registration of an extension. Raises NoSuchExtension."""
    action = Action.EXTENSION_ENABLED if enabled else Action.EXTENSION_DISABLED
    await _update(database, "set_enabled", extension, enabled, action=action, origin=origin)


@retry_outdated_statements
async def delete(database: Database, extension: str, *, origin: Origin, imported: Collection[str] = ()) -> None:
    """Delete an extension. Raises NoSuchExtension, OwnedByAsterisk."""
    async with database.connection() as connection, connection.transaction():
        await ownership.lock_managed(connection, extension, imported, ownership.DELETE)
        await connection.execute(SQL["delete"], extension)
        await record(connection, AuditedChange(Action.EXTENSION_DELETED, Subject.extension(extension), origin))


async def list_all(database: Database) -> list[dict[str, Any]]:
    """List all extensions, without their secrets."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]


async def list_stored(
    database: Database, name: str | None = None, call_server: str | None = None
) -> list[dict[str, Any]]:
    """List extensions with user and endpoints, without secrets: all, or those with this number or endpoint name."""
    if not all(is_storable(text) for text in (name, call_server) if text is not None):
        return []
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["stored"], name, call_server)]


async def _update(
    database: Database, statement: str, extension: str, *values: Any, action: Action, origin: Origin
) -> None:
    missing = NoSuchExtension(f"there is no extension {extension!r}")
    change = AuditedChange(action, Subject.extension(extension), origin)
    await update_row(database, SQL[statement], extension, *values, missing=missing, change=change)
