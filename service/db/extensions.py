"""Extensions in PostgreSQL: one row, one phone. Triggers rotate secrets and tell of changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.credentials import new_sip_secret
from service.db import sql
from service.db.pool import Database, again_on_fresh_statements
from service.domain.names import folded
from service.errors import AlreadyExists, ExtensionTaken, Invalid, NoSuchExtension, NoSuchUser

SQL = sql.load("extensions")
NUMBER = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
SHORTEST_SECRET, SECRET_LENGTH = 12, 80
"""Characters of a SIP password that somebody chose; shorter ones that are stored already go on working."""


@dataclass(frozen=True, slots=True)
class AssignedExtension:
    """Whose an extension is, or was."""

    uid: str
    username: str
    extension: str


async def in_use(database: Database) -> list[tuple[str, str]]:
    """Call server and number of all extensions that an Asterisk can see, in this order."""
    async with database.connection() as connection:
        return [(row["call_server"], row["extension"]) for row in await connection.fetch(SQL["in_use"])]


async def create(database: Database, extension: str, call_server: str, profile: str, secret: str | None = None) -> None:
    """Make an extension of nobody, with a random secret if none is given. Raises AlreadyExists, NotFound, Invalid."""
    if not NUMBER.fullmatch(extension):
        raise Invalid("an extension is 1 to 40 of A-Z a-z 0-9 _ -")
    if secret is not None and not (secret.isprintable() and SHORTEST_SECRET <= len(secret) <= SECRET_LENGTH):
        raise Invalid(f"a SIP password is {SHORTEST_SECRET} to {SECRET_LENGTH} printable characters")
    async with database.connection() as connection:
        await connection.execute(SQL["create"], extension, secret or new_sip_secret(), call_server, profile)


async def assign(database: Database, extension: str, user_id: int) -> None:
    """Give a free extension to a user.

    Raises NoSuchExtension, NoSuchUser, AlreadyExists when either has another already.
    """
    async with database.connection() as connection:
        try:
            if await connection.fetchval(SQL["assign"], extension, user_id) is not None:
                return
        except asyncpg.UniqueViolationError:
            raise AlreadyExists("this user has an extension already") from None
        there = await connection.fetchrow(SQL["exists"], extension, user_id)
    assert there is not None
    if not there["extension"]:
        raise NoSuchExtension(f"there is no extension {extension!r}")
    if not there["person"]:
        raise NoSuchUser(f"there is no user {user_id}")
    raise ExtensionTaken(extension)


@again_on_fresh_statements
async def give(database: Database, extension: str, *, uid: str = "", name: str = "") -> list[str]:
    """Give an extension to a user, by uid or name, instead of the one that they had. What they had is returned.

    All of it happens, or nothing. Raises NoSuchUser, NoSuchExtension, ExtensionTaken.
    """
    async with database.connection() as connection, connection.transaction():
        return await given(connection, extension, uid=uid, name=name)


async def given(connection: asyncpg.pool.PoolConnectionProxy, extension: str, *, uid: str, name: str) -> list[str]:
    """The same, inside the caller's transaction."""
    person, key = ("person_by_uid", uid) if uid else ("person_by_name", folded(name))
    user = await connection.fetchrow(SQL[person], key) if _storable(key) else None
    if user is None:
        raise NoSuchUser(f"there is no user {uid or name!r}")
    row = await connection.fetchrow(SQL["holder"], extension) if _storable(extension) else None
    if row is None:
        raise NoSuchExtension(f"there is no extension {extension!r}")
    if row["user_id"] not in (None, user["user_id"]):
        raise ExtensionTaken(extension)
    freed = await connection.fetch(SQL["free_others"], user["user_id"], extension)
    await connection.execute(SQL["give"], extension, user["user_id"])
    return [row["extension"] for row in freed]


async def take(database: Database, name: str) -> AssignedExtension:
    """Take a user's extension, by the user's name; its secret changes. Raises NoSuchUser, NoSuchExtension."""
    if not _storable(name):
        raise NoSuchUser(f"there is no user {name!r}")
    async with database.connection() as connection:
        row = await connection.fetchrow(SQL["take"], folded(name))
        if row is None and await connection.fetchrow(SQL["person_by_name"], folded(name)) is None:
            raise NoSuchUser(f"there is no user {name!r}")
    if row is None:
        raise NoSuchExtension(f"{name} has no extension")
    return AssignedExtension(**row)


async def unassign(database: Database, extension: str) -> None:
    """Take an extension from its user; its secret changes. Raises NoSuchExtension."""
    await _change(database, "unassign", extension)


async def rotate(database: Database, extension: str) -> None:
    """Give an extension a new random secret. Raises NoSuchExtension."""
    await _change(database, "rotate", extension, new_sip_secret())


async def set_enabled(database: Database, extension: str, enabled: bool) -> None:
    """Let an extension register, or not. Raises NoSuchExtension."""
    await _change(database, "set_enabled", extension, enabled)


async def delete(database: Database, extension: str) -> None:
    """Remove an extension. Raises NoSuchExtension."""
    await _change(database, "delete", extension)


async def listed(database: Database) -> list[dict[str, Any]]:
    """All extensions, without their secrets."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]


async def _change(database: Database, statement: str, extension: str, *values: Any) -> None:
    async with database.connection() as connection:
        if await connection.fetchval(SQL[statement], extension, *values) is None:
            raise NoSuchExtension(f"there is no extension {extension!r}")


def _storable(text: str) -> bool:
    """Whether PostgreSQL can have such a text at all."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
