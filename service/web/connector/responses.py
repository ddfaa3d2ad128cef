"""A 200 of the `/api/v1` family, with what it has to say of its own freshness."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web

from service.domain.models import DeviceState, Extension, NotLive, Reading
from service.domain.state_names import ASTERISK, ROCKETCHAT, StateNames
from service.domain.timestamps import rfc3339_ms
from service.web.app_keys import DIRECTORY, LINKS, SETTINGS
from service.web.http.errors import encode
from service.web.http.headers import EXPOSED_HEADERS, not_live_headers

FRESHNESS = ("X-State-Live", "X-State-Reason", "X-State-Since", "X-Directory-Stale-Since")
"""The headers of an answer with states."""
_NO_LINK = Reading(DeviceState.UNKNOWN, NotLive.DISCONNECTED)


def answered(
    request: web.Request, answer: msgspec.Struct | str, readings: Iterable[Reading] | None = None
) -> web.Response:
    """The answer. With `readings`, those of the states that it shows, it is live when all of them are."""
    headers = {"Cache-Control": "no-store", "Access-Control-Expose-Headers": EXPOSED_HEADERS}
    if since := request.app[DIRECTORY].stale_since:
        headers["X-Directory-Stale-Since"] = rfc3339_ms(since)
    if readings is not None:
        not_live = next((reading for reading in readings if not reading.live), None)
        headers["X-State-Live"] = "true" if not_live is None else "false"
        headers |= not_live_headers(not_live) if not_live is not None else {}
    return web.Response(body=encode(answer), content_type="application/json", headers=headers)


def reading_of(request: web.Request, extension: Extension) -> Reading:
    """What can be said of an extension's line now."""
    link = request.app[LINKS].get(extension.call_server)
    return link.states.read(extension.device) if link is not None else _NO_LINK


def state_names(request: web.Request) -> StateNames:
    """How states are spelled here."""
    return ROCKETCHAT if request.app[SETTINGS].rocketchat_states else ASTERISK
