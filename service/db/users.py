"""Users in PostgreSQL: what `/user/{user_id}` shows, whose a token or a login is, and what an operator changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import asyncpg
import msgspec

from service.credentials import is_uid, new_uid
from service.db import sql
from service.db.pool import Database
from service.domain.models import Person, Role
from service.domain.names import folded, new_email, new_name
from service.errors import Ambiguous, NoSuchUser, RowUnreadable

SQL = sql.load("users")
MOST_USER_ID = 2**63 - 1
_KINDS = ("id", "uid", "name", "email")


class UserRow(msgspec.Struct, frozen=True, omit_defaults=False):
    """The 38 stored fields of a user, in the seed's order (`is_online` is derived)."""

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
    """A person, the hash of their password, and from where they may log in; from anywhere, if that is empty."""

    person: Person
    passwd: str = field(repr=False)
    auth_ip: tuple[str, ...]


async def by_login(database: Database, name_or_email: str) -> StoredLogin | None:
    """The person, active or not, with this name or e-mail, as `names.folded` has it."""
    if not _storable(name_or_email):
        return None
    async with database.connection() as connection:
        row = await connection.fetchrow(SQL["by_login"], folded(name_or_email))
    return StoredLogin(person_of(row), row["passwd"], tuple(row["auth_ip"])) if row else None


async def login_addresses(database: Database, since: datetime, most: int) -> list[tuple[int, str, datetime]]:
    """Who last logged in from where, and when: the newest first, after `since`."""
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["login_addresses"], since, most)
    return [(row["user_id"], row["login_ip"], row["last_login_time"]) for row in rows]


async def find(database: Database, who: str) -> Person:
    """Whom a command means: by user_id, uid, name or e-mail; `id:`, `uid:`, `name:` or `email:` before it says which.

    Raises NoSuchUser, Ambiguous.
    """
    kind, colon, rest = who.partition(":")
    only, word = (kind, rest) if colon and kind in _KINDS else ("", who)
    asked = {
        "id": int(word) if word.isascii() and word.isdigit() and len(word) < 20 and int(word) <= MOST_USER_ID else None,
        "uid": word if is_uid(word) else None,
        "name": folded(word) if _storable(word) else None,
        "email": folded(word) if _storable(word) else None,
    }
    async with database.connection() as connection:
        found = await connection.fetch(SQL["find"], *(asked[each] if only in ("", each) else None for each in _KINDS))
    if not found:
        raise NoSuchUser(f"there is no user {who!r}")
    if len(found) > 1:
        told = ", ".join(f"id:{row['user_id']} ({row['name']})" for row in found)
        raise Ambiguous(f"{who!r} may be any of {told}: say which")
    return person_of(found[0])


async def create(
    database: Database,
    *,
    name: str,
    passwd: str,
    role: Role,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    created_by: int | None = None,
) -> int:
    """Make a user; `passwd` is the hash. Raises AlreadyExists, Invalid."""
    who = (new_name(name), new_email(email), passwd, role.value, first_name, last_name)
    async with database.connection() as connection:
        made: int = await connection.fetchval(SQL["create"], *who, new_uid(), created_by)
    return made


async def set_password(database: Database, user_id: int, passwd: str) -> None:
    """Store a new hash. Raises NoSuchUser."""
    await _change(database, "set_password", user_id, passwd)


async def activate(database: Database, user_id: int) -> None:
    """Let somebody log in again. Raises NoSuchUser."""
    await _change(database, "activate", user_id)


async def set_auth_ip(database: Database, user_id: int, networks: Sequence[str]) -> None:
    """From where they may log in; from anywhere, if it is empty. Raises NoSuchUser."""
    await _change(database, "set_auth_ip", user_id, networks)


async def listed(database: Database) -> list[dict[str, Any]]:
    """All users, briefly."""
    async with database.connection() as connection:
        return [dict(row) for row in await connection.fetch(SQL["list"])]


async def brief(database: Database, user_id: int) -> dict[str, Any]:
    """What an operator wants to know of one user; no secret. Raises NoSuchUser."""
    async with database.connection() as connection:
        row = await connection.fetchrow(SQL["brief"], user_id)
    if row is None:
        raise NoSuchUser(f"there is no user {user_id}")
    return dict(row)


async def _change(database: Database, statement: str, user_id: int, *values: Any) -> None:
    async with database.connection() as connection:
        if await connection.fetchval(SQL[statement], user_id, *values) is None:
            raise NoSuchUser(f"there is no user {user_id}")


def _storable(text: str) -> bool:
    """Whether it could be anybody's at all: half a surrogate pair has no UTF-8, and PostgreSQL holds no NUL."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def shown_of(row: asyncpg.Record) -> UserRow:
    """A row with the 38 columns, and perhaps others, as a user."""
    values = list(_columns(row))
    for place in _JSON:
        values[place] = msgspec.Raw((values[place] or "null").encode())
    return UserRow(*values)


def person_of(row: asyncpg.Record) -> Person:
    """A row with a person's columns as that person. Raises RowUnreadable for one that a newer release wrote."""
    names = [part for part in (row["first_name"], row["last_name"]) if part]
    values = {name: row[name] for name in ("user_id", "uid", "name", "active", "email", "email_verified")}
    values |= {"role": row["user_type"], "display_name": row["fullname"] or " ".join(names) or row["name"]}
    try:
        return msgspec.convert(values, Person)
    except msgspec.ValidationError as error:
        raise RowUnreadable(f"this release cannot read the row of user {row['user_id']}: {error}") from None
