"""`/status`: every extension with its live state, and for one, why its state is unknown. For operators."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

from aiohttp import web
from msgspec import UNSET

from service.domain.device_states import Freshness
from service.domain.models import DeviceState, Extension
from service.domain.presence.item import Item
from service.domain.status.link_reasons import find_link_reason
from service.domain.timestamps import rfc3339_ms
from service.errors import Ambiguous
from service.slices import in_slices
from service.web.app_keys import DIRECTORY, LINKS, PRESENCE_CONNECTIONS, PRESENCE_FEED, SETTINGS
from service.web.auth.operator_access import require_operator
from service.web.http.errors import BadArgument, ExtensionNotFound
from service.web.http.json_response import json_response
from service.web.http.param_errors import RocketChat
from service.web.http.params import Path, Query
from service.web.openapi.operation import Auth, Operation
from service.web.ops.bus_status import bus_status
from service.web.ops.status_facts import (
    device_statuses,
    directory_status,
    extension_status,
    link_condition,
    presence_connection_status,
    reason_status,
    stored_phones,
)
from service.web.ops.status_history import registration_status
from service.web.ops.status_schemas import (
    CallServerStatus,
    ExtensionStatus,
    StatusDetails,
    StatusPage,
    StatusPath,
    StatusQuery,
)

SLICE = 100
"""Extensions per turn of the event loop: a few milliseconds."""
STATUS = Query(StatusQuery, RocketChat)
ONE_STATUS = Path(StatusPath)


async def public_listing(request: web.Request) -> web.Response:
    """GET /status on the port for clients. Raises Forbidden and others unless the caller is an operator."""
    require_operator(request)
    return await listing(request)


async def public_details(request: web.Request) -> web.Response:
    """GET /status/{extension}, likewise."""
    require_operator(request)
    return await details(request)


async def listing(request: web.Request) -> web.Response:
    """GET /status on the port for operators. Each slice is of its own moment."""
    app, query = request.app, STATUS.decode(request)
    directory, feed = app[DIRECTORY], app[PRESENCE_FEED]
    numbers, first = directory.numbers(), not query.after
    counts: dict[str, _Counts] = defaultdict(_Counts)
    rows: list[ExtensionStatus] = []
    more = False
    async for part in in_slices(numbers[0 if first else bisect_right(numbers, query.after) :], SLICE):
        feed.catch_up(frozenset(part))
        for number in part:
            found = directory.find_stored(number)
            if not found or found[0].number != number:  # deleted since
                continue
            item = feed.get(number)
            counts[found[0].call_server].add(item)
            if not _matches(query, found[0], item):
                continue
            if len(rows) < query.limit:
                rows.append(extension_status(app, found[0])[0])
            else:
                more = True
        if more and not first:
            break
    return json_response(
        StatusPage(
            directory_status(app),
            _call_servers(app, counts) if first else None,
            rows,
            rows[-1].extension if more else None,
            bus_status(app) if first else UNSET,
        )
    )


async def details(request: web.Request) -> web.Response:
    """GET /status/{extension} on the port for operators. Raises ExtensionNotFound, Ambiguous."""
    app = request.app
    extension = _find(app, ONE_STATUS.decode(request).extension)
    stored = await stored_phones(app, extension)
    app[PRESENCE_FEED].catch_up(frozenset({extension.number}))
    status, reason = extension_status(app, extension)
    link = app[LINKS].get(extension.call_server)
    queues = link is not None and link.queues is not None
    return json_response(
        StatusDetails(
            directory_status(app),
            status,
            reason_status(reason),
            extension.local_number,
            device_statuses(app, extension, stored),
            list(link.queues_of(extension)) if link is not None and queues else None,
            await registration_status(app, extension),
        )
    )


def _find(app: web.Application, name: str) -> Extension:
    found = app[DIRECTORY].find_stored(name)
    if not found:
        raise ExtensionNotFound
    if len(found) > 1:
        numbers = ", ".join(sorted(extension.number for extension in found))
        raise Ambiguous(f"{name} is an endpoint of several extensions: {numbers}")
    return found[0]


@dataclass(slots=True)
class _Counts:
    """Extensions of one call server."""

    total: int = 0
    live: int = 0
    registered: int = 0

    def add(self, item: Item | None) -> None:
        self.total += 1
        if item is not None:
            self.live += item.live
            self.registered += bool(item.registered)


def _matches(query: StatusQuery, extension: Extension, item: Item | None) -> bool:
    state = item.state if item is not None else DeviceState.UNKNOWN.value
    live = item is not None and item.live
    return (
        query.call_server in ("", extension.call_server)
        and (query.state is None or query.state.value == state)
        and (query.live is None or (query.live == "true") is live)
    )


def _call_servers(app: web.Application, counts: dict[str, _Counts]) -> list[CallServerStatus]:
    return [_call_server(app, name, counts[name]) for name in sorted(app[LINKS].keys() | counts.keys())]


def _call_server(app: web.Application, name: str, counts: _Counts) -> CallServerStatus:
    link, server = app[LINKS].get(name), app[SETTINGS].call_servers.get(name)
    presence = app[PRESENCE_CONNECTIONS].get(name)
    freshness: Freshness | None = link.states.freshness if link is not None else None
    return CallServerStatus(
        name=name,
        in_settings=server is not None,
        credentials=server.credentials.value if server is not None else None,
        freshness=freshness,
        since=rfc3339_ms(link.states.since) if link is not None else None,
        live=link is not None and link.states.current,
        reason=reason_status(find_link_reason(link_condition(link))) if link is not None else None,
        presence=presence_connection_status(presence) if presence is not None else None,
        extensions=counts.total,
        live_extensions=counts.live,
        registered_extensions=counts.registered,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/status",
        handler=public_listing,
        summary="Every extension with user, live state, registration and presence, in pages",
        details="For operators: loopback connections need no token, others require an admin's token. Sorted by number. "
        "A page with `next` is continued by `after`. With several workers each describes itself.",
        query=STATUS,
        auth=Auth.TOKEN_ELSEWHERE,
        answer=StatusPage,
        errors=(BadArgument("Expected a whole number from 1 to 1000 in field limit"),),
    ),
    Operation(
        method="GET",
        path="/status/{extension}",
        patterns={"extension": "[^{}/]+"},
        handler=public_details,
        summary="One extension with its devices, registrations and queues, and why its state is unknown",
        details="For operators, as `/status`. The reason is a stable code with two sentences: the cause, and the next "
        "step. It is null if a phone answers.",
        in_path=ONE_STATUS,
        auth=Auth.TOKEN_ELSEWHERE,
        answer=StatusDetails,
        errors=(ExtensionNotFound, Ambiguous("alice is an endpoint of several extensions: 1005, 21005")),
    ),
)
"""On the port for clients, unless operators have a port of their own."""
