"""Bounds the cost of a client: the time for a request's head, the bytes read ahead, and the bytes it does not read.

See docs/decisions/0011. Only public names of aiohttp are used here; `FastPathConnection` adds what needs others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import StreamReader

from service.web.http.errors import HeadTooSlow, RequestError
from service.web.server.connection_limit import ConnectionLimit
from service.web.server.deadlines import Deadlines
from service.web.server.dispatcher import Dispatcher
from service.web.server.write_backlog import WriteBacklog

READ_AHEAD = 1 << 16
"""Bytes of a body, or behind a request, that are buffered before reading pauses; up to twice this."""
HEAD_DEADLINE = 10.0
"""Seconds for a request's line and headers: from the connection, later from their first byte."""
HALF_CLOSED_GRACE = 0.1
"""Seconds within which aiohttp begins the next request of a half-closed connection, if there is one."""


class ConnectionBounds:
    """The bounds of a server, for all its connections."""

    def __init__(self, unsent: WriteBacklog, connections: ConnectionLimit) -> None:
        self.unsent = unsent
        self.connections = connections
        self.heads: Deadlines[BoundedConnection] = Deadlines(HEAD_DEADLINE, BoundedConnection.on_head_late)


class BoundedConnection(web.RequestHandler):
    """A client's connection, whose requests aiohttp's task answers."""

    __slots__ = (
        "_answering",
        "_body",
        "_bounds",
        "_dispatcher",
        "_half_closed",
        "_head",
        "_last_activity",
        "_line",
        "_on_lost",
        "number",
        "place",
        "reading_head",
    )  # fmt: skip

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(server, **options)
        self._dispatcher, self._bounds = dispatcher, bounds
        self._line: asyncio.Transport | None = None  # until it is lost; aiohttp drops its own earlier
        self._on_lost: Callable[[], None] | None = None
        self._body: StreamReader | None = None  # of the request in aiohttp's task
        self._answering = self._half_closed = self.reading_head = False
        self._last_activity = 0.0
        self.place, self.number = "", -1  # for `ConnectionLimit`
        self._head = 0  # bytes of an unfinished head

    def notify_lost(self, on_lost: Callable[[], None] | None) -> None:
        """Call `on_lost` when the client is gone or half-closes, or now if it has. aiohttp notices when it writes."""
        self._on_lost = on_lost
        if on_lost is not None and (self.transport is None or self._half_closed):
            on_lost()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new client: the deadline of its first request starts."""
        super().connection_made(transport)
        self._line = cast(asyncio.Transport, transport)
        self._line.set_write_buffer_limits(high=0)  # so that every unsent byte causes `pause_writing`
        self._last_activity = _now()
        self.expect_head()
        self.place = self._bounds.connections.place_of(str((self.peername or ("",))[0]))
        self._bounds.connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._line = None
        self._bounds.connections.remove(self)
        self._bounds.unsent.remove(self)
        self._bounds.heads.cancel(self)
        if self._on_lost is not None:
            self._on_lost()

    def data_received(self, data: bytes) -> None:
        """A request, a part of one, or several. aiohttp's task begins each when it is complete."""
        of_head = not self._answering and self.has_whole_body()
        super().data_received(data)
        self._last_activity = _now()
        if of_head and self.count_head(data):
            self.expect_head()

    def eof_received(self) -> bool:  # type: ignore[override] # aiohttp's closes the connection, also with a response pending
        """The client half-closed the connection. Returns whether to keep it open for a pending response.

        Most such clients are gone. So long polls and streams end now.
        """
        if self.is_idle() or not self.has_whole_body():
            return False
        self._half_closed = True
        if self._on_lost is not None:
            self._on_lost()
        self.close_half_closed()
        return True

    def pause_writing(self) -> None:
        """The client does not read what is written."""
        super().pause_writing()
        self._bounds.unsent.add(self)

    def resume_writing(self) -> None:
        """The client has read everything."""
        super().resume_writing()
        self._bounds.unsent.remove(self)

    def unsent_bytes(self) -> int:
        """For `WriteBacklog`."""
        return self._line.get_write_buffer_size() if self._line is not None else 0

    def abort(self) -> None:
        """Drop the connection with its unsent bytes. The client sees that its response is incomplete."""
        if self._line is not None:
            self._line.abort()

    def idle_since(self) -> float | None:
        """For `ConnectionLimit`."""
        busy = self._answering or self.writing_paused or not self.has_whole_body()
        return None if busy else self._last_activity

    def is_idle(self) -> bool:
        """Whether no request is pending. False if that is unknown."""
        return False

    def on_request_begun(self, body: StreamReader) -> None:
        """aiohttp's task begins a request."""
        self._answering, self._body = True, body
        if self.reading_head:
            self.on_head_complete()

    async def finish_response(self, request: Any, resp: Any, start_time: float | None) -> tuple[Any, bool]:
        """aiohttp's task ends a request."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self.has_whole_body():  # else aiohttp goes on to discard it
                self._body = None
            self._answering, self._last_activity = False, _now()
            self.on_request_ended()

    def on_request_ended(self) -> None:
        """Continue reading, or close if nothing more can arrive."""
        if self._half_closed:
            self.close_half_closed()

    def close_half_closed(self) -> None:
        """Close after the last response. aiohttp begins a further request, if there is one, within the grace."""
        asyncio.get_running_loop().call_later(HALF_CLOSED_GRACE, self._close_unless_answering)

    def _close_unless_answering(self) -> None:
        if not self._answering:
            self.force_close()

    def on_head_late(self) -> None:
        """The head did not arrive within its deadline."""
        self.reading_head = False
        self.refuse(HeadTooSlow())

    def count_head(self, data: bytes) -> bool:
        """Count bytes of a head. Returns whether they are the first of one; empty lines behind a body are not."""
        if not self.reading_head and not data.strip():
            return False
        self._head += len(data)
        return not self.reading_head

    def expect_head(self) -> None:
        self.reading_head = True
        self._bounds.heads.start(self)

    def on_head_complete(self) -> None:
        """The head is complete: its deadline ends."""
        self.reading_head, self._head = False, 0
        self._bounds.heads.cancel(self)

    def refuse(self, error: RequestError, *, begun: bool = False) -> None:
        """Close the connection, with an error response if a request has begun."""
        if self.transport is not None and (begun or self._head):
            self.transport.write(self._dispatcher.refuse_partial_request(error))
        self.force_close()

    def has_whole_body(self) -> bool:
        """Whether the body of the pending request, if any, has arrived completely."""
        return self._body is None or self._body.is_eof()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to malformed input and bugs. aiohttp would send and log the malformed line, which may hold a token.

        A begun response gets no second one: the client has to see that the first is incomplete.
        """
        if request.writer.output_size > 0:
            self.abort()
            raise ConnectionResetError("an answer broke off")
        return self._dispatcher.respond_to_malformed(exc) if status == 400 else self._dispatcher.respond_to_bug(exc)


def connection_of(request: web.Request) -> BoundedConnection:
    """The connection of a request."""
    connection = request.protocol
    assert isinstance(connection, BoundedConnection)
    return connection


def _now() -> float:
    return asyncio.get_running_loop().time()
