"""The dispatcher stands before every handler: route, request id, errors to responses, counting, CORS.

aiohttp would do this with middlewares: its application wraps them around the handler and resolves the path piece by
piece for each request, which costs a third of a poll (docs/decisions/0006). So the server asks the `Dispatcher`, which
finds plain paths in a table (`path_table.py`). A synchronous handler answers without a task.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from random import getrandbits
from time import monotonic

import structlog
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import LineTooLong
from multidict import istr

from service.errors import ServiceError, Unavailable
from service.web.app_keys import SETTINGS
from service.web.http import cors, header_checks
from service.web.http.error_responses import family_of, plain, response
from service.web.http.errors import BadArgument, HeadTooLarge, RequestError, RouteNotFound, WrongMethod
from service.web.http.handlers import SyncHandler
from service.web.http.prebuilt_response import SERVER, PrebuiltResponse
from service.web.server.path_table import NOWHERE, PathMatch, PathTable
from service.web.server.request import Request
from service.web.server.response_writer import PrebuiltSender
from service.web.server.write_backlog import LARGE, WRITE_BACKLOG

log = structlog.get_logger(__name__)

REQUEST_ID = istr("X-Request-Id")
ORIGIN, EXPECT, CONTENT_ENCODING = istr("Origin"), istr("Expect"), istr("Content-Encoding")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
OUTAGE_ENDS = 10.0
"""Seconds without a failure after which the next one is news again."""


class Outage:
    """Tells of requests that could not be answered: the first of an outage at warning, repeats at debug."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def tell(self, error: Unavailable, request_id: str, path: str) -> None:
        """Log one such request."""
        now = monotonic()
        level = logging.WARNING if now - self._last > OUTAGE_ENDS else logging.DEBUG
        self._last = now
        log.log(level, "service_unavailable", error=str(error), request_id=request_id, path=path)


OUTAGE = web.AppKey("outage", Outage)
SYNC_HANDLERS: web.AppKey[Mapping[tuple[str, str], SyncHandler]] = web.AppKey(
    "sync_handlers", Mapping[tuple[str, str], SyncHandler]
)
"""By method and path, where there are any."""
COUNT_RESPONSE: web.AppKey[Callable[[str, str, int], None]] = web.AppKey("count_response")
"""Called with the route, the method and the status of each response."""
DRAINING = web.AppKey("draining", asyncio.Event)
"""Set when the process ends: then each answer is its connection's last, so that clients go elsewhere in peace."""


