"""Phones of a person in PostgreSQL: further ones beside the extension's own phone, each revocable alone.

Asterisk reads endpoint, auth and AOR of each from its views. The AOR of the own phone lists all that a call rings, so
a new phone rings, and a deleted one no longer does, from the next call on.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from service.credentials import new_sip_secret
from service.db import ownership, phone_setups, sql
from service.db.audit import record
from service.db.phone_setups import SetupLink
from service.db.pool import Database, retry_outdated_statements
from service.db.text import is_storable
from service.domain.audit import Action, AuditedChange, Detail, Origin, Subject
from service.domain.phone_kinds import PhoneKind
from service.domain.user_names import folded
from service.errors import NoSuchExtension, NoSuchPhone, NoSuchUser, PhoneRefused

SQL = sql.load("phones")
MAX_LABEL_LENGTH = 200
"""Maximum length of a label, in characters."""
SUFFIX_ALPHABET, SUFFIX_LENGTH = "abcdefghijklmnopqrstuvwxyz23456789", 6
"""Of the part of an endpoint behind the number and a dot: 1.5 thousand million names."""
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class StoredPhone:
    """A stored phone and its user, without its SIP password."""

    phone_id: int
    kind: str
    label: str
    extension: str
    call_server: str
    endpoint: str
    created_at: datetime | None
    """None: before phones had a table of their own."""
    uid: str | None
    username: str | None
    last_fetched_at: datetime | None
    """When it fetched its configuration last; None: never."""
    last_fetched_from: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who shall have a phone: one of the three is given."""

    user_id: int | None = None
    uid: str = ""
    name: str = ""


@retry_outdated_statements
async def create(
    database: Database,
    holder: Holder,
    kind: PhoneKind,
    label: str,
    *,
    origin: Origin,
    most: int,
    with_link: bool,
    imported: Collection[str] = (),
) -> tuple[StoredPhone, SetupLink | None]:
    """Create a phone for a person's extension, which may have `most` phones. Returns it, and its set-up link.

    There is a link if `with_link` is given and phones of this kind are set up by one.
    Raises NoSuchUser, NoSuchExtension, OwnedByAsterisk, PhoneRefused.
    """
    async with database.connection() as connection, connection.transaction():
        user_id = await _find_user(connection, holder)
        extension: str | None = await connection.fetchval(SQL["lock_extension_of_user"], user_id)
        if extension is None:
            raise NoSuchExtension("this user has no extension")
        call_server = await _check_owner(connection, extension, most, imported)
        phone_id, endpoint = await _insert(connection, call_server, extension, kind, label)
        details: dict[str, Detail] = {"extension": extension, "kind": kind.name, "label": label}
        subject = Subject.phone(endpoint, phone_id)
        await record(connection, AuditedChange(Action.PHONE_CREATED, subject, origin, details))
        link = None
        if with_link and kind.set_up is not None:
            link = await phone_setups.start_locked(connection, phone_id, endpoint, kind.name, origin)
        return await _get(connection, phone_id), link


@retry_outdated_statements
async def delete(
    database: Database,
    phone_id: int,
    *,
    origin: Origin,
    holder: int | None = None,
    imported: Collection[str] = (),
) -> tuple[str, str]:
    """Delete a phone, with its SIP password, set-up link and device URL. Returns its extension and endpoint.

    `holder`: the user_id of the person whose phone it must be; None: anybody's.
    Raises NoSuchPhone, OwnedByAsterisk, and PhoneRefused for the extension's own phone.
    """
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["lock_phone"], phone_id)
        if row is None or holder not in (None, row["user_id"]):
            raise NoSuchPhone(f"there is no phone {phone_id}")
        await ownership.refuse_imported(connection, row["call_server"], imported, ownership.DELETE)
        if row["is_own"]:
            raise own_phone(row["extension"])
        if await connection.fetchval(SQL["delete"], phone_id) is None:  # deleted while the lock was waited for
            raise NoSuchPhone(f"there is no phone {phone_id}")
        subject, details = Subject.phone(row["endpoint"], phone_id), {"extension": row["extension"]}
        await record(connection, AuditedChange(Action.PHONE_DELETED, subject, origin, details))
    return row["extension"], row["endpoint"]


async def get(database: Database, phone_id: int) -> StoredPhone:
    """Return one phone. Raises NoSuchPhone."""
    async with database.connection() as connection:
        return await _get(connection, phone_id)


async def list_of_user(database: Database, user_id: int) -> list[StoredPhone]:
    """List the phones of a user, the extension's own one first."""
    async with database.connection() as connection:
        return [StoredPhone(**row) for row in await connection.fetch(SQL["of_user"], user_id)]


async def list_stored(database: Database, extension: str | None = None) -> list[StoredPhone]:
    """List the phones of an extension, or of all, the own one of each first."""
    async with database.connection() as connection:
        return [StoredPhone(**row) for row in await connection.fetch(SQL["list"], extension)]


def own_phone(extension: str) -> PhoneRefused:
    """Return the error for deleting an extension's own phone."""
    return PhoneRefused(
        f"this is the own phone of extension {extension}, which answers to its number: rotate its SIP password instead"
    )


def limit_reached(extension: str, most: int) -> PhoneRefused:
    """Return the error for one phone too many."""
    return PhoneRefused(f"extension {extension} has {most} phones, the maximum: delete one that is no longer used")


async def _find_user(connection: ownership.Connection, holder: Holder) -> int:
    if holder.user_id is not None:
        return holder.user_id
    by_uid, by_name = (holder.uid, None) if holder.uid else (None, folded(holder.name))
    found: int | None = None
    if is_storable(by_uid or by_name or ""):
        found = await connection.fetchval(SQL["find_user"], by_uid, by_name)
    if found is None:
        raise NoSuchUser(f"there is no user {holder.uid or holder.name!r}")
    return found


async def _check_owner(connection: ownership.Connection, extension: str, most: int, imported: Collection[str]) -> str:
    """Return the call server of a locked extension that may have a further phone. Raises PhoneRefused."""
    row = await connection.fetchrow(SQL["owner"], extension)
    if row is None:
        raise NoSuchUser("the user was deleted meanwhile")
    await ownership.refuse_imported(connection, row["call_server"], imported, ownership.CREATE)
    if not row["active"]:
        raise PhoneRefused(f"user {row['username']} is inactive: activate the user first")
    if not row["enabled"]:
        raise PhoneRefused(f"extension {extension} is disabled: enable it first")
    if row["phones"] >= most:
        raise limit_reached(extension, row["phones"])
    call_server: str = row["call_server"]
    return call_server


async def _insert(
    connection: ownership.Connection, call_server: str, extension: str, kind: PhoneKind, label: str
) -> tuple[int, str]:
    """Insert the phone under a name that no phone had before: a revoked phone must not be taken for a new one."""
    for _ in range(_ATTEMPTS):
        endpoint = f"{extension}.{new_suffix()}"
        phone_id = await connection.fetchval(
            SQL["create"], call_server, endpoint, extension, new_sip_secret(), kind.profile, kind.name, label
        )
        if phone_id is not None:
            return phone_id, endpoint
    raise PhoneRefused(f"extension {extension} has used up the names of its phones")


def new_suffix() -> str:
    """Return a random name of a phone, without the number."""
    return "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))


async def _get(connection: ownership.Connection, phone_id: int) -> StoredPhone:
    row = await connection.fetchrow(SQL["get"], phone_id)
    if row is None:
        raise NoSuchPhone(f"there is no phone {phone_id}")
    return StoredPhone(**row)
