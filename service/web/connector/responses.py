"""Successful responses of the `/api/v1` family, with the headers on their freshness."""

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

_NO_LINK_READING = Reading(DeviceState.UNKNOWN, NotLive.DISCONNECTED)


def success_response(
    request: web.Request, answer: msgspec.Struct | str, readings: Iterable[Reading] | None = None
) -> web.Response:
    """The response. `readings` are those of the states in it: it is live if all of them are."""
    headers = {"Cache-Control": "no-store", "Access-Control-Expose-Headers": EXPOSED_HEADERS}
    if since := request.app[DIRECTORY].stale_since:
        headers["X-Directory-Stale-Since"] = rfc3339_ms(since)
    if readings is not None:
        not_live = next((reading for reading in readings if not reading.live), None)
        headers["X-State-Live"] = "true" if not_live is None else "false"
        headers |= not_live_headers(not_live) if not_live is not None else {}
    return web.Response(body=encode(answer), content_type="application/json", headers=headers)


def read_state(request: web.Request, extension: Extension) -> Reading:
    """The current reading of an extension."""
    link = request.app[LINKS].get(extension.call_server)
    return link.read(extension) if link is not None else _NO_LINK_READING


def state_names(request: web.Request) -> StateNames:
    """The state names that the settings select."""
    return ROCKETCHAT if request.app[SETTINGS].rocketchat_states else ASTERISK
