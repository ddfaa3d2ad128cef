"""Queues in Rocket.Chat's format, from memory; no call sends an action to Asterisk.

The queues of an extension are those of its call server. A softphone names its extension by what it registered as, so
the responses repeat the name in the request, number or endpoint. The summary covers all call servers: a queue name may
occur on several, so each item then names its call server. Call servers whose queues are unknown are left out, and the
headers say so. If no queues are known, or not those of the extension's call server, the status is 503.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.domain.models import Extension, device_of
from service.domain.permissions import Permission, has
from service.domain.queue_entries import Summary
from service.errors import QueuesNotKnown
from service.web.app_keys import DIRECTORY, LINKS
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import success_response
from service.web.http.errors import BODY_ERRORS, BadArgument, NotPermitted
from service.web.http.extension_query import EXTENSION
from service.web.http.headers import FRESHNESS_HEADERS
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/voip/queues"


class QueueSummary(msgspec.Struct, frozen=True):
    """Statistics of one queue. Numbers are strings, as in Asterisk's `QueueSummary` event."""

    name: str
    loggedin: Annotated[str, Meta(description="Number of members whose device is available.")]
    available: Annotated[str, Meta(description="Number of logged-in members who are idle and not paused.")]
    callers: Annotated[str, Meta(description="Number of waiting calls.")]
    holdtime: Annotated[str, Meta(description="Average wait time of a call, in seconds.")]
    talktime: Annotated[str, Meta(description="Average talk time of a call, in seconds.")]
    call_server: (
        Annotated[str, Meta(description="Call server of the queue. Present only if several are configured.")]
        | UnsetType
    ) = msgspec.field(name="callServer", default=UNSET)


class QueueSummaries(msgspec.Struct, frozen=True):
    """Statistics of all queues, sorted by call server and name."""

    summary: list[QueueSummary]
    success: Yes = True


class QueuedCalls(msgspec.Struct, frozen=True, rename="camel"):
    """Number of queues of an extension and of calls waiting in them."""

    queue_count: int
    call_waiting_count: int
    extension: str
    success: Yes = True


class Membership(msgspec.Struct, frozen=True):
    """Queues of which the extension is a member."""

    queues: list[QueueSummary]
    extension: str
    success: Yes = True


async def get_summary(request: web.Request) -> web.Response:
    """GET /api/v1/voip/queues.getSummary"""
    require_permission(await require_caller(request), Permission.INBOUND_CALLS)
    links = request.app[LINKS]
    known = {name: link.queues for name, link in sorted(links.items()) if link.queues is not None}
    if not known:
        raise QueuesNotKnown
    items = [
        _render(summary, name if len(links) > 1 else UNSET)
        for name, queues in known.items()
        for summary in queues.summaries().values()
    ]
    return success_response(request, QueueSummaries(items), [link.queues_reading for link in links.values()])


async def get_queued_calls(request: web.Request) -> web.Response:
    """GET /api/v1/voip/queues.getQueuedCallsForThisExtension"""
    name, extension = await _requested_extension(request)
    summaries = _memberships(request, name, extension)
    callers = sum(summary.callers for summary in summaries)
    return success_response(request, QueuedCalls(len(summaries), callers, name))


async def get_membership(request: web.Request) -> web.Response:
    """GET /api/v1/voip/queues.getMembershipSubscription"""
    name, extension = await _requested_extension(request)
    summaries = [_render(summary) for summary in _memberships(request, name, extension)]
    return success_response(request, Membership(summaries, name))


async def _requested_extension(request: web.Request) -> tuple[str, Extension | None]:
    """The name in the request, and its extension if it is stored.

    Every caller may request their own: softphones do after registering.
    """
    person, directory = await require_caller(request), request.app[DIRECTORY]
    if has(person, Permission.INBOUND_CALLS):
        name = (await EXTENSION.decode(request)).extension
        return name, directory.find_extension(name, person)
    own = directory.extension_of(person.uid)
    try:
        name = (await EXTENSION.decode(request)).extension
    except BadArgument:
        raise NotPermitted from None
    if own is None or not own.answers_to(name):
        raise NotPermitted
    return name, own


def _memberships(request: web.Request, name: str, extension: Extension | None) -> list[Summary]:
    """The queues with this extension as a member: on its call server, or on all if the extension is not stored."""
    links = request.app[LINKS]
    if extension is None:
        known = [queues for _, link in sorted(links.items()) if (queues := link.queues) is not None]
        if not known:
            raise QueuesNotKnown
        return [
            queues.summaries()[queue]
            for queues in known
            for queue in sorted(queues.of_extension(name, (device_of(name),)))
        ]
    link = links.get(extension.call_server)
    if link is None or link.queues is None:
        raise QueuesNotKnown
    summaries = link.queues.summaries()
    return [summaries[queue] for queue in link.queues_of(extension)]


def _render(summary: Summary, call_server: str | UnsetType = UNSET) -> QueueSummary:
    return QueueSummary(
        name=summary.name,
        loggedin=str(summary.logged_in),
        available=str(summary.available),
        callers=str(summary.callers),
        holdtime=str(summary.averages.hold),
        talktime=str(summary.averages.talk),
        call_server=call_server,
    )


_ONE_EXTENSION_ERRORS = (BadArgument("Missing key 'extension'"), QueuesNotKnown, *BODY_ERRORS)
OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PATH}.getSummary",
        handler=get_summary,
        summary="Queue statistics: members, waiting calls, averages",
        answer=QueueSummaries,
        headers=FRESHNESS_HEADERS,
        permission=Permission.INBOUND_CALLS,
        errors=(QueuesNotKnown,),
    ),
    Operation(
        method="GET",
        path=f"{PATH}.getQueuedCallsForThisExtension",
        handler=get_queued_calls,
        summary="Number of queues of an extension and of the calls waiting in them",
        query=EXTENSION,
        answer=QueuedCalls,
        permission=Permission.INBOUND_CALLS,
        own_is_free=True,
        errors=_ONE_EXTENSION_ERRORS,
    ),
    Operation(
        method="GET",
        path=f"{PATH}.getMembershipSubscription",
        handler=get_membership,
        summary="Queue memberships of an extension",
        query=EXTENSION,
        answer=Membership,
        permission=Permission.INBOUND_CALLS,
        own_is_free=True,
        errors=_ONE_EXTENSION_ERRORS,
    ),
)
