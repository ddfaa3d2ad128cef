"""SIP passwords of phones: rotation, and new ones for phones whose password has ended.

Triggers see to what must end at once, whoever causes it: see migration 0023.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from service.credentials import new_sip_secret
from service.db import ownership, sql
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Detail, Origin, Subject
from service.errors import NoSuchExtension, RotationUnderWay

SQL = sql.load("phone_secrets")
FILLING = Origin.of_service("phones without a SIP password")


@dataclass(frozen=True, slots=True)
class RotatedPhone:
    """A phone with a new SIP password, and until when the one before stays valid; None: it has ended."""

    phone_id: int
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
    """Replace the SIP password of a phone, by default of the own phone, with a random one.

    The present password stays valid for `overlap` seconds; 0 ends it, and the one before, at once.
    Raises NoSuchExtension, OwnedByAsterisk, RotationUnderWay.
    """
    async with database.connection() as connection, connection.transaction():
        await ownership.lock_managed(connection, extension, imported, ownership.CHANGE_PASSWORD)
        if overlap > 0:
            until: datetime | None = await connection.fetchval(SQL["rotation_under_way"], extension, phone_id)
            if until is not None:
                raise RotationUnderWay(
                    f"the SIP password before the last rotation is valid until {until:%Y-%m-%d %H:%M:%S} UTC: "
                    "rotate at once, or then"
                )
        row = await connection.fetchrow(SQL["rotate"], extension, phone_id, new_sip_secret(), overlap)
        if row is None:
            which = "phone of its own" if phone_id is None else f"phone {phone_id}"
            raise NoSuchExtension(f"extension {extension} has no {which}")
        rotated = RotatedPhone(**row)
        subject = Subject.phone(rotated.endpoint, rotated.phone_id)
        details: dict[str, Detail] = {"extension": extension, "overlap_seconds": int(overlap)}
        await record(connection, AuditedChange(Action.PHONE_ROTATED, subject, origin, details))
        return rotated


@retry_outdated_statements
async def fill_missing(database: Database) -> int:
    """Make a SIP password for each managed phone that has none. Returns how many this process has made.

    A password ends without another where a session without keys, such as psql, sets off a trigger.
    """
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["without_secret"])
        filled = 0
        for row in rows:
            async with connection.transaction():
                await connection.execute(ownership.SQL["lock"], row["extension"])
                made = await connection.fetch(SQL["fill"], row["extension"])
                for phone in made:
                    subject = Subject.phone(phone["endpoint"], phone["phone_id"])
                    await record(connection, AuditedChange(Action.PHONE_ROTATED, subject, FILLING))
                filled += len(made)
    return filled
