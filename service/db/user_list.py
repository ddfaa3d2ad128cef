"""Users in PostgreSQL, page by page."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.db import sql
from service.db.activity import Seen, columns
from service.db.pool import Database
from service.db.users import UserRow, shown_of
from service.domain.models import Role
from service.domain.names import folded

SQL = sql.load("user_list")


class OrderBy(enum.StrEnum):
    """Sort column."""

    USER_ID = "user_id"
    NAME = "name"
    EMAIL = "email"
    FULLNAME = "fullname"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    USER_TYPE = "user_type"
    ACTIVE = "active"
    ROLE_NAME = "role_name"
    CARRIER_NAME = "carrier_name"
    CREATE_USER_ID = "create_user_id"
    CREATE_TIME = "create_time"
    LAST_LOGIN_TIME = "last_login_time"
    LAST_SEEN = "last_seen"
    IS_ONLINE = "is_online"


class Direction(enum.StrEnum):
    """Sort direction."""

    ASC = "asc"
    DESC = "desc"


_WITHOUT_CASE = frozenset(
    {
        OrderBy.NAME,
        OrderBy.EMAIL,
        OrderBy.FULLNAME,
        OrderBy.FIRST_NAME,
        OrderBy.LAST_NAME,
        OrderBy.ROLE_NAME,
        OrderBy.CARRIER_NAME,
    }
)


def _ordered(by: OrderBy, direction: Direction) -> str:
    """The statement in one order; whoever has no value comes last."""
    column = f"lower({by.value})" if by in _WITHOUT_CASE else by.value
    return SQL["page"].replace("/* order */", f"{column} {direction.value} nulls last,")


_STATEMENTS = {(by, direction): _ordered(by, direction) for by in OrderBy for direction in Direction}


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users, in which order, and which page of them, counted from 0. None: any."""

    user_type: Role | None
    active: bool | None
    is_online: int | None
    order_by: OrderBy
    order_dir: Direction
    page: int
    per_page: int
    search: str | None = None
    """A text in a name or the e-mail, without regard to case as PostgreSQL has it."""


@dataclass(frozen=True, slots=True)
class ListedUsers:
    """A user, and 1 for online or 2 for not."""

    row: UserRow
    is_online: int


async def page(
    database: Database, wanted: UserFilter, pending: Mapping[int, Seen], online_since: datetime
) -> tuple[list[ListedUsers], int]:
    """The users of one page, and how many there are in all. `pending` counts as if it had been written."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            _STATEMENTS[wanted.order_by, wanted.order_dir],
            wanted.user_type,
            wanted.active,
            wanted.is_online,
            *columns(pending),
            online_since,
            wanted.per_page,
            wanted.page * wanted.per_page,
            folded(wanted.search) if wanted.search else None,
        )
    items = [ListedUsers(shown_of(row), row["is_online"]) for row in rows if row["user_id"] is not None]
    return items, rows[0]["total"]
