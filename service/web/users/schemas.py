"""Schemas of the user API's queries and responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, cast, get_type_hints

import msgspec
from msgspec import Meta

from service.db.user_list import Direction, OrderBy
from service.db.users import UserRow
from service.domain.models import MAX_USER_ID, Role
from service.web.http import body
from service.web.http.errors import UserNotFound
from service.web.http.param_errors import FieldByField
from service.web.http.params import Body, Path, Query
from service.web.openapi.operation import Yes

MAX_PER_PAGE = 200
"""A bound on the time that one page blocks the event loop."""
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")]
"""RFC 3339 in UTC, always with six digits and `+00:00`."""
_RENDERED_TYPES = {datetime: Moment, datetime | None: Moment | None, msgspec.Raw: Any}


MAX_LIFETIME_MINUTES = 3650 * 24 * 60
EXPIRY = "Token lifetime in minutes. Defaults to the configured lifetime, which is also the maximum."
_USER_ID = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
ONE_USER: Mapping[str, str] = {"user_id": r"(?!(?:list|create)\Z)[^/]+"}
"""Any text may stand for a user ID, except two words that are calls of their own."""


class UserPath(msgspec.Struct, frozen=True):
    """User."""

    user_id: str

    @property
    def number(self) -> int:
        """The user's number. Raises UserNotFound for what is none, or is larger than any user's."""
        if not _USER_ID.fullmatch(self.user_id) or int(self.user_id) > MAX_USER_ID:
            raise UserNotFound
        return int(self.user_id)


USER = Path(UserPath)


class Credentials(msgspec.Struct, frozen=True):
    """Username or e-mail address, and password."""

    email_or_name: Annotated[str, Meta(min_length=1, extra={"expected": "a string"})]
    password: Annotated[str, Meta(min_length=1, extra={"expected": "a string"})]
    expire_after_minutes: Annotated[int, Meta(ge=1, le=MAX_LIFETIME_MINUTES, description=EXPIRY)] | None = None


@lru_cache
def credentials_within(longest: int) -> type[Credentials]:
    """The same with a lifetime of at most so many minutes."""
    lifetime = Annotated[int, Meta(ge=1, le=longest)] | None
    fields = [("expire_after_minutes", lifetime, None)]
    narrowed = msgspec.defstruct("Credentials", fields, bases=(Credentials,), frozen=True, module=__name__)
    return cast(type[Credentials], narrowed)


CREDENTIALS = Body(Credentials, FieldByField, most=body.OF_STRANGERS)


class IssuedToken(msgspec.Struct, frozen=True):
    """Access token for `X-Auth-Token`."""

    token: str
    expired: Moment
    """When the token expires."""
    user_type: Role


class Authenticated(msgspec.Struct, frozen=True):
    """Login response of the user API."""

    success: Yes
    payload: IssuedToken


def _fields() -> list[tuple[str, Any]]:
    """The stored fields with the types of the response. `is_online` is derived, and follows `last_seen`."""
    fields: list[tuple[str, Any]] = []
    for name, kind in get_type_hints(UserRow).items():
        fields.append((name, _RENDERED_TYPES.get(kind, kind)))
        if name == "last_seen":
            fields.append(
                (
                    "is_online",
                    Annotated[int, Meta(description="1 if the user was active within 300 s, else 2.", ge=1, le=2)],
                )
            )
    return fields


User = msgspec.defstruct(
    "User", _fields(), frozen=True, module=__name__, namespace={"__doc__": "User account with its 39 fields."}
)


class UserAnswer(msgspec.Struct, frozen=True):
    """Response with one user."""

    success: Yes
    payload: User  # type: ignore[valid-type]


class UserListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Filters, order and page."""

    user_type: Role | None = None
    active: Literal["true", "false"] | None = None
    is_online: Annotated[Literal[1, 2], Meta(description="1 if the user was active within 300 s, else 2.")] | None = (
        None
    )
    search: (
        Annotated[
            str, Meta(description="Substring of the name, e-mail address, full, first or last name, case-insensitive.")
        ]
        | None
    ) = None
    order_by: OrderBy = OrderBy.USER_ID
    order_dir: Direction = Direction.ASC
    page: Annotated[int, Meta(ge=0, le=2**31 - 1, description="Page number, starting at 0.")] = 0
    per_page: Annotated[int, Meta(ge=1, le=MAX_PER_PAGE)] = 10


USER_LIST = Query(UserListQuery, FieldByField, empty_is_absent=True, stored=True)


class UserPage(msgspec.Struct, frozen=True):
    """Page of users. `total` counts all matches."""

    items: list[User]  # type: ignore[valid-type]
    total: int
    page: int
    per_page: int


class UserListAnswer(msgspec.Struct, frozen=True):
    """Response with a page of users."""

    success: Yes
    payload: UserPage
