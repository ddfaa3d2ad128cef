"""Registration info: a softphone's SIP credentials, and the live state of its line."""

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
from service.domain.registration_info import RegistrationInfo, SuccessfulRegistrationInfo, named_phone
from service.domain.timestamps import rfc3339_ms
from service.web.app_keys import DIRECTORY, LONG_POLL_QUOTA, PRESENCE_FEED, SESSION_WATCH
from service.web.auth.authentication import caller_from_memory, presented_token, require_caller, require_holder
from service.web.auth.permissions import require_permission
from service.web.http.disclosures import DISCLOSURES
from service.web.http.errors import BODY_ERRORS, BadArgument, ExtensionNotFound, Forbidden
from service.web.http.etag import matches_etag
from service.web.http.extension_query import ONE_EXTENSION_ERRORS, ExtensionQuery, PhoneId
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.http.wait import Wait, bounded
from service.web.openapi.operation import AnyOf, Operation, Yes
from service.web.server.held_request import Waiter, while_connected
from service.web.softphone.registration_cache import REGISTRATION_CACHE, CachedRegistration
from service.web.softphone.repeated_registration import RepeatedRegistrationPoll

RECHECK_INTERVAL = 1.0
"""Seconds between two checks of a long poll for what changes beside its extension: the assignment, or the signature."""
STATE_HEADERS = ("X-State-Live", "X-State-Reason", "X-State-Since", "X-Directory-Stale-Since", "X-Poll-Interval")


class RegistrationQuery(msgspec.Struct, frozen=True):
    """The user whose registration info is requested."""

    id: Annotated[str, Meta(min_length=1, description="User ID (17 characters). May also be sent in a JSON body.")]
    wait: Wait = 0.0
    phone: PhoneId = None


class ExtensionRegistrationQuery(ExtensionQuery, frozen=True):
    """The extension whose registration info is requested."""

    phone: PhoneId = None


BY_EXTENSION_QUERY = QueryOrJson(ExtensionRegistrationQuery, RocketChat)
REGISTRATION = QueryOrJson(RegistrationQuery, RocketChat, plain=re.compile(r"id=([A-Za-z0-9]+)", re.ASCII))
"""Most polls have a plain query."""


def by_user_id_sync(request: PolledRequest) -> PrebuiltResponse | None:
    """`by_user_id` without waiting, for a plain query of a caller that memory knows. Most polls are."""
    plain = REGISTRATION.decode_plain(request)
    person = caller_from_memory(request) if plain is not None else None
    if plain is None or person is None:
        return None
    if plain.id == person.uid:
        extension = request.app[DIRECTORY].extension_of_person(person)
        current = _current(request, extension, plain.phone)
        response = registration_response(request, person, current)
        response.repeated = RepeatedRegistrationPoll.of(request, current, response)
        return response
    _require_access(person, plain.id)
    return registration_response(request, person, _current_of_user(request, plain))


async def by_user_id(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/connector.extension.getRegistrationInfoByUserId

    With `wait` seconds and `If-None-Match`, a long poll until the info differs. Rocket.Chat had no such call.
    """
    person = await require_caller(request)
    query = await REGISTRATION.decode(request)
    wait = bounded(query.wait)
    _require_access(person, query.id)
    current = _current_of_user(request, query)
    if wait and matches_etag(request, current.etag):
        current = await _wait_for_difference(request, person, query, wait)
    return registration_response(request, person, current)


async def by_extension(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/connector.extension.getRegistrationInfoByExtension: of the endpoint if that is what is named."""
    person = await require_caller(request)
    require_permission(person, Permission.MANAGE_CALL_SETTINGS)
    query = await BY_EXTENSION_QUERY.decode(request)
    extension, phone_id = request.app[DIRECTORY].find_extension(query.extension), query.phone
    if phone_id is None and extension is not None and (named := named_phone(extension, query.extension)) is not None:
        phone_id = named.phone_id
    return registration_response(request, person, _current(request, extension, phone_id))


def _current_of_user(request: PolledRequest, query: RegistrationQuery) -> CachedRegistration:
    """A user's current registration info. Raises ExtensionNotFound, Unavailable."""
    return _current(request, request.app[DIRECTORY].extension_of(query.id), query.phone)


def _current(request: PolledRequest, extension: Extension | None, phone_id: int | None) -> CachedRegistration:
    """The current registration info of an extension, or of one of its phones. Raises ExtensionNotFound, Unavailable."""
    if extension is None:
        raise ExtensionNotFound
    current = request.app[REGISTRATION_CACHE].get(extension, phone_id)
    if current is None:
        raise ExtensionNotFound
    return current


def registration_response(request: PolledRequest, person: Person, current: CachedRegistration) -> PrebuiltResponse:
    """The registration info, or 304 if the client has it already."""
    not_modified = matches_etag(request, current.etag)
    if not not_modified:
        request.app[DISCLOSURES].note(request, person, current.extension.number, current.device)
    response = current.response(not_modified=not_modified)
    stale_since = request.app[DIRECTORY].stale_since
    if stale_since is not None:
        response.headers["X-Directory-Stale-Since"] = rfc3339_ms(stale_since)
    return response


async def _wait_for_difference(
    request: web.Request, person: Person, query: RegistrationQuery, wait: float
) -> CachedRegistration:
    """The registration info once it differs from the client's, the time is up, or the process stops.

    A caller who loses access meanwhile is refused: a new secret is not theirs.
    """
    feed, loop = request.app[PRESENCE_FEED], asyncio.get_running_loop()
    token, waiter = token_hash(presented_token(request)), Waiter()
    extension = request.app[DIRECTORY].extension_of(query.id)
    watching = feed.watching(extension.number if extension is not None else "", waiter.on_news)
    quota = request.app[LONG_POLL_QUOTA].holding(person.user_id, waiter.end)
    session = request.app[SESSION_WATCH].holding(token, person.access, waiter.end)
    deadline = loop.time() + wait
    with quota, session, watching, while_connected(request, waiter.end):
        while True:
            current = _current_of_user(request, query)
            if not matches_etag(request, current.etag) or loop.time() >= deadline or waiter.ended:
                return current
            await waiter.wait(min(RECHECK_INTERVAL, deadline - loop.time()))
            _require_access(await require_holder(request, token), query.id)


def _require_access(person: Person, uid: str) -> None:
    if uid != person.uid and not person.is_admin:
        raise Forbidden


class SignedRegistrationInfo(msgspec.Struct, frozen=True):
    """Registration info in the claim `context` of an HS256 JWS, if a JWT secret is configured."""

    result: str
    success: Yes = True


class RegistrationAnswer(AnyOf):
    """Registration info; the settings may add `success` or a signature."""

    alternatives = (RegistrationInfo, SuccessfulRegistrationInfo, SignedRegistrationInfo)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/connector.extension.getRegistrationInfoByUserId",
        handler=by_user_id,
        sync_handler=by_user_id_sync,
        summary="Registration info by user ID, with the live line state",
        details="Users may read their own, admins any. With `If-None-Match` and `wait`, a long poll until it changes.",
        query=REGISTRATION,
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
    query=BY_EXTENSION_QUERY,
    answer=RegistrationAnswer,
    conditional=True,
    headers=STATE_HEADERS,
    permission=Permission.MANAGE_CALL_SETTINGS,
    errors=ONE_EXTENSION_ERRORS,
)
