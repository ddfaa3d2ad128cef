"""Set-up links of phones in PostgreSQL: a new one, a fetch, and its end.

A link is valid for ten minutes and a few fetches. Each fetch makes a new SIP password and a new device URL, and ends
those of the fetch before: who fetched before the phone did is left with nothing. Triggers end link and URL with the
SIP password: see migration 0026.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from service.credentials import new_sip_secret
from service.db import ownership, sql
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Detail, Origin, Subject
from service.domain.phone_kinds import PHONE_KINDS
from service.domain.setup_tokens import LINK_FETCHES, LINK_LIFETIME, hash_setup_token, new_setup_token
from service.domain.setup_urls import NO_PUBLIC_URL
from service.errors import NoSetup, NoSuchLink, NoSuchPhone

SQL = sql.load("phone_setups")


@dataclass(frozen=True, slots=True)
class SetupLink:
    """A new set-up link."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Fetched:
    """One fetch of a set-up link: the phone, its new SIP password and the token of its device URL."""

    phone_id: int
    extension: str
    endpoint: str
    secret: str = field(repr=False)
    device_token: str = field(repr=False)


@retry_outdated_statements
async def start(
    database: Database,
    phone_id: int,
    *,
    origin: Origin,
    holder: int | None = None,
    imported: Collection[str] = (),
    has_url: bool = True,
) -> SetupLink:
    """Make a set-up link for a phone; the one before ends.

    `holder`: the user_id of the person whose phone it must be; None: anybody's. `has_url`: whether links have a URL.
    Raises NoSuchPhone, OwnedByAsterisk, and NoSetup for a phone of a kind that is not set up by a link.
    """
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["lock_phone"], phone_id)
        if row is None or holder not in (None, row["user_id"]):
            raise NoSuchPhone(f"there is no phone {phone_id}")
        await ownership.refuse_imported(connection, row["call_server"], imported, ownership.CHANGE_PASSWORD)
        if not has_url:
            raise NoSetup(NO_PUBLIC_URL)
        return await start_locked(connection, phone_id, row["endpoint"], row["kind"], origin)


def no_setup(kind: str) -> NoSetup:
    """Return the error for a phone of a kind that no link sets up."""
    return NoSetup(f"a phone of kind {kind} is not set up by a link")


async def start_locked(
    connection: ownership.Connection, phone_id: int, endpoint: str, kind: str, origin: Origin
) -> SetupLink:
    """Make a link and audit it in the caller's transaction, which has locked the extension. Raises NoSetup."""
    known = PHONE_KINDS.get(kind)
    if known is None or known.set_up is None:
        raise no_setup(kind)
    token = new_setup_token()
    expires_at = await connection.fetchval(
        SQL["start"], phone_id, hash_setup_token(token), float(LINK_LIFETIME), LINK_FETCHES
    )
    subject = Subject.phone(endpoint, phone_id)
    await record(connection, AuditedChange(Action.PHONE_SETUP, subject, origin, {"kind": kind}))
    return SetupLink(token, expires_at)


@retry_outdated_statements
async def fetch(
    database: Database,
    link_hash: bytes,
    *,
    origin: Origin,
    shown_as: str,
    consume: bool = False,
    imported: Collection[str] = (),
) -> Fetched:
    """Fetch a phone's configuration by a link, once. `consume` ends the link at once.

    `shown_as` says in the audit trail what holds the SIP password, such as `linphone.xml`.
    Raises NoSuchLink: the link is unknown, has expired or ended, or its phone may not register.
    """
    async with database.connection() as connection, connection.transaction():
        await connection.fetchrow(SQL["lock_link"], link_hash)
        row = await connection.fetchrow(SQL["valid_link"], link_hash, list(imported))
        if row is None:
            raise NoSuchLink("the set-up link is not valid")
        secret, device_token = new_sip_secret(), new_setup_token()
        await connection.execute(SQL["new_secret"], row["phone_id"], secret)
        left = 0 if consume else row["fetches_left"] - 1
        await connection.execute(
            SQL["fetched"],
            row["phone_id"],
            hash_setup_token(device_token),
            link_hash,
            left,
            row["link_expires_at"],
        )
        subject = Subject.phone(row["endpoint"], row["phone_id"])
        details: dict[str, Detail] = {"extension": row["extension"], "as": shown_as, "fetches_left": left}
        await record(connection, AuditedChange(Action.SECRET_DISCLOSED, subject, origin, details))
    return Fetched(row["phone_id"], row["extension"], row["endpoint"], secret, device_token)


@retry_outdated_statements
async def end_link(database: Database, phone_id: int, link_hash: bytes) -> bool:
    """End the link by which a phone has fetched its configuration, now that it registered.

    Returns whether it was still valid. A newer link of the phone stays.
    """
    async with database.connection() as connection:
        return await connection.fetchval(SQL["end_link"], phone_id, link_hash) is not None
