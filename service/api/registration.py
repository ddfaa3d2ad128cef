"""Registration info: what a softphone needs to register, and whether its line is up now."""

from __future__ import annotations

from datetime import datetime
from time import time
from typing import Any

import structlog
from aiohttp import web

from service.api import body
from service.api.auth import caller
from service.api.cors import EXPOSED
from service.api.errors import BadArgument, ExtensionNotFound, Forbidden
from service.errors import CallServerUnavailable
from service.keys import DIRECTORY, LINKS, SETTINGS, TAG_KEY
from service.live.registration import Registration, registration, signed
from service.model import Person, Reading

log = structlog.get_logger(__name__)


async def by_user_id(request: web.Request) -> web.Response:
    """GET /api/v1/connector.extension.getRegistrationInfoByUserId"""
    person = await caller(request)
    uid = await _uid(request)
    _may_see(person, uid)
    directory = request.app[DIRECTORY]
    extension = directory.extension_of(uid)
    if extension is None:
        raise ExtensionNotFound
    settings = request.app[SETTINGS]
    server, link = settings.call_server(extension.call_server), request.app[LINKS].get(extension.call_server)
    if server is None or link is None:
        log.error("an extension's call server is not in the settings", call_server=extension.call_server)
        raise CallServerUnavailable(f"call server {extension.call_server} is not configured")
    reading = link.states.read(extension.device)
    found = registration(extension, server, reading, tag_key=request.app[TAG_KEY], success=settings.rocketchat_success)
    if settings.jwt_secret is not None:
        found = signed(found, settings.jwt_secret.get_secret_value(), tag_key=request.app[TAG_KEY], now=time())
    return _answer(request, found, settings.poll_interval, directory.stale_since)


async def _uid(request: web.Request) -> str:
    """The argument `id`, from the query, from the body, or the same from both."""
    given = request.query.getall("id", [])
    if len(given) > 1:
        raise BadArgument("Key 'id' is given more than once")
    raw = await body.read(request)
    if raw:
        parsed: dict[str, Any] = body.parse_object(raw)
        if "id" in parsed:
            value = parsed["id"]
            if not isinstance(value, str):
                raise BadArgument(f"Expected string, got {body.type_name(value)} in field id")
            given.append(value)
    if not given:
        raise BadArgument("Missing key 'id'")
    if len(set(given)) > 1:
        raise BadArgument("Key 'id' differs between query and body")
    if not given[0]:
        raise BadArgument("Expected non-empty string in field id")
    return given[0]


def _may_see(person: Person, uid: str) -> None:
    if uid != person.uid and not person.is_admin:
        raise Forbidden


def _answer(
    request: web.Request, found: Registration, poll_interval: int, stale_since: datetime | None
) -> web.Response:
    headers = {
        "Cache-Control": "no-store",
        "ETag": found.etag,
        "X-State-Live": "true" if found.reading.live else "false",
        "X-Poll-Interval": str(poll_interval),
        "Access-Control-Expose-Headers": EXPOSED,
        **_why_not_live(found.reading),
        **({"X-Directory-Stale-Since": _time(stale_since)} if stale_since else {}),
    }
    known = request.if_none_match
    if known is not None and any(tag.value in ("*", found.etag.strip('"')) for tag in known):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, headers={**headers, "Content-Type": "application/json"})


def _why_not_live(reading: Reading) -> dict[str, str]:
    if reading.reason is None:
        return {}
    since = reading.since
    return {
        "X-State-Reason": reading.reason.value,
        **({"X-State-Since": _time(since)} if since else {}),
    }


def _time(moment: datetime) -> str:
    """RFC 3339."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
