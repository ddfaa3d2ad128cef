"""Registration info: what a softphone needs to register, and whether its line is up now."""

from __future__ import annotations

import asyncio
from time import time
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from service.api import arguments
from service.api.auth import caller, holder, presented_token
from service.api.cors import EXPOSED
from service.api.errors import BODY_ERRORS, BadArgument, ExtensionNotFound, Forbidden
from service.api.operation import AnyOf, Operation, Yes
from service.api.presence import rfc3339, waiting_time
from service.api.presence_shapes import Wait
from service.api.waiting import Waiter
from service.credentials import token_hash
from service.errors import CallServerUnavailable
from service.keys import BOARD, DIRECTORY, LINKS, SETTINGS, TAG_KEY, WATCH
from service.live.registration import (
    Registration,
    RegistrationInfo,
    SuccessfulRegistrationInfo,
    registration,
    signed,
)
from service.live.spelling import ASTERISK, ROCKETCHAT
from service.model import Extension, Person, Reading

log = structlog.get_logger(__name__)

LOOK_AGAIN = 1.0
"""Seconds: a new secret is no change of presence, so nobody is woken for it."""
STATE_HEADERS = ("X-State-Live", "X-State-Reason", "X-State-Since", "X-Directory-Stale-Since", "X-Poll-Interval")


async def by_user_id(request: web.Request) -> web.Response:
    """GET /api/v1/connector.extension.getRegistrationInfoByUserId

    `wait` seconds, together with `If-None-Match`, holds the answer until it differs: an addition of ours.
    """
    person = await caller(request)
    uid, wait = await arguments.text(request, "id"), waiting_time(request)
    _may_see(person, uid)
    found = _found(request, uid)
    if wait and _known(request, found):
        found = await _differing(request, person, uid, wait)
    return answer(request, found)


def _found(request: web.Request, uid: str) -> Registration:
    """What can be answered now. Raises ExtensionNotFound, Unavailable."""
    return registration_of(request, request.app[DIRECTORY].extension_of(uid))


def registration_of(request: web.Request, extension: Extension | None) -> Registration:
    """An extension's registration info now. Raises ExtensionNotFound, Unavailable."""
    if extension is None:
        raise ExtensionNotFound
    settings, key = request.app[SETTINGS], request.app[TAG_KEY]
    server, link = settings.call_server(extension.call_server), request.app[LINKS].get(extension.call_server)
    if server is None or link is None:
        log.error("an extension's call server is not in the settings", call_server=extension.call_server)
        raise CallServerUnavailable(f"call server {extension.call_server} is not configured")
    reading = link.states.read(extension.device)
    spelling = ROCKETCHAT if settings.rocketchat_states else ASTERISK
    found = registration(extension, server, reading, spelling, tag_key=key, success=settings.rocketchat_success)
    if settings.jwt_secret is not None:
        found = signed(found, settings.jwt_secret.get_secret_value(), tag_key=key, now=time())
    return found


async def _differing(request: web.Request, person: Person, uid: str, wait: float) -> Registration:
    """What can be answered once it is not what the client knows, or the time is up, or the process stops.

    Whoever may not ask any more is refused like anybody else: a new secret is not theirs.
    """
    board, loop = request.app[BOARD], asyncio.get_running_loop()
    token, waiter = token_hash(presented_token(request)), Waiter()
    extension = request.app[DIRECTORY].extension_of(uid)
    mailbox = board.subscribe(frozenset({extension.number}) if extension is not None else None, waiter.arrived)
    end = loop.time() + wait
    try:
        with request.app[WATCH].holding(token, person.role, waiter.end):
            while _known(request, found := _found(request, uid)) and loop.time() < end and not waiter.ended:
                mailbox.take()
                await waiter.wait(min(LOOK_AGAIN, end - loop.time()))
                _may_see(await holder(request, token), uid)
    finally:
        board.unsubscribe(mailbox)
    return found


def _may_see(person: Person, uid: str) -> None:
    if uid != person.uid and not person.is_admin:
        raise Forbidden


def _known(request: web.Request, found: Registration) -> bool:
    known = request.if_none_match
    return known is not None and any(tag.value in ("*", found.etag.strip('"')) for tag in known)


def answer(request: web.Request, found: Registration) -> web.Response:
    """The registration info, or 304 for whoever has it already."""
    stale_since = request.app[DIRECTORY].stale_since
    headers = {
        "Cache-Control": "no-store",
        "ETag": found.etag,
        "X-State-Live": "true" if found.reading.live else "false",
        "X-Poll-Interval": str(request.app[SETTINGS].poll_interval),
        "Access-Control-Expose-Headers": EXPOSED,
        **why_not_live(found.reading),
        **({"X-Directory-Stale-Since": rfc3339(stale_since)} if stale_since else {}),
    }
    if _known(request, found):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, headers={**headers, "Content-Type": "application/json"})


def why_not_live(reading: Reading) -> dict[str, str]:
    """The headers that tell why a state is not live; none when it is."""
    if reading.reason is None:
        return {}
    since = reading.since
    return {
        "X-State-Reason": reading.reason.value,
        **({"X-State-Since": rfc3339(since)} if since else {}),
    }


class RegistrationQuery(msgspec.Struct, frozen=True):
    """Whose registration info."""

    id: Annotated[str, Meta(min_length=1, description="A person's uid. It may also come in a JSON body.")]
    wait: Wait = 0.0


class SignedRegistrationInfo(msgspec.Struct, frozen=True):
    """What is answered where the settings hold a JWT secret: an HS256 JWS whose claim `context` is the plain answer."""

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
        summary="What a person's softphone needs to register, and whether the line is up now",
        details="One's own; an admin may ask for anybody's. With `If-None-Match` and `wait`, held until it differs.",
        query=RegistrationQuery,
        answer=RegistrationAnswer,
        conditional=True,
        headers=STATE_HEADERS,
        errors=(BadArgument("Missing key 'id'"), Forbidden, ExtensionNotFound, *BODY_ERRORS),
    ),
)
