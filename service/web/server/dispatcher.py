"""The dispatcher calls the handler of every request: routing, request id, error responses, counting, CORS.

aiohttp does this in middlewares: its application wraps them around the handler and resolves the path segment by segment
for each request, which costs a third of a poll (docs/decisions/0006). So the server calls the `Dispatcher` instead,
which finds plain paths in a table (`path_table.py`). A synchronous handler needs no task.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import cast

import structlog
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import LineTooLong
from multidict import istr

from service.errors import ServiceError, Unavailable
from service.request_context import answering
from service.web.app_keys import SETTINGS
from service.web.http import cors, header_checks
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.error_responses import error_response, family_of, plain
from service.web.http.errors import BadArgument, HeadTooLarge, RequestError, RouteNotFound, TokenWrong, WrongMethod
from service.web.http.handler_types import PlainHandler, SyncHandler
from service.web.http.polled_request import ORIGIN, REQUEST_ID, TRACEPARENT, Parts, PolledRequest
from service.web.http.prebuilt_response import SERVER, PrebuiltResponse
from service.web.http.refusals import REFUSALS
from service.web.http.setup_paths import SETUP_HEADERS, is_setup_path, loggable_path
from service.web.server import plain_request
from service.web.server.outage import OUTAGE
from service.web.server.path_table import NO_ROUTE, PathTable
from service.web.server.plain_request import PlainRequest
from service.web.server.prebuilt_sender import PrebuiltSender
from service.web.server.repeated_polls import RepeatedPolls
from service.web.server.request import Request
from service.web.server.write_backlog import LARGE, WRITE_BACKLOG

log = structlog.get_logger(__name__)

X_REQUEST_ID, EXPECT = istr("X-Request-Id"), istr("Expect")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C's header, version 00. The first group is the id of the trace."""

SYNC_HANDLERS: web.AppKey[Mapping[tuple[str, str], SyncHandler]] = web.AppKey(
    "sync_handlers", Mapping[tuple[str, str], SyncHandler]
)
"""The synchronous handlers by method and path."""
PLAIN_HANDLERS: web.AppKey[Mapping[tuple[str, str], PlainHandler]] = web.AppKey(
    "plain_handlers", Mapping[tuple[str, str], PlainHandler]
)
"""The handlers of plain requests that wait, by method and path."""
COUNT_RESPONSE: web.AppKey[Callable[[str, str, int], None]] = web.AppKey("count_response")
"""Called with the route, the method and the status of each response."""
OBSERVE_DURATION: web.AppKey[Callable[[str, float], None]] = web.AppKey("observe_duration")
"""Called with the route of each response that was waited for, and the seconds that it took."""
DRAINING = web.AppKey("draining", asyncio.Event)
"""Set while the process drains: every response closes its connection then, so that clients reconnect elsewhere."""


