"""The user family's list: filtered, ordered, page by page."""

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
from service.web.openapi.operation import Auth, Operation, under
from service.web.users.get import shown
from service.web.users.schemas import USER_LIST, UserListAnswer


async def get(request: web.Request) -> PrebuiltResponse:
    """GET /user/list: one page, and how many there are in all."""
    await require_admin(request)
    asked = USER_LIST.decode(request)
    wanted = UserFilter(
        user_type=asked.user_type,
        active=None if asked.active is None else asked.active == "true",
        is_online=asked.is_online,
        order_by=asked.order_by,
        order_dir=asked.order_dir,
        page=asked.page,
        per_page=asked.per_page,
        search=(asked.search or "").strip() or None,
    )
    pending, since = request.app[ACTIVITY].all_pending(), datetime.now(UTC) - ONLINE_FOR
    found, total = await user_list.page(request.app[DATABASE], wanted, pending, since)
    mask = request.app[SETTINGS].mask_passwd
    items = [{**shown(listed.row, None, mask=mask), "is_online": listed.is_online} for listed in found]
    return prebuilt_json(
        {
            "success": True,
            "payload": {"items": items, "total": total, "page": asked.page, "per_page": asked.per_page},
        }
    )


_OPERATIONS = (
    Operation(
        method="GET",
        path="/user/list",
        handler=get,
        summary="List users, filtered, sorted and paginated",
        details="Admins only. Empty parameters count as absent. Unknown parameters are ignored.",
        auth=Auth.TOKEN,
        query=USER_LIST,
        answer=UserListAnswer,
        errors=(Forbidden, FieldsWrong({"page": ["a whole number from 0 to 2147483647 is required"]})),
    ),
)
OPERATIONS = (*_OPERATIONS, *under("/v1", _OPERATIONS))
