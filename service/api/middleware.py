"""What happens around every handler: a request id, one answer per error, repeated slashes served as one."""

from __future__ import annotations

import asyncio
import re
from random import getrandbits
from time import monotonic

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from service.api import cors
from service.api.error_answers import family_of, response
from service.api.errors import RequestError, RouteNotFound, WrongMethod
from service.api.metrics import METRICS
from service.errors import ServiceError, Unavailable

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SLASHES = re.compile(r"/{2,}")
OUTAGE_ENDS = 10.0
"""Seconds without a failure after which the next one is news again."""


class Outage:
    """Tells of requests that could not be answered: the first of an outage at warning, repeats at debug."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def tell(self, error: Unavailable, request_id: str, path: str) -> None:
        """Log one such request."""
        now = monotonic()
        say = log.warning if now - self._last > OUTAGE_ENDS else log.debug
        self._last = now
        say("requests cannot be answered", error=str(error), request_id=request_id, path=path)


OUTAGE = web.AppKey("outage", Outage)
DRAINING = web.AppKey("draining", asyncio.Event)
"""Set when the process ends: then each answer is its connection's last, so that clients go elsewhere in peace."""


@web.middleware
async def outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error in its family's envelope, count, and give the answer its request id."""
    given = request.headers.get(REQUEST_ID, "")
    request_id = given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(128):032x}"
    if "//" in request.rel_url.raw_path:
        request = await _with_single_slashes(request)
        handler = request.match_info.handler
    try:
        answer = await handler(request)
    except (RequestError, ServiceError, web.HTTPException) as error:
        answer = cors.preflight(request, error) or response(family_of(request.path), _fact(error))
        if isinstance(error, Unavailable):
            request.app[OUTAGE].tell(error, request_id, request.path)
    except Exception:
        log.exception("a bug", request_id=request_id, path=request.path)
        answer = response(family_of(request.path), RuntimeError())
    request.app[METRICS].answered(request, answer.status)
    if not answer.prepared:
        answer.headers[REQUEST_ID] = request_id
        if request.app[DRAINING].is_set():
            answer.force_close()
        if origin := request.headers.get("Origin"):
            cors.allow(request, answer, origin)
    return answer


def _fact(error: Exception) -> Exception:
    """aiohttp's own errors, as facts."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return WrongMethod(set(error.allowed_methods))
    if isinstance(error, web.HTTPNotFound):
        return RouteNotFound()
    return error


async def _with_single_slashes(request: web.Request) -> web.Request:
    """The same request for the path with each run of raw slashes as one, resolved anew: served, not redirected.

    The seed's own example asks for `/v1//user/1795`. `%2F` is no raw slash and stays what it is. aiohttp can only
    redirect, so this does what its application does to route a request.
    """
    url = request.rel_url
    path = _SLASHES.sub("/", url.raw_path)
    again = request.clone(rel_url=url.build(path=path, query_string=url.raw_query_string, encoded=True))
    match = await request.app.router.resolve(again)
    match.add_app(request.app)
    match.freeze()
    again._match_info = match
    return again
