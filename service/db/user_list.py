"""The paginated list of users."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.db import sql
from service.db.activity import UserActivity, columns
from service.db.pool import Database
from service.db.users import UserRow, parse_user_row
from service.domain.models import Role
from service.domain.user_names import folded

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


_CASE_INSENSITIVE = frozenset(
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


def _page_statement(by: OrderBy, direction: Direction) -> str:
    """Build the statement for one sort order; nulls come last."""
    column = f"lower({by.value})" if by in _CASE_INSENSITIVE else by.value
    return SQL["page"].replace("/* order */", f"{column} {direction.value} nulls last,")


_STATEMENTS = {(by, direction): _page_statement(by, direction) for by in OrderBy for direction in Direction}


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Filter, sort order and page. `page` counts from 0; None in a filter means any."""

    user_type: Role | None
    active: bool | None
    is_online: int | None
    order_by: OrderBy
    order_dir: Direction
    page: int
    per_page: int
    search: str | None = None
    """A text that a name or the e-mail contains, case-insensitive by PostgreSQL's `folded`."""


@dataclass(frozen=True, slots=True)
class ListedUsers:
    """A user, and `is_online`: 1 for online, 2 for offline."""

    row: UserRow
    is_online: int


async def page(
    database: Database, user_filter: UserFilter, pending: Mapping[int, UserActivity], online_since: datetime
) -> tuple[list[ListedUsers], int]:
    """Fetch one page of users and the total. `pending` activity counts as if it were written."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            _STATEMENTS[user_filter.order_by, user_filter.order_dir],
            user_filter.user_type,
            user_filter.active,
            user_filter.is_online,
            *columns(pending),
            online_since,
            user_filter.per_page,
            user_filter.page * user_filter.per_page,
            folded(user_filter.search) if user_filter.search else None,
        )
    items = [ListedUsers(parse_user_row(row), row["is_online"]) for row in rows if row["user_id"] is not None]
    return items, rows[0]["total"]
