"""Presence in Rocket.Chat's format, from the same presence feed: `users.getPresence` and `users.presence`."""

from __future__ import annotations

import asyncio
import re
from datetime import MINYEAR, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.domain.models import Person
from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item
from service.domain.presence.scope import Scope
from service.domain.presence.visibility import may_see, sees_all
from service.domain.timestamps import rfc3339_ms
from service.web.app_keys import DIRECTORY, PRESENCE_FEED
from service.web.auth.authentication import (
    caller_from_memory,
    handler_for_caller,
    require_caller,
    sync_handler_for_caller,
)
from service.web.http.errors import BadArgument, UserNotFound, encode
from service.web.http.param_errors import RocketChat
from service.web.http.params import Query
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json
from service.web.openapi.operation import Operation, Yes
from service.web.presence.feed_aggregates import JsonList

Status = Literal["online", "away", "busy", "offline"]

OFFLINE: Status = "offline"
STATUSES: dict[str, Status] = {"dnd": "busy", "away": "away", "xa": "away", "unavailable": OFFLINE}
"""Rocket.Chat's status for Asterisk's presence states; all others are online."""


ROCKETCHAT_USERS = web.AppKey("rocketchat_users", JsonList)


class PresenceOf(msgspec.Struct, frozen=True, rename="camel"):
    """Presence of a user. `connectionStatus` is present only for the caller's own presence."""

    presence: Status
    connection_status: Literal["online", "offline"] | UnsetType = UNSET
    success: Yes = True


class PersonsPresence(msgspec.Struct, frozen=True):
    """Presence of one user in a list."""

    uid: str | None = msgspec.field(name="_id")
    username: str | None
    status: Status
    status_text: str | UnsetType = msgspec.field(name="statusText", default=UNSET)


class PresenceOfAll(msgspec.Struct, frozen=True):
    """Presence of users with an extension: all, or those that changed."""

    users: list[PersonsPresence]
    full: bool
    success: Yes = True


class PresenceUserQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The user whose presence is requested; by default the caller."""

    user_id: Annotated[str, Meta(description="User ID (17 characters).", extra={"repeated": "first"})] = ""
    username: Annotated[str, Meta(description="Username, instead of the user ID.", extra={"repeated": "first"})] = ""


class ChangedAfter(msgspec.Struct, frozen=True):
    """The start of the period."""

    moment: (
        Annotated[
            str,
            Meta(
                description="RFC 3339 timestamp with time zone.",
                extra_json_schema={"format": "date-time"},
                extra={"repeated": "first"},
            ),
        ]
        | UnsetType
    ) = msgspec.field(name="from", default=UNSET)


PRESENCE_USER = Query(PresenceUserQuery, RocketChat, cached=re.compile(r"(?:(?:userId|username)=[^&]*(?:&|\Z))*"))
CHANGED_AFTER = Query(ChangedAfter, RocketChat)


def get_presence(request: PolledRequest, person: Person) -> PrebuiltResponse:
    """GET /api/v1/users.getPresence: the caller's, or that of `userId` or `username`."""
    user = _requested_user(request, person)
    number = request.app[DIRECTORY].number_of(user.user_id)
    feed = request.app[PRESENCE_FEED]
    if number is not None:
        feed.catch_up(frozenset({number}))
    item = feed.get(number) if number is not None else None
    status = _status(item) if item is not None and may_see(person, item) else OFFLINE
    if user is not person:
        return prebuilt_json(PresenceOf(status))
    return prebuilt_json(PresenceOf(status, "offline" if status == OFFLINE else "online"))


async def presence(request: web.Request) -> PrebuiltResponse:
    """GET /api/v1/users.presence: all users with an extension; with `from` (RFC 3339) those who changed since."""
    person = await require_caller(request)
    while not request.app[ROCKETCHAT_USERS].is_ready():  # noqa: ASYNC110 - it takes turns of the event loop
        await asyncio.sleep(0)
    return _users_response(request, person)


def presence_sync(request: PolledRequest) -> PrebuiltResponse | None:
    """The same without waiting, if the list is ready and memory knows the caller."""
    person = caller_from_memory(request) if request.app[ROCKETCHAT_USERS].is_ready() else None
    return None if person is None else _users_response(request, person)


def rocketchat_users(feed: PresenceFeed) -> JsonList:
    """All users with an extension, in the format of `users.presence`."""

    def render(item: Item) -> msgspec.Raw | None:
        return msgspec.Raw(encode(_user(item))) if item.user_id is not None else None

    return JsonList(feed, render, trips=False)


def _users_response(request: PolledRequest, person: Person) -> PrebuiltResponse:
    app, since = request.app, _parse_since(CHANGED_AFTER.decode(request).moment)
    if not sees_all(person):
        own = Scope(app[PRESENCE_FEED], app[DIRECTORY], person, frozenset(), frozenset()).snapshot()
        users = encode([_user(item) for item in own if since is None or item.as_of > since])
    elif since is None:
        users = app[ROCKETCHAT_USERS].whole()
    else:
        users = app[ROCKETCHAT_USERS].changed_after(since)
    return prebuilt_json({"users": msgspec.Raw(users), "full": since is None, "success": True})


def _requested_user(request: PolledRequest, person: Person) -> Person:
    query = PRESENCE_USER.decode(request)
    if not query.user_id and not query.username:
        return person
    directory = request.app[DIRECTORY]
    user = directory.person_by_uid(query.user_id) if query.user_id else directory.person_by_name(query.username)
    if user is None or not (user is person or sees_all(person)):  # an invisible user counts as missing
        raise UserNotFound
    return user


def _parse_since(text: str | UnsetType) -> str | None:
    """The time in the format of `Item.as_of`, so that both compare as text. Raises BadArgument."""
    if isinstance(text, UnsetType):
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument("Expected a time in field from") from None
    if since.tzinfo is None:
        raise BadArgument("Expected a time with its zone in field from")
    try:
        return rfc3339_ms(since)
    except OverflowError:  # in UTC it would be before the year 1, or after the year 9999
        return "" if since.year == MINYEAR else "~"


def _status(item: Item) -> Status:
    """Offline without a reachable phone; else the status that the user set."""
    if not item.live or not item.reachable:
        return OFFLINE
    return STATUSES.get(item.presence, "busy" if item.in_call else "online")


def _user(item: Item) -> PersonsPresence:
    return PersonsPresence(item.user_id, item.username, _status(item), item.message or UNSET)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/users.getPresence",
        handler=handler_for_caller(get_presence),
        sync_handler=sync_handler_for_caller(get_presence),
        summary="Presence of a user, in Rocket.Chat's format",
        query=PRESENCE_USER,
        answer=PresenceOf,
        errors=(UserNotFound,),
    ),
    Operation(
        method="GET",
        path="/api/v1/users.presence",
        handler=presence,
        sync_handler=presence_sync,
        summary="Presence of all users with an extension, or changes since a time",
        query=CHANGED_AFTER,
        answer=PresenceOfAll,
        errors=(BadArgument("Expected a time in field from"),),
    ),
)
