"""In front of every handler: which one it is, a request id, one answer per error, repeated slashes served as one.

aiohttp would do this with middlewares. Its application wraps them around the handler and looks the path up piece by
piece for each request, which costs a third of what a poll costs in all: see docs/decisions/0006. So the server asks
`Front`, which knows each fixed path with its method; all others are still found by aiohttp's router.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from random import getrandbits
from time import monotonic

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import istr

from service.api import cors
from service.api.error_answers import family_of, plain, response
from service.api.errors import BadArgument, RequestError, RouteNotFound, WrongMethod
from service.api.metrics import METRICS
from service.errors import ServiceError, Unavailable
from service.keys import SETTINGS

log = structlog.get_logger(__name__)

REQUEST_ID = istr("X-Request-Id")
ORIGIN, EXPECT = istr("Origin"), istr("Expect")
NOWHERE = "none"
"""The label of what belongs to no route."""
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


@dataclass(frozen=True, slots=True)
class Found:
    """Where a request belongs."""

    match: web.UrlMappingMatchInfo
    handler: Handler
    label: str
    """The route's pattern, for the metrics: never a path that a client made up."""


class Front:
    """What aiohttp's server asks for each answer, in place of the application."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._count = app[METRICS].answered
        self._draining = app[DRAINING]
        self._fixed = {
            (route.method, route.resource.canonical): _found(web.UrlMappingMatchInfo({}, route), app)
            for route in reversed(list(app.router.routes()))  # of two for the same path the router takes the first
            if isinstance(route.resource, web.PlainResource)
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer every error in its family's envelope, count, and give the answer its request id."""
        headers = request.headers
        given = headers.get(REQUEST_ID)
        request_id = given if given and _REQUEST_ID.fullmatch(given) else _new_id()
        found = self._fixed.get((request.method, request.rel_url.raw_path))
        if found is None:
            request, found = await self._looked_up(request)
        request._match_info = found.match
        try:
            if EXPECT in headers:
                await found.match.expect_handler(request)
                await request.writer.drain()
            answer = await found.handler(request)
        except (RequestError, ServiceError, web.HTTPException) as error:
            family = family_of(request.path, as_rocketchat=self._app[SETTINGS].rocketchat_errors)
            answer = cors.preflight(request, error) or response(family, _fact(error))
            if isinstance(error, Unavailable):
                self._app[OUTAGE].tell(error, request_id, request.path)
        except Exception:
            log.exception("a bug", request_id=request_id, path=request.path)
            answer = response(family_of(request.path), RuntimeError())
        self._count(found.label, request.method, answer.status)
        if not answer.prepared:
            answer.headers[REQUEST_ID] = request_id
            if self._draining.is_set():
                answer.force_close()
            if origin := headers.get(ORIGIN):
                cors.allow(request, answer, origin)
        return answer

    def malformed(self) -> web.Response:
        """The answer to what is no HTTP: nobody knows to which path. It is its connection's last."""
        answer = response(plain, BadArgument("The request is not valid HTTP"))
        answer.headers[REQUEST_ID] = _new_id()
        answer.force_close()
        self._count(NOWHERE, "", answer.status)
        return answer

    async def _looked_up(self, request: web.Request) -> tuple[web.Request, Found]:
        """Where aiohttp's router says that it belongs, each run of raw slashes taken as one: served, not redirected.

        The seed's own example asks for `/v1//user/1795`. `%2F` is no raw slash and stays what it is.
        """
        url = request.rel_url
        if "//" in url.raw_path:
            path = _SLASHES.sub("/", url.raw_path)
            request = request.clone(rel_url=url.build(path=path, query_string=url.raw_query_string, encoded=True))
        return request, _found(await self._app.router.resolve(request), self._app)


def _found(match: web.UrlMappingMatchInfo, app: web.Application) -> Found:
    match.add_app(app)
    match.freeze()
    resource = match.route.resource
    return Found(match, match.handler, resource.canonical if resource is not None else NOWHERE)


def _new_id() -> str:
    return f"{getrandbits(128):032x}"


def _fact(error: Exception) -> Exception:
    """aiohttp's own errors, as facts."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return WrongMethod(set(error.allowed_methods))
    if isinstance(error, web.HTTPNotFound):
        return RouteNotFound()
    return error
