"""Registration info: what a softphone needs to register, and whether its line is up now."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from service.credentials import token_hash
from service.domain.models import Extension, Person
from service.domain.permissions import Permission
from service.domain.registration_info import RegistrationInfo, SuccessfulRegistrationInfo
from service.web.app_keys import DIRECTORY, LONG_POLL_QUOTA, PRESENCE_FEED, SESSION_WATCH
from service.web.auth.authentication import caller_from_memory, presented_token, require_caller, require_holder
from service.web.auth.permissions import require_permission
from service.web.http import arguments
from service.web.http.errors import BODY_ERRORS, BadArgument, ExtensionNotFound, Forbidden
from service.web.http.etag import known
from service.web.http.extension_query import ONE_EXTENSION_ERRORS, ExtensionQuery
from service.web.http.headers import rfc3339
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.http.wait import Wait, waiting_time
from service.web.openapi.operation import AnyOf, Operation, Yes
from service.web.server.held_request import Waiter, while_connected
from service.web.softphone.registration_cache import REGISTRATION_CACHE, CachedRegistration

_PLAIN = re.compile(r"id=([A-Za-z0-9]+)", re.ASCII)
"""The whole query of most polls: it says the same without being parsed."""
LOOK_AGAIN = 1.0
"""Seconds: a new secret is no change of presence, so nobody is woken for it."""
STATE_HEADERS = ("X-State-Live", "X-State-Reason", "X-State-Since", "X-Directory-Stale-Since", "X-Poll-Interval")


def by_user_id_sync(request: web.Request) -> PrebuiltResponse | None:
    """`by_user_id` for a plain question of somebody who is known here: what most polls are."""
    plain = _PLAIN.fullmatch(request.rel_url.raw_query_string)
    person = caller_from_memory(request) if plain else None
    if plain is None or person is None:
        return None
    _may_see(person, uid := plain[1])
    return answer(request, _made(request, uid))


async def by_user_id(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/connector.extension.getRegistrationInfoByUserId

    `wait` seconds, together with `If-None-Match`, holds the answer until it differs: an addition of ours.
    """
    person = await require_caller(request)
    uid, wait = await arguments.text(request, "id"), waiting_time(request)
    _may_see(person, uid)
    made = _made(request, uid)
    if wait and known(request, made.etag):
        made = await _differing(request, person, uid, wait)
    return answer(request, made)


async def by_extension(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/connector.extension.getRegistrationInfoByExtension"""
    require_permission(await require_caller(request), Permission.MANAGE_CALL_SETTINGS)
    asked = await arguments.of_query(request, ExtensionQuery)
    return answer(request, made_of(request, request.app[DIRECTORY].extension(asked.extension)))


def _made(request: web.Request, uid: str) -> CachedRegistration:
    """What can be answered now. Raises ExtensionNotFound, Unavailable."""
    return made_of(request, request.app[DIRECTORY].extension_of(uid))


def made_of(request: web.Request, extension: Extension | None) -> CachedRegistration:
    """An extension's registration info now. Raises ExtensionNotFound, Unavailable."""
    if extension is None:
        raise ExtensionNotFound
    return request.app[REGISTRATION_CACHE].of(extension)


def answer(request: web.Request, made: CachedRegistration) -> PrebuiltResponse:
    """The registration info, or 304 for whoever has it already."""
    found = made.answer(known=known(request, made.etag))
    stale_since = request.app[DIRECTORY].stale_since
    if stale_since is not None:
        found.headers["X-Directory-Stale-Since"] = rfc3339(stale_since)
    return found


async def _differing(request: web.Request, person: Person, uid: str, wait: float) -> CachedRegistration:
    """What can be answered once it is not what the client knows, or the time is up, or the process stops.

    Whoever may not ask any more is refused like anybody else: a new secret is not theirs.
    """
    feed, loop = request.app[PRESENCE_FEED], asyncio.get_running_loop()
    token, waiter = token_hash(presented_token(request)), Waiter()
    extension = request.app[DIRECTORY].extension_of(uid)
    subscription = feed.subscribe(frozenset({extension.number}) if extension is not None else None, waiter.arrived)
    held = request.app[LONG_POLL_QUOTA].holding(person.user_id, waiter.end)
    watched = request.app[SESSION_WATCH].holding(token, person.role, waiter.end)
    end = loop.time() + wait
    try:
        with held, watched, while_connected(request, waiter.end):
            while known(request, (made := _made(request, uid)).etag) and loop.time() < end and not waiter.ended:
                subscription.take()
                await waiter.wait(min(LOOK_AGAIN, end - loop.time()))
                _may_see(await require_holder(request, token), uid)
    finally:
        feed.unsubscribe(subscription)
    return made


def _may_see(person: Person, uid: str) -> None:
    if uid != person.uid and not person.is_admin:
        raise Forbidden


class RegistrationQuery(msgspec.Struct, frozen=True):
    """Whose registration info."""

    id: Annotated[str, Meta(min_length=1, description="User ID (17 characters). May also be sent in a JSON body.")]
    wait: Wait = 0.0


class SignedRegistrationInfo(msgspec.Struct, frozen=True):
    """Registration info as an HS256 JWS in the claim `context`, used when a JWT secret is configured."""

    result: str
    success: Yes = True


class RegistrationAnswer(AnyOf):
    """The seed's answer, unless the settings ask for `success` in it or for a signature."""

    alternatives = (RegistrationInfo, SuccessfulRegistrationInfo, SignedRegistrationInfo)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/connector.extension.getRegistrationInfoByUserId",
        handler=by_user_id,
        sync_handler=by_user_id_sync,
        summary="Registration info by user ID, with the live line state",
        details="Users may read their own, admins any. With `If-None-Match` and `wait`, a long poll until it changes.",
        query=RegistrationQuery,
        answer=RegistrationAnswer,
        conditional=True,
        headers=STATE_HEADERS,
        errors=(BadArgument("Missing key 'id'"), Forbidden, ExtensionNotFound, *BODY_ERRORS),
    ),
)
BY_EXTENSION = Operation(
    method="GET",
    path="/api/v1/connector.extension.getRegistrationInfoByExtension",
    handler=by_extension,
    summary="Registration info by extension, with the live line state",
    query=ExtensionQuery,
    answer=RegistrationAnswer,
    conditional=True,
    headers=STATE_HEADERS,
    permission=Permission.MANAGE_CALL_SETTINGS,
    errors=ONE_EXTENSION_ERRORS,
)
