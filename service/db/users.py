"""Users in PostgreSQL: the row behind `/user/{user_id}`, lookups for logins, and changes by operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import asyncpg
import msgspec

from service.credentials import is_uid, new_uid
from service.db import sql
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.db.row_update import update_row
from service.db.text import is_storable
from service.domain.audit import Action, AuditedChange, Detail, Origin, Subject
from service.domain.models import MAX_USER_ID, Person, Role
from service.domain.user_names import folded, new_email, new_name
from service.errors import Ambiguous, NoSuchUser, RowUnreadable

SQL = sql.load("users")
_KINDS = ("id", "uid", "name", "email")


class UserRow(msgspec.Struct, frozen=True, omit_defaults=False):
    """The 38 stored fields of a user, in the contract's order (`is_online` is derived)."""

    user_id: int
    passwd: str
    user_type: str
    active: bool
    carrier_name: str | None
    default_mod: str
    reseller_id: int | None
    outbound_report: bool
    client_limits: msgspec.Raw
    last_name: str | None
    role_id: int | None
    last_login_time: datetime | None
    all_termination: bool
    report_fields: str
    client: msgspec.Raw
    report_count: str
    name: str
    first_name: str | None
    cdr_expire: datetime | None
    is_preload: bool
    landing_page: str
    login_ip: str | None
    default_mod2: str
    avatar_id: int | None
    create_user_id: int | None
    create_time: datetime
    agent: msgspec.Raw
    report_group: bool
    auth_ip: list[str]
    default_billing_decimal: int
    card_id: int
    email: str | None
    last_seen: datetime | None
    role_name: str
    client_id: int | None
    fullname: str | None
    cdr_api_token: str | None
    show_carrier_trunk_drop_only: bool


_columns = itemgetter(*UserRow.__struct_fields__)
_JSON = [UserRow.__struct_fields__.index(name) for name in ("client_limits", "client", "agent")]


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A person, their password hash, and the networks that they may log in from; empty means any."""

    person: Person
    passwd: str = field(repr=False)
    auth_ip: tuple[str, ...]


async def find_login(database: Database, name_or_email: str) -> StoredLogin | None:
    """Find the person, active or not, whose folded name or e-mail (`names.folded`) this is."""
    if not is_storable(name_or_email):
        return None
    async with database.connection() as connection:
        row = await connection.fetchrow(SQL["find_login"], folded(name_or_email))
    return StoredLogin(parse_person(row), row["passwd"], tuple(row["auth_ip"])) if row else None


async def list_login_addresses(database: Database, since: datetime, limit: int) -> list[tuple[int, str, datetime]]:
    """List (user id, address, time) of each user's last login after `since`, newest first."""
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["login_addresses"], since, limit)
    return [(row["user_id"], row["login_ip"], row["last_login_time"]) for row in rows]


async def find_person(database: Database, text: str) -> Person:
    """Find a person by user_id, uid, name or e-mail; the prefix `id:`, `uid:`, `name:` or `email:` selects one kind.

    Raises NoSuchUser, Ambiguous.
    """
    prefix, colon, rest = text.partition(":")
    kind, word = (prefix, rest) if colon and prefix in _KINDS else ("", text)
    keys = {
        "id": int(word) if word.isascii() and word.isdigit() and len(word) < 20 and int(word) <= MAX_USER_ID else None,
        "uid": word if is_uid(word) else None,
        "name": folded(word) if is_storable(word) else None,
        "email": folded(word) if is_storable(word) else None,
    }
    parameters = [keys[each] if kind in ("", each) else None for each in _KINDS]
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["find_person"], *parameters)
    if not rows:
        raise NoSuchUser(f"there is no user {text!r}")
    if len(rows) > 1:
        candidates = ", ".join(f"id:{row['user_id']} ({row['name']})" for row in rows)
        raise Ambiguous(f"{text!r} may be any of {candidates}: say which")
    return parse_person(rows[0])