class Dispatcher:
    """Answers every request, in place of aiohttp's application."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._parts = cast(Parts, dict(app.items()))
        self._count = app[COUNT_RESPONSE]
        self._observe_duration = app[OBSERVE_DURATION]
        self._draining = app[DRAINING]
        self._paths = PathTable(app, app.get(SYNC_HANDLERS, {}), app.get(PLAIN_HANDLERS, {}))
        self._new_id = _random_ids().__next__
        self.repeated = RepeatedPolls(self._count, self._new_id, self._draining)
        self._write_backlog = app[WRITE_BACKLOG]

    def keep_poll(self, data: bytes, request: PlainRequest, answer: PrebuiltResponse) -> None:
        """Keep a poll that was answered, so that it is answered in fewer steps when it comes again."""
        self.repeated.keep(data, request, answer)

    def read_plain(self, data: bytes, remote: str | None) -> PlainRequest | None:
        """The plain request that these bytes from this address are; None if they are none."""
        return plain_request.read(data, self._parts, self._paths, remote)

    def answer_plain(self, request: PlainRequest) -> PrebuiltResponse | None:
        """The response, if nothing has to be waited for. None, without side effects, if `answer` has to be called."""
        handler = request.route.sync_handler
        if handler is None or self._draining.is_set():
            return None
        request_id = request.request_id = self._request_id_of(request)
        try:
            answer = handler(request)
            if self._write_backlog.full and answer is not None:
                self._require_room(answer)
        except Exception as error:
            answer = self._error_response(request, error, request_id, request.route.label)
        if answer is not None:
            self._count(request.route.label, "GET", answer.status)
            _add_headers(request, answer, request_id)
        return answer

    async def answer_plain_later(self, request: PlainRequest, handler: PlainHandler) -> PrebuiltResponse:
        """The response of a call that waits."""
        began = monotonic()
        request_id = request.request_id = self._request_id_of(request)
        try:
            with answering(request_id):
                answer = await handler(request)
            if self._write_backlog.full:
                self._require_room(answer)
        except Exception as error:
            answer = self._error_response(request, error, request_id, request.route.label)
        self._count(request.route.label, "GET", answer.status)
        self._observe_duration(request.route.label, monotonic() - began)
        _add_headers(request, answer, request_id)
        if self._draining.is_set():
            answer.force_close()
        return answer

    async def answer(self, request: Request) -> web.StreamResponse:
        """The response, with errors in their family's format. Counts it and adds the request id."""
        began = monotonic()
        request_id = self._request_id_of(request)
        found = self._paths.find(request)
        if found is None:
            request, found = await self._paths.resolve(request)
        request.match, request.request_id = found.match, request_id
        header_error = header_checks.find_error(request)
        try:
            if header_error is not None and not isinstance(found.match.http_exception, web.HTTPMethodNotAllowed):
                raise header_error
            if EXPECT in request.headers:
                await found.match.expect_handler(request)
                await request.writer.drain()
            with answering(request_id):
                answer: web.StreamResponse | PrebuiltResponse = await found.handler(request)
            if self._write_backlog.full:
                self._require_room(answer)
        except Exception as error:
            if request.writer.output_size > 0:  # a second head would be read as part of the first response
                if not _is_client_gone(request, error):
                    path = loggable_path(request.path, request.rel_url.raw_path, found.label)
                    log.error("response_aborted", request_id=request_id, path=path, exc_info=error)
                raise
            answer = self._response_to_error(request, error, request_id, found.label)
        if header_error is not None:
            answer.force_close()  # the rest of the body must not count as a request
        self._count(found.label, request.method, answer.status)
        self._observe_duration(found.label, monotonic() - began)
        if not answer.prepared:
            if isinstance(answer, web.StreamResponse):
                answer.headers[hdrs.SERVER] = SERVER  # aiohttp's names versions
            if self._draining.is_set():
                answer.force_close()
            _add_headers(request, answer, request_id)
        return PrebuiltSender(answer) if isinstance(answer, PrebuiltResponse) else answer

    def respond_to_malformed(self, error: BaseException | None) -> web.StreamResponse:
        """The response to malformed HTTP, whose path is unknown. It closes the connection."""
        too_large = isinstance(error, LineTooLong)
        return PrebuiltSender(
            self._response_without_request(
                HeadTooLarge() if too_large else BadArgument("The request is not valid HTTP")
            )
        )

    def respond_to_bug(self, error: BaseException | None) -> web.StreamResponse:
        """The response to an error in this class itself."""
        log.error("internal_error", exc_info=error)
        return PrebuiltSender(self._response_without_request(RuntimeError()))

    def refuse_partial_request(self, error: RequestError) -> bytes:
        """The response to an incomplete request, as bytes. It closes the connection."""
        return self._response_without_request(error).render_for(HttpVersion11, "", keep_alive=False)

    def _response_without_request(self, error: Exception) -> PrebuiltResponse:
        answer = error_response(plain, error)
        answer.headers[X_REQUEST_ID] = self._new_id()
        answer.force_close()
        self._count(NO_ROUTE, "", answer.status)
        return answer

    def _request_id_of(self, request: PolledRequest) -> str:
        """The client's id of the request, if valid; else the id of its trace; else a new one."""
        given = request.headers.get(REQUEST_ID)
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        trace = request.headers.get(TRACEPARENT)
        found = _TRACEPARENT.fullmatch(trace) if trace is not None else None
        return found[1] if found is not None else self._new_id()

    def _require_room(self, answer: web.StreamResponse | PrebuiltResponse) -> None:
        """Raises Overloaded for a large response if too many bytes are unsent."""
        size = answer.size if isinstance(answer, PrebuiltResponse) else answer.content_length or 0
        if size > LARGE and not answer.prepared:
            self._write_backlog.require_room()

    def _response_to_error(
        self, request: web.Request, error: Exception, request_id: str, label: str
    ) -> PrebuiltResponse:
        """The response to an error, which may be a preflight's method or a client's absence."""
        if _is_client_gone(request, error):
            error = BadArgument("the request broke off")
        if not is_setup_path(request.rel_url.raw_path) and (preflight := cors.preflight(request, error)) is not None:
            return preflight
        return self._error_response(request, _as_request_error(error), request_id, label)

    def _error_response(
        self, request: PolledRequest, error: Exception, request_id: str, label: str
    ) -> PrebuiltResponse:
        """The response to an error. Only a bug is logged with its traceback."""
        raw_path = request.rel_url.raw_path
        path = loggable_path(request.path, raw_path, label)
        if not isinstance(error, RequestError | ServiceError | web.HTTPException):
            log.error("internal_error", request_id=request_id, path=path, exc_info=error)
            return error_response(family_of(raw_path), RuntimeError())
        if isinstance(error, TokenWrong):
            self._app[REFUSALS].note_token(self._app[CLIENT_ADDRESSES].of(request), request_id)
        if isinstance(error, Unavailable):
            self._app[OUTAGE].report(error, request_id, path)
        return error_response(family_of(raw_path, as_rocketchat=self._app[SETTINGS].rocketchat_errors), error)


def _add_headers(request: PolledRequest, answer: web.StreamResponse | PrebuiltResponse, request_id: str) -> None:
    """Add the headers that depend on the request, whatever it asked for."""
    answer.headers[X_REQUEST_ID] = request_id
    if is_setup_path(request.rel_url.raw_path):
        if isinstance(answer, web.StreamResponse):  # a prebuilt one is an error, and has them
            answer.headers.update(SETUP_HEADERS)
    elif origin := request.headers.get(ORIGIN):
        cors.allow(request, answer, origin)


def _is_client_gone(request: web.Request, error: Exception) -> bool:
    """Whether the client disconnected during its request, which is no bug."""
    transport = request.transport
    return isinstance(error, OSError) and (transport is None or transport.is_closing())


def _random_ids() -> Iterator[str]:
    """Ids of 128 random bits. The system is asked for many at once, which costs less than one each."""
    while True:
        digits = os.urandom(4096).hex()
        yield from (digits[start : start + 32] for start in range(0, len(digits), 32))


def _as_request_error(error: Exception) -> Exception:
    """aiohttp's own errors as request errors."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return WrongMethod(set(error.allowed_methods))
    if isinstance(error, web.HTTPNotFound):
        return RouteNotFound()
    return error
