"""The user API: the list of users, filtered, sorted and paginated."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from service.db import user_list
from service.db.activity import ONLINE_FOR
from service.db.user_list import UserFilter
from service.web.app_keys import ACTIVITY, DATABASE, SETTINGS
from service.web.auth.authentication import require_admin
from service.web.http.errors import FieldsWrong, Forbidden
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json
from service.web.openapi.operation import Auth, Operation, with_prefix
from service.web.users.get import render_user
from service.web.users.schemas import USER_LIST, UserListAnswer


async def list_users(request: web.Request) -> PrebuiltResponse:
    """GET /user/list: a page, and the number of matches."""
    await require_admin(request)
    query = USER_LIST.decode(request)
    user_filter = UserFilter(
        user_type=query.user_type,
        active=None if query.active is None else query.active == "true",
        is_online=query.is_online,
        order_by=query.order_by,
        order_dir=query.order_dir,
        page=query.page,
        per_page=query.per_page,
        search=(query.search or "").strip() or None,
    )
    pending, since = request.app[ACTIVITY].all_pending(), datetime.now(UTC) - ONLINE_FOR
    page, total = await user_list.page(request.app[DATABASE], user_filter, pending, since)
    mask = request.app[SETTINGS].mask_passwd
    items = [{**render_user(listed.row, None, mask=mask), "is_online": listed.is_online} for listed in page]
    return prebuilt_json(
        {
            "success": True,
            "payload": {"items": items, "total": total, "page": query.page, "per_page": query.per_page},
        }
    )


_OPERATIONS = (
    Operation(
        method="GET",
        path="/user/list",
        handler=list_users,
        summary="List users, filtered, sorted and paginated",
        details="Admins only. Empty parameters count as absent. Unknown parameters are ignored.",
        auth=Auth.TOKEN,
        query=USER_LIST,
        answer=UserListAnswer,
        errors=(Forbidden, FieldsWrong({"page": ["a whole number from 0 to 2147483647 is required"]})),
    ),
)
OPERATIONS = (*_OPERATIONS, *with_prefix("/v1", _OPERATIONS))