class Dispatcher:
    """What aiohttp's server asks for each answer, in place of the application."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._count = app[COUNT_RESPONSE]
        self._draining = app[DRAINING]
        self._paths = PathTable(app, app.get(SYNC_HANDLERS, {}))
        self._unsent = app[WRITE_BACKLOG]

    def answer_sync(self, request: Request) -> PrebuiltResponse | None:
        """The answer of a call that need not wait for anything. None: nothing was done, and `answer` is to be asked."""
        found, headers = self._paths.find(request), request.headers
        if found is None or found.sync_handler is None or self._draining.is_set():
            return None
        if EXPECT in headers or CONTENT_ENCODING in headers:
            return None
        request.match = found.match
        request_id = _id_of(request)
        try:
            answer = found.sync_handler(request)
            if self._unsent.full and answer is not None:
                self._demand_room(answer)
        except Exception as error:
            answer = self._refusal(request, error, request_id)
        if answer is not None:
            self._finish(request, found, answer, request_id)
        return answer

    async def answer(self, request: Request) -> web.StreamResponse:
        """Answer every error in its family's envelope, count, and give the answer its request id."""
        request_id = _id_of(request)
        found = self._paths.find(request)
        if found is None:
            request, found = await self._paths.resolve(request)
        request.match = found.match
        forbidden = header_checks.forbidden(request)
        try:
            if forbidden is not None and not isinstance(found.match.http_exception, web.HTTPMethodNotAllowed):
                raise forbidden
            if EXPECT in request.headers:
                await found.match.expect_handler(request)
                await request.writer.drain()
            answer: web.StreamResponse | PrebuiltResponse = await found.handler(request)
            if self._unsent.full:
                self._demand_room(answer)
        except Exception as error:
            if request.writer.output_size > 0:  # a second head would be taken for what the first one announced
                if not _has_gone(request, error):
                    log.error("response_aborted", request_id=request_id, path=request.path, exc_info=error)
                raise
            answer = self._refusal(request, error, request_id)
        if forbidden is not None:
            answer.force_close()  # its body is nobody's request
        self._finish(request, found, answer, request_id)
        return PrebuiltSender(answer) if isinstance(answer, PrebuiltResponse) else answer

    def malformed(self, error: BaseException | None) -> web.StreamResponse:
        """The answer to what is no HTTP: nobody knows to which path. It is its connection's last."""
        too_large = isinstance(error, LineTooLong)
        return PrebuiltSender(
            self._outside_of_requests(HeadTooLarge() if too_large else BadArgument("The request is not valid HTTP"))
        )

    def failed(self, error: BaseException | None) -> web.StreamResponse:
        """The answer where this class itself failed."""
        log.error("internal_error", exc_info=error)
        return PrebuiltSender(self._outside_of_requests(RuntimeError()))

    def refused(self, fact: RequestError) -> bytes:
        """The answer to what is no whole request, as it goes out. It is its connection's last."""
        return self._outside_of_requests(fact).encoded(HttpVersion11, "", keep_alive=False)

    def _outside_of_requests(self, fact: Exception) -> PrebuiltResponse:
        answer = response(plain, fact)
        answer.headers[REQUEST_ID] = _new_id()
        answer.force_close()
        self._count(NOWHERE, "", answer.status)
        return answer

    def _demand_room(self, answer: web.StreamResponse | PrebuiltResponse) -> None:
        """Raises Overloaded for a large answer, where too many wait to be read."""
        size = answer.size if isinstance(answer, PrebuiltResponse) else answer.content_length or 0
        if size > LARGE and not answer.prepared:
            self._unsent.demand_room()

    def _refusal(self, request: web.Request, error: Exception, request_id: str) -> PrebuiltResponse:
        """The answer to what went wrong. Only a bug is logged with its traceback."""
        if _has_gone(request, error):
            error = BadArgument("the request broke off")
        if not isinstance(error, RequestError | ServiceError | web.HTTPException):
            log.error("internal_error", request_id=request_id, path=request.path, exc_info=error)
            return response(family_of(request.rel_url.raw_path), RuntimeError())
        if isinstance(error, Unavailable):
            self._app[OUTAGE].tell(error, request_id, request.path)
        family = family_of(request.rel_url.raw_path, as_rocketchat=self._app[SETTINGS].rocketchat_errors)
        return cors.preflight(request, error) or response(family, _fact(error))

    def _finish(
        self, request: web.Request, found: PathMatch, answer: web.StreamResponse | PrebuiltResponse, request_id: str
    ) -> None:
        self._count(found.label, request.method, answer.status)
        if answer.prepared:
            return
        if isinstance(answer, web.StreamResponse):
            answer.headers[hdrs.SERVER] = SERVER  # aiohttp's names versions
        answer.headers[REQUEST_ID] = request_id
        if self._draining.is_set():
            answer.force_close()
        if origin := request.headers.get(ORIGIN):
            cors.allow(request, answer, origin)


def _has_gone(request: web.Request, error: Exception) -> bool:
    """Whether the client went away in the middle of its request. Anybody can do so at any time: that is no bug."""
    line = request.transport
    return isinstance(error, OSError) and (line is None or line.is_closing())


def _id_of(request: web.Request) -> str:
    """What the client calls the request, where it may be called so; else an id of ours."""
    given = request.headers.get(REQUEST_ID)
    return given if given and _REQUEST_ID.fullmatch(given) else _new_id()


def _new_id() -> str:
    return f"{getrandbits(128):032x}"


def _fact(error: Exception) -> Exception:
    """aiohttp's own errors, as facts."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return WrongMethod(set(error.allowed_methods))
    if isinstance(error, web.HTTPNotFound):
        return RouteNotFound()
    return error
