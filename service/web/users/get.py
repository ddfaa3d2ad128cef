"""The user API: one user, and the login of its clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from service.db.activity import ONLINE_FOR, UserActivity
from service.db.users import UserRow
from service.errors import Unavailable
from service.web.app_keys import ACTIVITY, SETTINGS, USER_LOADER
from service.web.auth.authentication import log_in, require_admin
from service.web.http.errors import Forbidden, LoginFailed, TooManyRequests, UserNotFound
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json
from service.web.openapi.operation import Auth, Operation, with_prefix
from service.web.users.schemas import (
    CREDENTIALS,
    ONE_USER,
    USER,
    Authenticated,
    IssuedToken,
    UserAnswer,
    credentials_within,
)

ONLINE, OFFLINE = 1, 2
_ONLINE_AT = UserRow.__struct_fields__.index("last_seen") + 1
_FIELD_NAMES = (*UserRow.__struct_fields__[:_ONLINE_AT], "is_online", *UserRow.__struct_fields__[_ONLINE_AT:])
_TIME_FIELDS = ("last_login_time", "cdr_expire", "create_time", "last_seen")


async def get_user(request: PolledRequest) -> PrebuiltResponse:
    """GET /user/{user_id}: reads PostgreSQL on each request."""
    await require_admin(request)
    row = await request.app[USER_LOADER].get(USER.decode(request).number)
    if row is None:
        raise UserNotFound
    payload = render_user(row, request.app[ACTIVITY].pending(row.user_id), mask=request.app[SETTINGS].mask_passwd)
    return prebuilt_json({"success": True, "payload": payload})


async def authenticate(request: web.Request) -> PrebuiltResponse:
    """POST /auth: a token for a name or e-mail address and a password."""
    days = request.app[SETTINGS].token_days
    given = await CREDENTIALS.decode(request, credentials_within(int(days * 24 * 60)))
    minutes = given.expire_after_minutes
    lifetime = timedelta(days=days) if minutes is None else timedelta(minutes=minutes)
    person, token, expires_at = await log_in(request, given.email_or_name, given.password, lifetime, "auth")
    return prebuilt_json(Authenticated(True, IssuedToken(token, _format_time(expires_at), person.role)))


def render_user(row: UserRow, pending: UserActivity | None, *, mask: bool) -> dict[str, Any]:
    """The 39 fields in the API's order. `pending` is activity that is not written yet."""
    stored = msgspec.structs.astuple(row)
    fields: dict[str, Any] = dict(zip(_FIELD_NAMES, (*stored[:_ONLINE_AT], OFFLINE, *stored[_ONLINE_AT:]), strict=True))
    for name in _TIME_FIELDS:
        if (moment := fields[name]) is not None:
            fields[name] = _format_time(moment)
    last_seen = row.last_seen
    if pending is not None:
        last_seen = max(pending.last_seen, last_seen or pending.last_seen)
        fields["last_seen"] = _format_time(last_seen)
        if pending.last_login_time is not None:
            fields["last_login_time"], fields["login_ip"] = _format_time(pending.last_login_time), pending.login_ip
    if last_seen is not None and datetime.now(UTC) - last_seen < ONLINE_FOR:
        fields["is_online"] = ONLINE
    if mask:
        fields["passwd"] = ""
    return fields


def _format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, always with six digits and `+00:00`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


_OPERATIONS = (
    Operation(
        method="GET",
        path="/user/{user_id}",
        patterns=ONE_USER,
        in_path=USER,
        handler=get_user,
        plain_handler=get_user,
        summary="User account, read from PostgreSQL on each request",
        details="Admins only. `passwd` is the bcrypt hash unless a setting masks it.",
        auth=Auth.TOKEN,
        answer=UserAnswer,
        errors=(Forbidden, UserNotFound),
    ),
    Operation(
        method="POST",
        path="/auth",
        handler=authenticate,
        summary="Log in with a username or e-mail address and a password",
        auth=Auth.NONE,
        body=CREDENTIALS,
        answer=Authenticated,
        errors=(LoginFailed, TooManyRequests, Unavailable),
    ),
)
OPERATIONS = (*_OPERATIONS, *with_prefix("/v1", _OPERATIONS))
