"""The registration history of one extension. Unlike a poll of presence it reads PostgreSQL, at each request."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from service.db import registration_history
from service.db.registration_history import KEEP_DAYS
from service.domain.presence.visibility import may_see
from service.domain.registration_report import StoredChange, StoredObservation, report
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable
from service.web.app_keys import DATABASE, PRESENCE_FEED
from service.web.auth.authentication import require_caller
from service.web.http.errors import BadArgument, ExtensionNotFound
from service.web.http.json_response import json_response
from service.web.http.param_errors import RocketChat
from service.web.http.params import Query
from service.web.openapi.operation import Operation, Yes
from service.web.presence.decoders import ONE_EXTENSION
from service.web.presence.poll import named_numbers

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, UTC."""


class HistoryQuery(msgspec.Struct, frozen=True):
    """Requested time."""

    days: Annotated[
        int,
        Meta(
            ge=1,
            le=KEEP_DAYS,
            description="Number of days before now.",
            extra={"expected": f"a whole number from 1 to {KEEP_DAYS}"},
        ),
    ] = 7


class RegistrationChange(msgspec.Struct, frozen=True):
    """A transition. With `exact` false it was found so: it changed at an unknown time since it was last observed."""

    at: Moment
    registered: bool | None
    """Null: from then on neither is known."""
    exact: bool


class TimeSpan(msgspec.Struct, frozen=True):
    """A time."""

    since: Moment
    until: Moment


class ChangesLeftOut(msgspec.Struct, frozen=True):
    """Number of transitions of a day, in UTC, that are not listed."""

    day: Annotated[date, Meta(extra_json_schema={"format": "date"})]
    changes: int


class RegistrationHistory(msgspec.Struct, frozen=True, rename="camel"):
    """Registration history of one extension, oldest first. Nothing is known of the times in `notObserved`."""

    extension: str
    call_server: str
    since: Moment
    until: Moment
    registered_before: bool | None
    """Whether it was registered at `since`; null if that is not known."""
    changes: list[RegistrationChange]
    not_observed: list[TimeSpan]
    left_out: list[ChangesLeftOut]
    losses: int
    """Observed losses of its last registration among `changes`."""
    flapping: bool
    """Whether it lost its registration five times within the last hour."""
    success: Yes = True


HISTORY = Query(HistoryQuery, RocketChat)


async def get_history(request: web.Request) -> web.Response:
    """GET /api/v1/presence/{extension}/history"""
    person = await require_caller(request)
    days, app = HISTORY.decode(request).days, request.app
    (number,) = numbers = named_numbers(app, person, frozenset({ONE_EXTENSION.decode(request).extension}))
    feed = app[PRESENCE_FEED]
    feed.catch_up(numbers)
    item = feed.get(number)
    if item is None or not may_see(person, item):
        raise ExtensionNotFound
    stored = await registration_history.read(app[DATABASE], number, item.call_server, days)
    made = report(stored, days)
    return json_response(
        RegistrationHistory(
            extension=number,
            call_server=item.call_server,
            since=rfc3339_ms(made.since),
            until=rfc3339_ms(made.until),
            registered_before=made.registered_before,
            changes=list(map(render_change, made.changes)),
            not_observed=list(map(render_span, made.not_observed)),
            left_out=[ChangesLeftOut(day, count) for day, count in stored.left_out.items()],
            losses=made.losses,
            flapping=made.flapping,
        )
    )


def render_change(change: StoredChange) -> RegistrationChange:
    """A change as it is answered."""
    return RegistrationChange(rfc3339_ms(change.at), change.registered, change.exact)


def render_span(span: StoredObservation) -> TimeSpan:
    """A time as it is answered."""
    return TimeSpan(rfc3339_ms(span.since), rfc3339_ms(span.until))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/presence/{extension}/history",
        patterns={"extension": "[^{}/]+"},
        handler=get_history,
        summary="Registration history of one extension",
        details="Transitions of the last days, 30 at most, and the times in which nothing was observed: the link to "
        "its call server was down, or no process of the service ran. At most 100 transitions are stored of a day; "
        "others are counted. Visible to those who see the extension's presence. Transitions appear after seconds.",
        query=HISTORY,
        in_path=ONE_EXTENSION,
        answer=RegistrationHistory,
        errors=(
            BadArgument("Expected a whole number from 1 to 30 in field days"),
            ExtensionNotFound,
            DatabaseUnavailable,
        ),
    ),
)
