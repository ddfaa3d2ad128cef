"""SIP passwords of phones: rotation, and new ones for phones whose password has ended.

Triggers see to what must end at once, whoever causes it: see migration 0023.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials import new_sip_secret
from service.db import ownership, sql
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Detail, Origin, Subject
from service.errors import NoSuchPhone, RotationUnderWay

SQL = sql.load("phone_secrets")
FILLING = Origin.of_service("phones without a SIP password")


@dataclass(frozen=True, slots=True)
class RotatedPhone:
    """A phone with a new SIP password, and until when the one before stays valid; None: it has ended."""

    phone_id: int
    extension: str
    endpoint: str
    former_until: datetime | None


@retry_outdated_statements
async def rotate(
    database: Database,
    extension: str,
    *,
    origin: Origin,
    overlap: float,
    phone_id: int | None = None,
    imported: Collection[str] = (),
) -> RotatedPhone:
    """Replace the SIP password of an extension's phone, by default of its own phone, with a random one.

    The present password stays valid for `overlap` seconds; 0 ends it, and the one before, at once.
    Raises NoSuchExtension, NoSuchPhone, OwnedByAsterisk, RotationUnderWay.
    """
    async with database.connection() as connection, connection.transaction():
        await ownership.lock_managed(connection, extension, imported, ownership.CHANGE_PASSWORD)
        return await _rotate_locked(connection, extension, phone_id, overlap, origin)


@retry_outdated_statements
async def rotate_phone(
    database: Database,
    phone_id: int,
    *,
    origin: Origin,
    overlap: float,
    holder: int | None = None,
    imported: Collection[str] = (),
) -> RotatedPhone:
    """Do the same with a phone by its id. `holder`: the user_id of the person whose phone it must be; None: anybody's.

    Raises NoSuchPhone, OwnedByAsterisk, RotationUnderWay.
    """
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["lock_extension_of"], phone_id)
        if row is None or holder not in (None, row["user_id"]):
            raise NoSuchPhone(f"there is no phone {phone_id}")
        await ownership.refuse_imported(connection, row["call_server"], imported, ownership.CHANGE_PASSWORD)
        return await _rotate_locked(connection, row["extension"], phone_id, overlap, origin)


async def _rotate_locked(
    connection: ownership.Connection, extension: str, phone_id: int | None, overlap: float, origin: Origin
) -> RotatedPhone:
    """Rotate and audit in the caller's transaction, which has locked the extension."""
    if overlap > 0:
        until: datetime | None = await connection.fetchval(SQL["rotation_under_way"], extension, phone_id)
        if until is not None:
            raise RotationUnderWay(until)
    row = await connection.fetchrow(SQL["rotate"], extension, phone_id, new_sip_secret(), overlap)
    if row is None:
        which = "phone of its own" if phone_id is None else f"phone {phone_id}"
        raise NoSuchPhone(f"extension {extension} has no {which}")
    rotated = RotatedPhone(**row)
    subject = Subject.phone(rotated.endpoint, rotated.phone_id)
    details: dict[str, Detail] = {"extension": extension, "overlap_seconds": int(overlap)}
    await record(connection, AuditedChange(Action.PHONE_ROTATED, subject, origin, details))
    return rotated


@retry_outdated_statements
async def fill_missing(database: Database) -> int:
    """Make a SIP password for a bounded number of managed phones that have none. Returns how many were made.

    A password ends without another where a session without keys, such as psql, sets off a trigger. Extensions that
    another session holds are left to it, and to a further call.
    """
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["without_secret"])
        filled = 0
        for row in rows:
            async with connection.transaction():
                if await connection.fetchval(SQL["lock_to_fill"], row["extension"]) is None:
                    continue
                made = await connection.fetch(SQL["fill"], row["extension"])
                for phone in made:
                    subject = Subject.phone(phone["endpoint"], phone["phone_id"])
                    await record(connection, AuditedChange(Action.PHONE_ROTATED, subject, FILLING))
                filled += len(made)
    return filled


async def list_phones(database: Database, extension: str) -> list[dict[str, Any]]:
    """List the phones of an extension, the own one first, without their passwords."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["phones"], extension)]


@retry_outdated_statements
async def disclose(
    database: Database, extension: str, *, origin: Origin, phone_id: int | None = None
) -> dict[int, str | None]:
    """Return the SIP passwords of an extension's phones, or of one of them, by phone id; None for an unusable one.

    The disclosure is audited first, so there is none without its row. Raises NoSuchPhone.
    """
    async with database.connection() as connection, connection.transaction():
        rows = await connection.fetch(SQL["passwords"], extension, phone_id)
        if not rows and phone_id is not None:
            raise NoSuchPhone(f"extension {extension} has no phone {phone_id}")
        for row in rows:
            if row["password"] is not None:
                subject = Subject.phone(row["endpoint"], row["phone_id"])
                details: dict[str, Detail] = {"extension": extension}
                await record(connection, AuditedChange(Action.SECRET_DISCLOSED, subject, origin, details))
    return {row["phone_id"]: row["password"] for row in rows}


async def list_rotated_with(database: Database, user_id: int, imported: Collection[str]) -> list[str]:
    """List the endpoints whose SIP passwords end with a new password or deactivation of this user."""
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["rotated_with"], user_id, list(imported))
    return [row["endpoint"] for row in rows]