@retry_outdated_statements
async def create(
    database: Database,
    *,
    origin: Origin,
    name: str,
    passwd: str,
    role: Role,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    created_by: int | None = None,
) -> int:
    """Create a user and return the user_id; `passwd` is the hash. Raises AlreadyExists, Invalid."""
    values = (new_name(name), new_email(email), passwd, role.value, first_name, last_name)
    async with database.connection() as connection, connection.transaction():
        user_id: int = await connection.fetchval(SQL["create"], *values, new_uid(), created_by)
        created = AuditedChange(Action.USER_CREATED, Subject.user(user_id), origin, {"user_type": role.value})
        await record(connection, created)
    return user_id


@retry_outdated_statements
async def set_password(
    database: Database, user_id: int, passwd: str, *, origin: Origin, keep_phones: bool = False
) -> None:
    """Store a new password hash, which ends the SIP passwords of the user's phones, set-up links and device URLs.

    `keep_phones`: device URLs stay, so that phones which read one register again. Raises NoSuchUser.
    """
    details: dict[str, Detail] = {"keep_phones": True} if keep_phones else {}
    async with database.connection() as connection, connection.transaction():
        if keep_phones:
            await connection.execute(SQL["keep_device_urls"])
        if await connection.fetchval(SQL["set_password"], user_id, passwd) is None:
            raise NoSuchUser(f"there is no user {user_id}")
        await record(connection, AuditedChange(Action.USER_PASSWORD, Subject.user(user_id), origin, details))


async def activate(database: Database, user_id: int, *, origin: Origin) -> None:
    """Allow a user to log in again. Raises NoSuchUser."""
    await _update(database, "activate", user_id, action=Action.USER_ACTIVATED, origin=origin)


async def set_auth_ip(database: Database, user_id: int, networks: Sequence[str], *, origin: Origin) -> None:
    """Set the networks that a user may log in from; empty means any. Raises NoSuchUser."""
    details: dict[str, Detail] = {"networks": list(networks)}
    await _update(
        database, "set_auth_ip", user_id, networks, action=Action.USER_NETWORKS, origin=origin, details=details
    )


async def list_all(database: Database) -> list[dict[str, Any]]:
    """List all users, with their most important columns."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]


async def fetch_summary(database: Database, user_id: int) -> dict[str, Any]:
    """Fetch one user's summary for an operator, without the password hash. Raises NoSuchUser."""
    async with database.connection() as connection:
        row = await connection.fetchrow(SQL["summary"], user_id)
    if row is None:
        raise NoSuchUser(f"there is no user {user_id}")
    return dict(row)


async def _update(
    database: Database,
    statement: str,
    user_id: int,
    *values: Any,
    action: Action,
    origin: Origin,
    details: Mapping[str, Detail] | None = None,
) -> None:
    missing = NoSuchUser(f"there is no user {user_id}")
    change = AuditedChange(action, Subject.user(user_id), origin, details or {})
    await update_row(database, SQL[statement], user_id, *values, missing=missing, change=change)


def parse_user_row(row: asyncpg.Record) -> UserRow:
    """Parse a row that has the 38 columns; it may have others."""
    values = list(_columns(row))
    for index in _JSON:
        values[index] = msgspec.Raw((values[index] or "null").encode())
    return UserRow(*values)


def parse_person(row: asyncpg.Record) -> Person:
    """Parse a row that has a person's columns. Raises RowUnreadable for values that only a newer release knows."""
    names = [part for part in (row["first_name"], row["last_name"]) if part]
    values = {name: row[name] for name in ("user_id", "uid", "name", "active", "email", "email_verified")}
    values |= {"role": row["user_type"], "display_name": row["fullname"] or " ".join(names) or row["name"]}
    try:
        return msgspec.convert(values, Person)
    except msgspec.ValidationError as error:
        raise RowUnreadable(f"this release cannot read the row of user {row['user_id']}: {error}") from None
