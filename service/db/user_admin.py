"""Users in PostgreSQL as admins and operators change them. Triggers end the tokens and the phone of whoever loses them.

One rule for both: nobody takes away the last active admin. In psql an operator may, to repair what is broken.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from service.credentials import new_uid
from service.db import sql, users
from service.db.pool import Database, again_on_fresh_statements
from service.db.users import UserRow, shown_of
from service.domain.models import Role
from service.domain.names import folded
from service.errors import LastAdmin, NotFound, UserTaken

SQL = sql.load("user_changes")
_KEYS = {
    "users_folded_name_key": "name",
    "users_folded_email_key": "email",
    "users_name_key": "name",  # these two are on lower(), for the release before
    "users_email_key": "email",
}
Connection = asyncpg.pool.PoolConnectionProxy


@again_on_fresh_statements
async def create(database: Database, values: Mapping[str, Any], created_by: int) -> UserRow:
    """Make a user. `values` are JSON's, by field; `passwd` is the hash. Raises UserTaken, Invalid."""
    async with _changing(database) as connection:
        await _refuse_taken(connection, None, values)
        required = (values["name"], values.get("email"), values["passwd"], values["user_type"])
        user_id = await connection.fetchval(users.SQL["create"], *required, None, None, new_uid(), created_by)
        return await _changed(connection, user_id, values)


@again_on_fresh_statements
async def change(database: Database, user_id: int, values: Mapping[str, Any]) -> UserRow:
    """Set these fields, and leave the others. Raises NotFound, LastAdmin, UserTaken, Invalid."""
    async with _changing(database) as connection:
        if _takes_away(values):
            await _leave_an_admin(connection, user_id)
        await _refuse_taken(connection, user_id, values)
        return await _changed(connection, user_id, values)


@again_on_fresh_statements
async def delete(database: Database, user_id: int) -> str:
    """Remove a user; their extension is nobody's then, with another secret. Returns the name.

    Raises NotFound, LastAdmin.
    """
    async with _changing(database) as connection:
        await _leave_an_admin(connection, user_id)
        name: str | None = await connection.fetchval(SQL["delete"], user_id)
        if name is None:
            raise NotFound(f"there is no user {user_id}")
        return name


@asynccontextmanager
async def _changing(database: Database) -> AsyncIterator[Connection]:
    """All of it, or nothing."""
    async with database.connection() as connection:
        try:
            async with connection.transaction():
                yield connection
        except asyncpg.UniqueViolationError as error:  # somebody was faster
            if (field := _KEYS.get(error.constraint_name or "")) is None:
                raise
            raise UserTaken(frozenset({field})) from None


async def _changed(connection: Connection, user_id: int, values: Mapping[str, Any]) -> UserRow:
    if await connection.fetchval(SQL["change"], user_id, json.dumps(values)) is None:
        raise NotFound(f"there is no user {user_id}")
    row = await connection.fetchrow(users.SQL["get"], user_id)
    assert row is not None, "it was there a moment ago, in the same transaction"
    return shown_of(row)


async def _refuse_taken(connection: Connection, user_id: int | None, values: Mapping[str, Any]) -> None:
    keys = ((value := values.get(field)) and folded(value) for field in ("name", "email"))
    row = await connection.fetchrow(SQL["taken"], user_id, *keys)
    assert row is not None
    if taken := frozenset(name for name in ("name", "email") if row[name]):
        raise UserTaken(taken)


def _takes_away(values: Mapping[str, Any]) -> bool:
    """Whether an active admin would be none any more."""
    return values.get("user_type", Role.ADMIN) != Role.ADMIN or not values.get("active", True)


async def _leave_an_admin(connection: Connection, user_id: int) -> None:
    if [row["user_id"] for row in await connection.fetch(SQL["admins"])] == [user_id]:
        raise LastAdmin("this is the last active admin: make another one first")
