"""The queues whole, from memory: waiting calls and members. No call sends an action to Asterisk.

Call servers whose queues are unknown are left out, and the headers say so. If no queues are known, the status is 503.
"""

from __future__ import annotations

from service.domain.models import Person
from service.domain.permissions import Permission
from service.domain.timestamps import rfc3339_ms
from service.errors import QueuesNotKnown
from service.web.app_keys import DIRECTORY, LINKS, SETTINGS
from service.web.auth.authentication import handler_for_caller, sync_handler_for_caller
from service.web.auth.permissions import require_permission
from service.web.http.etag import matches_etag
from service.web.http.headers import FRESHNESS_HEADERS, not_live_headers
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json, render_headers
from service.web.openapi.operation import Operation
from service.web.queues.rendering import QUEUE_RENDERING
from service.web.queues.schemas import QueueList


def get_all(request: PolledRequest, person: Person) -> PrebuiltResponse:
    """GET /api/v1/queues"""
    require_permission(person, Permission.INBOUND_CALLS)
    app = request.app
    links = app[LINKS]
    if all(link.queues is None for link in links.values()):
        raise QueuesNotKnown
    queues = app[QUEUE_RENDERING].all_for(person)
    etag = app[QUEUE_RENDERING].etag(queues)
    headers = {"Cache-Control": "no-store", "X-Poll-Interval": str(app[SETTINGS].poll_interval), "ETag": etag}
    not_live = next((reading for link in links.values() if not (reading := link.queues_reading).live), None)
    headers["X-State-Live"] = "true" if not_live is None else "false"
    if not_live is not None:
        headers |= not_live_headers(not_live)
    if (since := app[DIRECTORY].stale_since) is not None:
        headers["X-Directory-Stale-Since"] = rfc3339_ms(since)
    if matches_etag(request, etag):
        return PrebuiltResponse(304, render_headers(headers))
    return prebuilt_json({"queues": [queue.json for queue in queues], "success": True}, headers)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/queues",
        handler=handler_for_caller(get_all),
        sync_handler=sync_handler_for_caller(get_all),
        summary="Queues with their waiting calls and members",
        details="Times are not part of the entity tag: a 304 says that nothing but times differs.",
        answer=QueueList,
        conditional=True,
        headers=(*FRESHNESS_HEADERS, "X-Poll-Interval"),
        permission=Permission.INBOUND_CALLS,
        errors=(QueuesNotKnown,),
    ),
)
