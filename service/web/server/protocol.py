"""The application behind aiohttp's server: the `Dispatcher` answers each request, and what is no HTTP.

aiohttp has a task for each connection and one more for each request, which cost more than the rest of a poll. So an
`HttpConnection` first asks a synchronous handler, in the call that brought the request (docs/decisions/0008). What a
client may cost before it has said who it is has bounds here (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from service.web.app_keys import SETTINGS
from service.web.server.connection_bounds import READ_AHEAD, BoundedConnection, ConnectionBounds
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.dispatcher import Dispatcher
from service.web.server.write_backlog import WRITE_BACKLOG

LINGER = 2.0
"""Seconds in which an unwanted body is read and thrown away, so that its sender comes to read the answer."""
OPTIONS = {"access_log": None, "auto_decompress": False, "read_bufsize": READ_AHEAD, "lingering_time": LINGER}


class HttpRunner(web.AppRunner):
    """Starts and ends an application. The options are those of aiohttp's `RequestHandler`.

    There is no access log: it costs more than an answer. Nothing is inflated, whoever sends it.
    """

    async def _make_server(self) -> web.Server:
        await super()._make_server()  # starts the application; the server that it makes is not used
        return HttpServer(self.app, **{**self._kwargs, **OPTIONS})


class HttpServer(web.Server):
    """Makes a `HttpConnection` for each client."""

    def __init__(self, app: web.Application, *, handler_cancellation: bool = False, **options: Any) -> None:
        self._dispatcher, self._options = Dispatcher(app), options
        self._loop, self._body_limit = asyncio.get_running_loop(), app[SETTINGS].body_limit
        self._bounds = ConnectionBounds(app[WRITE_BACKLOG], app[CONNECTION_LIMIT])
        super().__init__(self._dispatcher.answer, request_factory=self.begun, handler_cancellation=handler_cancellation)  # type: ignore[arg-type]

    def begun(self, message: Any, payload: Any, protocol: HttpConnection, writer: Any, task: Any) -> web.Request:
        """A request that aiohttp's task begins to answer now."""
        protocol.begin(payload)
        return self.request(message, payload, protocol, writer, task)

    def request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.Request:
        """What arrived, as aiohttp shows it to handlers."""
        return web.Request(message, payload, protocol, writer, task, self._loop, client_max_size=self._body_limit)

    def __call__(self) -> web.RequestHandler:
        return HttpConnection(self._dispatcher, self, self._bounds, loop=self._loop, **self._options)


class HttpConnection(BoundedConnection):
    """One client."""

    __slots__ = ("_server",)

    def __init__(self, dispatcher: Dispatcher, server: HttpServer, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(dispatcher, server, bounds, **options)
        self._server = server

    def data_received(self, data: bytes) -> None:
        """Answer at once what can be; all else, and whatever comes while it is under way, waits for aiohttp's task."""
        waiter = self._waiter
        if waiter is None or waiter.done():  # a request is being answered, or the connection is being closed
            super().data_received(data)
            self.bound_ahead(len(data))
            return
        self._waiter = None  # so that parsing wakes nobody
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if not self._messages:
            self.bound_head(data)
            return
        if self.reading_head:
            self.head_is_there()
        if not self._answered_sync():
            waiter.set_result(None)

    def _answered_sync(self) -> bool:
        """Whether there was one request, the usual kind of poll, and nothing to wait for; then it is answered."""
        transport, parser, (message, payload) = self.transport, self._parser, self._messages[0]
        if (
            transport is None
            or parser is None
            or len(self._messages) > 1
            or not isinstance(message, RawRequestMessage)
            or payload is not EMPTY_PAYLOAD
            or message.should_close
            or message.upgrade
            or message.version != HttpVersion11
            or self._paused  # the client does not read what it asks for
        ):
            return False
        request = self._server.request(message, payload, self, None, None)
        answer = self._dispatcher.answer_sync(request)
        if answer is None:
            return False
        self._messages.popleft()
        parser.message_consumed()
        self._server.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        transport.write(answer.sent(request))
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp would answer with the malformed line, and log it: there may be a token in it.

        Where an answer has begun there is no second one: the client has to see that the first is not whole.
        """
        if request.writer.output_size > 0:
            self.abort()
            raise ConnectionResetError("an answer broke off")
        return self._dispatcher.malformed(exc) if status == 400 else self._dispatcher.failed(exc)


def connection_of(request: web.Request) -> HttpConnection:
    """The client who asks."""
    connection = request.protocol
    assert isinstance(connection, HttpConnection)
    return connection
