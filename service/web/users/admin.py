"""The user API: creates, updates and deletes users, for admins."""

from __future__ import annotations

import contextlib

import structlog
from aiohttp import web

from service.credentials import is_hash
from service.db import user_admin
from service.db.users import UserRow
from service.errors import LastAdmin, Unavailable
from service.web.app_keys import ACTIVITY, CHANGE_LISTENER, DATABASE, HASHER, SETTINGS, USER_LOADER
from service.web.auth.authentication import require_admin
from service.web.auth.origin import origin_of
from service.web.http.errors import FieldsWrong, Forbidden, UserNotFound
from service.web.http.param_errors import FieldByField
from service.web.http.params import Body
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json
from service.web.http.unrevoked import UNREVOKED, report_unrevoked, unrevoked_endpoints_of
from service.web.openapi.operation import Auth, Operation, Success, with_prefix
from service.web.users import validation
from service.web.users.change_schemas import NewUser, UserChanges
from service.web.users.get import render_user
from service.web.users.schemas import ONE_USER, USER, UserAnswer

log = structlog.get_logger(__name__)

READ_BACK_DEADLINE = 1.0
"""Seconds that a response waits for this process to re-read what it wrote, and again for what triggers wrote."""
NEW_USER = Body(NewUser, FieldByField, checks=validation.NEW_USER_CHECKS, stored=True)
USER_CHANGES = Body(UserChanges, FieldByField, checks=validation.USER_CHANGE_CHECKS, stored=True)


async def create_user(request: web.Request) -> PrebuiltResponse:
    """POST /user/create"""
    by = await require_admin(request)
    given = await NEW_USER.decode(request)
    values = {**given.values(), "passwd": await request.app[HASHER].hash(given.passwd)}
    row = await user_admin.create(request.app[DATABASE], values, by.user_id, origin=origin_of(request, by))
    log.info("user_created", user_id=row.user_id, by=by.user_id)
    return await _respond(request, row)


async def update_user(request: web.Request) -> PrebuiltResponse:
    """PATCH /user/{user_id}: changes the given fields."""
    by = await require_admin(request)
    given = await USER_CHANGES.decode(request)
    user_id = USER.decode(request).number
    values = given.values()
    if password := values.pop("passwd", ""):
        values |= await _new_hash(request, user_id, password)
    row = await user_admin.change(request.app[DATABASE], user_id, values, origin=origin_of(request, by))
    log.info("user_updated", user_id=user_id, by=by.user_id, fields=sorted(values))
    ends_hold = "passwd" in values or values.get("active") is False
    response = await _respond(request, row, triggers_ran=ends_hold)
    if ends_hold:
        report_unrevoked(response, unrevoked_endpoints_of(request, user_id), by)
    return response


async def delete_user(request: web.Request) -> PrebuiltResponse:
    """DELETE /user/{user_id}: revokes their tokens, and changes their extension's secret unless Asterisk owns it."""
    by = await require_admin(request)
    user_id = USER.decode(request).number
    unrevoked = unrevoked_endpoints_of(request, user_id)
    await user_admin.delete(request.app[DATABASE], user_id, origin=origin_of(request, by))
    log.info("user_deleted", user_id=user_id, by=by.user_id)
    await _read_back(request, user_id, triggers_ran=True)
    response = prebuilt_json({"success": True})
    report_unrevoked(response, unrevoked, by)
    return response


async def _new_hash(request: web.Request, user_id: int, password: str) -> dict[str, str]:
    """The hash of a new password. A client that sends a whole user back sends the current hash: no change then."""
    row = await request.app[USER_LOADER].get(user_id)
    if row is None:
        raise UserNotFound
    if password == row.passwd:
        return {}
    if is_hash(password):
        raise FieldsWrong({"passwd": ["this is the hash of another password than the stored one"]})
    return {"passwd": await request.app[HASHER].hash(password)}


async def _read_back(request: web.Request, user_id: int, *, triggers_ran: bool = False) -> None:
    """Have this process re-read the user; and their tokens and SIP passwords, if triggers have ended those.

    Otherwise a thief's token, and a SIP password that has just ended, would be served for a moment after the response.
    """
    changes = request.app[CHANGE_LISTENER]
    await changes.refresh(f"user {user_id}", within=READ_BACK_DEADLINE)
    if triggers_ran:
        with contextlib.suppress(Unavailable):  # the change is made: the response must not fail
            await changes.barrier(within=READ_BACK_DEADLINE)


async def _respond(request: web.Request, row: UserRow, *, triggers_ran: bool = False) -> PrebuiltResponse:
    """The stored user, after this process has re-read it."""
    await _read_back(request, row.user_id, triggers_ran=triggers_ran)
    pending, mask = request.app[ACTIVITY].pending(row.user_id), request.app[SETTINGS].mask_passwd
    return prebuilt_json({"success": True, "payload": render_user(row, pending, mask=mask)})


_FIELD_ERRORS = FieldsWrong({"name": ["is another user's"], "email": ["a string or null is required"]})
_OPERATIONS = (
    Operation(
        method="POST",
        path="/user/create",
        handler=create_user,
        summary="Create a user",
        details="Admins only. Read-only and unknown fields are ignored.",
        auth=Auth.TOKEN,
        body=NEW_USER,
        answer=UserAnswer,
        errors=(Forbidden, _FIELD_ERRORS),
    ),
    Operation(
        method="PATCH",
        path="/user/{user_id}",
        patterns=ONE_USER,
        in_path=USER,
        handler=update_user,
        summary="Update a user",
        details="Admins only. An empty `passwd` is ignored. A new password or deactivation revokes the tokens.",
        auth=Auth.TOKEN,
        body=USER_CHANGES,
        answer=UserAnswer,
        headers=(UNREVOKED,),
        errors=(Forbidden, _FIELD_ERRORS, UserNotFound, LastAdmin),
    ),
    Operation(
        method="DELETE",
        path="/user/{user_id}",
        patterns=ONE_USER,
        in_path=USER,
        handler=delete_user,
        summary="Delete a user",
        details="Admins only. Revokes the user's tokens and frees their extension with a new SIP password.",
        auth=Auth.TOKEN,
        answer=Success,
        headers=(UNREVOKED,),
        errors=(Forbidden, UserNotFound, LastAdmin),
    ),
)
OPERATIONS = (*_OPERATIONS, *with_prefix("/v1", _OPERATIONS))
