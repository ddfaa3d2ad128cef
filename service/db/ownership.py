"""Refuses what only the Asterisk of an imported call server can change, and names what stays valid there.

A call server is imported if PostgreSQL or the caller's settings (`imported`) say so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import asyncpg

from service.db import sql
from service.db.pool import Database
from service.errors import NoSuchExtension, OwnedByAsterisk

SQL = sql.load("ownership")
Connection = asyncpg.pool.PoolConnectionProxy

CREATE = "create the endpoint in its configuration, then {}"
CHANGE_PASSWORD = "change the SIP password in its configuration, then {}"  # noqa: S105 - a text
CHANGE_PROFILE = "change the option webrtc of the endpoint in its configuration, then {}"
DELETE = "delete the endpoint in its configuration, then {} --remove-gone"
"""What to do instead; `{}` stands for the command that imports."""


@dataclass(frozen=True, slots=True)
class UnrevokedEndpoint:
    """An endpoint whose SIP password Asterisk still accepts."""

    call_server: str
    endpoint: str


def owned_by_asterisk(call_server: str, remedy: str) -> OwnedByAsterisk:
    """Return the error with one of the remedies above."""
    command = f"extension import --call-server {call_server} --from-ami USER --apply"
    return OwnedByAsterisk(call_server, remedy.format(f"run {command}"))


async def refuse_imported(connection: Connection, call_server: str, imported: Collection[str], remedy: str) -> None:
    """Raise OwnedByAsterisk with this remedy if the call server is imported."""
    if call_server in imported or await connection.fetchval(SQL["is_imported"], call_server):
        raise owned_by_asterisk(call_server, remedy)


async def lock_managed(connection: Connection, number: str, imported: Collection[str], remedy: str) -> None:
    """Lock an extension. Raises NoSuchExtension, and OwnedByAsterisk with this remedy on an imported call server."""
    call_server = await connection.fetchval(SQL["lock"], number)
    if call_server is None:
        raise NoSuchExtension(f"there is no extension {number!r}")
    await refuse_imported(connection, call_server, imported, remedy)


async def list_accepted(connection: Connection, call_server: str) -> list[str]:
    """List the endpoints of an imported call server that may not register here, and that its Asterisk accepts."""
    return [row["endpoint"] for row in await connection.fetch(SQL["accepted"], call_server)]


async def list_unrevoked(
    database: Database, imported: Collection[str], *, number: str | None = None, user_id: int | None = None
) -> list[UnrevokedEndpoint]:
    """List the endpoints of an extension, or of a user's, that Asterisk lets register whatever becomes of it here."""
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["unrevoked"], number, user_id, list(imported))
    return [UnrevokedEndpoint(**row) for row in rows]
