"""User management by admins and operators. Triggers revoke the tokens and the extension of a user who loses them.

The last active admin cannot be removed, neither over HTTP nor on the command line. It is possible in psql, for repairs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from service.credentials import new_uid
from service.db import sql, users
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.db.users import UserRow, parse_user_row
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.domain.models import Role
from service.domain.user_names import folded
from service.errors import LastAdmin, NotFound, UserTaken

SQL = sql.load("user_changes")
_KEYS = {
    "users_folded_name_key": "name",
    "users_folded_email_key": "email",
    "users_name_key": "name",  # this and the next are on lower(), for the previous release
    "users_email_key": "email",
}
Connection = asyncpg.pool.PoolConnectionProxy


@retry_outdated_statements
async def create(database: Database, values: Mapping[str, Any], created_by: int, *, origin: Origin) -> UserRow:
    """Create a user. `values` maps fields to JSON values; `passwd` is the hash. Raises UserTaken, Invalid."""
    async with _transaction(database) as connection:
        await _refuse_taken(connection, None, values)
        required = (values["name"], values.get("email"), values["passwd"], values["user_type"])
        user_id = await connection.fetchval(users.SQL["create"], *required, None, None, new_uid(), created_by)
        row = await _update(connection, user_id, values)
        subject, details = Subject.user(user_id, row.name), {"user_type": row.user_type}
        await record(connection, AuditedChange(Action.USER_CREATED, subject, origin, details))
        return row


@retry_outdated_statements
async def change(
    database: Database,
    user_id: int,
    values: Mapping[str, Any],
    *,
    origin: Origin,
    action: Action = Action.USER_UPDATED,
) -> UserRow:
    """Set these fields and leave all others. Raises NotFound, LastAdmin, UserTaken, Invalid."""
    async with _transaction(database) as connection:
        if _removes_admin(values):
            await _refuse_last_admin(connection, user_id)
        await _refuse_taken(connection, user_id, values)
        row = await _update(connection, user_id, values)
        subject, details = Subject.user(user_id, row.name), {"fields": sorted(values)}
        await record(connection, AuditedChange(action, subject, origin, details))
        return row


@retry_outdated_statements
async def delete(database: Database, user_id: int, *, origin: Origin) -> str:
    """Delete a user; their extension is unassigned and gets a new secret. Returns the name.

    Raises NotFound, LastAdmin.
    """
    async with _transaction(database) as connection:
        await _refuse_last_admin(connection, user_id)
        name: str | None = await connection.fetchval(SQL["delete"], user_id)
        if name is None:
            raise NotFound(f"there is no user {user_id}")
        await record(connection, AuditedChange(Action.USER_DELETED, Subject.user(user_id, name), origin))
        return name


@asynccontextmanager
async def _transaction(database: Database) -> AsyncIterator[Connection]:
    """Open a transaction. Raises UserTaken when a concurrent one took a name or e-mail first."""
    async with database.connection() as connection:
        try:
            async with connection.transaction():
                yield connection
        except asyncpg.UniqueViolationError as error:
            if (field := _KEYS.get(error.constraint_name or "")) is None:
                raise
            raise UserTaken(frozenset({field})) from None


async def _update(connection: Connection, user_id: int, values: Mapping[str, Any]) -> UserRow:
    if await connection.fetchval(SQL["change"], user_id, json.dumps(values)) is None:
        raise NotFound(f"there is no user {user_id}")
    row = await connection.fetchrow(users.SQL["get"], user_id)
    assert row is not None, "the same transaction has just updated this row"
    return parse_user_row(row)


async def _refuse_taken(connection: Connection, user_id: int | None, values: Mapping[str, Any]) -> None:
    keys = ((value := values.get(field)) and folded(value) for field in ("name", "email"))
    row = await connection.fetchrow(SQL["find_taken"], user_id, *keys)
    assert row is not None
    if taken := frozenset(name for name in ("name", "email") if row[name]):
        raise UserTaken(taken)


def _removes_admin(values: Mapping[str, Any]) -> bool:
    """Return whether an active admin would lose the role or be deactivated."""
    return values.get("user_type", Role.ADMIN) != Role.ADMIN or not values.get("active", True)


async def _refuse_last_admin(connection: Connection, user_id: int) -> None:
    if [row["user_id"] for row in await connection.fetch(SQL["lock_admins"])] == [user_id]:
        raise LastAdmin("this is the last active admin: make another one first")
