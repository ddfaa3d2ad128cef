"""The queues of the call servers, as Rocket.Chat's clients ask for them: from the live map, never from Asterisk.

An extension has one call server, so its queues are that one's. The summary is of all of them: a name that two have is
there twice, and where there are several each item says whose it is. What is not known is not shown: the call servers
whose queues are not known are missing, and the answer says so; when it is none, or the extension's, it is a 503.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.ami.link import Link
from service.domain.models import DeviceState, Reading, device_of
from service.domain.permissions import Permission, has
from service.domain.queues import Queues, Summary
from service.errors import QueuesNotKnown
from service.web.app_keys import DIRECTORY, LINKS
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import FRESHNESS, answered
from service.web.http.errors import BODY_ERRORS, BadArgument, NotPermitted
from service.web.http.extension_query import EXTENSION
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/voip/queues"
_LIVE = Reading(DeviceState.UNKNOWN)


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
    shown = [
        _shown(summary, name if len(links) > 1 else UNSET)
        for name, queues in known.items()
        for summary in queues.summaries().values()
    ]
    return answered(request, QueueSummaries(shown), [_reading(link) for link in links.values()])


async def get_queued_calls(request: web.Request) -> web.Response:
    """GET /api/v1/voip/queues.getQueuedCallsForThisExtension"""
    number = await _extension(request)
    found = _memberships(request, number)
    return answered(request, QueuedCalls(len(found), sum(summary.callers for summary in found), number))


async def get_membership(request: web.Request) -> web.Response:
    """GET /api/v1/voip/queues.getMembershipSubscription"""
    number = await _extension(request)
    return answered(request, Membership([_shown(summary) for summary in _memberships(request, number)], number))


async def _extension(request: web.Request) -> str:
    """The extension that is asked for. One's own everybody may ask for: softphones do, when they have registered."""
    person = await require_caller(request)
    if has(person, Permission.INBOUND_CALLS):
        return (await EXTENSION.decode(request)).extension
    own = request.app[DIRECTORY].extension_of(person.uid)
    try:
        number = (await EXTENSION.decode(request)).extension
    except BadArgument:
        raise NotPermitted from None
    if own is None or number != own.number:
        raise NotPermitted
    return number


def _memberships(request: web.Request, number: str) -> list[Summary]:
    """The queues that have this extension as a member; of all call servers, for one that is not ours."""
    extension, links = request.app[DIRECTORY].extension(number), request.app[LINKS]
    names = sorted(links) if extension is None else [extension.call_server]
    known = [queues for name in names if (queues := _queues(links.get(name))) is not None]
    if not known:
        raise QueuesNotKnown
    device = device_of(number)
    return [queues.summaries()[name] for queues in known for name in sorted(queues.of_member(device))]


def _queues(link: Link | None) -> Queues | None:
    return link.queues if link is not None else None


def _reading(link: Link) -> Reading:
    """Whether a call server's queues are shown; if not, why: as of a device that Asterisk does not tell of."""
    return _LIVE if link.queues is not None else link.states.read("Queue:")


def _shown(summary: Summary, call_server: str | UnsetType = UNSET) -> QueueSummary:
    return QueueSummary(
        name=summary.name,
        loggedin=str(summary.logged_in),
        available=str(summary.available),
        callers=str(summary.callers),
        holdtime=str(summary.averages.hold),
        talktime=str(summary.averages.talk),
        call_server=call_server,
    )


_ONE = (BadArgument("Missing key 'extension'"), QueuesNotKnown, *BODY_ERRORS)
OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PATH}.getSummary",
        handler=get_summary,
        summary="Queue statistics: members, waiting calls, averages",
        answer=QueueSummaries,
        headers=FRESHNESS,
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
        errors=_ONE,
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
        errors=_ONE,
    ),
)
