"""Login, logout and the current user: `/api/v1/login`, `/api/v1/logout`, `/api/v1/me`."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from aiohttp import web
from msgspec import UNSET

from service.credentials import token_hash
from service.db import tokens
from service.domain.models import Person, TokenScope
from service.errors import Unavailable
from service.web.app_keys import CHANGE_LISTENER, DATABASE, DIRECTORY, SETTINGS
from service.web.auth.authentication import log_in, parse_token_hash, presented_token, require_caller, require_holder
from service.web.auth.origin import origin_of
from service.web.auth.schemas import (
    LOGIN,
    Email,
    EmailLogin,
    LoggedIn,
    LoginAnswer,
    LogoutAnswer,
    Me,
    MeAnswer,
    Resume,
    UserLogin,
    UsernameLogin,
)
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.errors import LoginFailed, OutOfScope, TokenWrong, TooManyRequests
from service.web.http.json_response import json_response
from service.web.http.refusals import REFUSALS
from service.web.http.request_id import request_id_of
from service.web.openapi.operation import Auth, Operation

MeType = TypeVar("MeType", bound=Me)


async def login(request: web.Request) -> web.Response:
    """POST /api/v1/login: with a name or e-mail address and a password, or with a token."""
    match await LOGIN.decode(request):
        case Resume(resume=token):
            try:
                person = await require_holder(request, parse_token_hash(token))
            except TokenWrong:
                address = request.app[CLIENT_ADDRESSES].of(request)
                request.app[REFUSALS].note_token(address, request_id_of(request))
                raise LoginFailed from None
        case (
            UserLogin(user=name, password=password)
            | UsernameLogin(username=name, password=password)
            | EmailLogin(email=name, password=password)
        ):
            lifetime = timedelta(days=request.app[SETTINGS].token_days)
            person, token, _ = await log_in(request, name, password, lifetime, "login")
    return json_response(LoginAnswer("success", LoggedIn(person.uid, token, _me(Me, request, person))))


async def logout(request: web.Request) -> web.Response:
    """POST or GET /api/v1/logout: revokes the presented token."""
    person = await require_caller(request, board=True)
    token = presented_token(request)
    await tokens.revoke(request.app[DATABASE], token, origin=origin_of(request, person))
    await request.app[CHANGE_LISTENER].refresh(f"token {token_hash(token).hex()}", within=1.0)
    return json_response(LogoutAnswer())


async def me(request: web.Request) -> web.Response:
    """GET /api/v1/me"""
    return json_response(_me(MeAnswer, request, await require_caller(request, board=True)))


def _me(kind: type[MeType], request: web.Request, person: Person) -> MeType:
    extension = request.app[DIRECTORY].extension_of(person.uid)
    narrowed = person.scope is not TokenScope.ALL
    return kind(
        uid=person.uid,
        name=person.display_name,
        username=person.name,
        emails=[Email(person.email, person.email_verified)] if person.email and not narrowed else [],
        active=person.active,
        roles=[person.role],
        extension=extension.number if extension else UNSET,
        scope=person.scope if narrowed else UNSET,
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/login",
        handler=login,
        summary="Log in with a username or e-mail address and a password",
        details="An unknown user, a wrong password and an inactive user return the same error. Ten failures a minute "
        "lead to 429.",
        auth=Auth.NONE,
        body=LOGIN,
        answer=LoginAnswer,
        errors=(LoginFailed, OutOfScope, TooManyRequests, Unavailable),
    ),
    *(
        Operation(
            method=method,
            path="/api/v1/logout",
            board=True,
            handler=logout,
            summary="Revoke the presented token",
            answer=LogoutAnswer,
        )
        for method in ("GET", "POST")
    ),
    Operation(
        method="GET",
        path="/api/v1/me",
        board=True,
        handler=me,
        summary="Current user",
        answer=MeAnswer,
    ),
)
