"""Tokens with the scope `board`: an admin makes a code, and a screen on a wall redeems it once for its token."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from service.credentials import token_hash
from service.db import board_codes
from service.domain.audit import Actor, ActorKind, Origin
from service.domain.board_codes import CODE_LIFETIME, hash_board_code
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable, NoSuchCode
from service.web.app_keys import CHANGE_LISTENER, DATABASE, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.origin import origin_of
from service.web.http import body
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.errors import BoardCodeWrong, Forbidden, TooManyRequests
from service.web.http.json_response import json_response
from service.web.http.param_errors import RocketChat
from service.web.http.params import Body
from service.web.http.rate_limit import SourceLimit
from service.web.http.refusals import REFUSALS
from service.web.http.request_id import request_id_of
from service.web.openapi.operation import Auth, Operation, Yes

log = structlog.get_logger(__name__)

REDEMPTIONS_PER_MINUTE = 10
"""Codes, right or wrong, that a source may present in a minute, per process. Each costs a query."""
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, UTC."""


class TypedCode(msgspec.Struct, frozen=True):
    """A code, as it was typed."""

    code: Annotated[str, Meta(min_length=1, description="Case, spaces and hyphens do not matter.")]


class NewCode(msgspec.Struct, frozen=True, rename="camel"):
    """A new code."""

    code: str
    expires_at: Moment
    success: Yes = True


class NewBoardToken(msgspec.Struct, frozen=True, rename="camel"):
    """A new token with the scope `board`. `userId` is the admin whose code it was."""

    user_id: str
    auth_token: str
    expires_at: Moment
    success: Yes = True


CODE = Body(TypedCode, RocketChat, most=body.OF_STRANGERS)


async def make_code(request: web.Request) -> web.Response:
    """POST /api/v1/board/codes"""
    by = await require_caller(request)
    if not by.is_admin:
        raise Forbidden
    made = await board_codes.make(request.app[DATABASE], by.user_id, origin=origin_of(request, by))
    log.info("board_code_made", by=by.user_id)
    return json_response(NewCode(made.code, rfc3339_ms(made.expires_at)), 201)


async def redeem_code(request: web.Request) -> web.Response:
    """POST /api/v1/board/tokens"""
    app, addresses = request.app, request.app[CLIENT_ADDRESSES]
    typed = await CODE.decode(request)
    app[REDEMPTIONS].check(addresses.source_of(request))
    address, request_id = addresses.of(request), request_id_of(request)
    code_hash, lifetime = hash_board_code(typed.code), timedelta(days=app[SETTINGS].token_days)
    try:
        if code_hash is None:
            raise NoSuchCode("this cannot be a code")
        origin = Origin(Actor(ActorKind.UNKNOWN), address, request_id)
        made = await board_codes.redeem(app[DATABASE], code_hash, lifetime, origin=origin)
    except NoSuchCode:
        app[REFUSALS].note_token(address, request_id)
        raise BoardCodeWrong from None
    log.info("board_token_issued", user_id=made.user_id, address=address, request_id=request_id)
    await app[CHANGE_LISTENER].refresh(f"token {token_hash(made.token).hex()}", within=1.0)
    return json_response(NewBoardToken(made.uid, made.token, rfc3339_ms(made.expires_at)))


REDEMPTIONS = web.AppKey("redemptions", SourceLimit)
"""The rate limit of codes; one per process."""

OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/board/codes",
        handler=make_code,
        summary="Make a code for a screen on a wall",
        details=f"Admins only. The code is valid for {CODE_LIFETIME // 60} minutes and works once. An admin has ten "
        "codes at most; a further one ends the oldest. A new password, another role or a deactivation ends them all.",
        status=201,
        answer=NewCode,
        errors=(Forbidden, DatabaseUnavailable),
    ),
    Operation(
        method="POST",
        path="/api/v1/board/tokens",
        handler=redeem_code,
        summary="Redeem a code for a token with the scope `board`",
        details="The token reads presence and queues, without callers' numbers, and changes nothing. It ends as the "
        f"admin's other tokens do. {REDEMPTIONS_PER_MINUTE} codes a minute from one address lead to 429.",
        auth=Auth.NONE,
        body=CODE,
        answer=NewBoardToken,
        errors=(BoardCodeWrong, TooManyRequests, DatabaseUnavailable),
    ),
)
