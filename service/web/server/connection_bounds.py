"""Bounds the cost of a client: the time for a request's head, the bytes read ahead, and the bytes it does not read.

See docs/decisions/0011.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import StreamReader

from service.web.http.errors import HeadTooLarge, HeadTooSlow, RequestError
from service.web.server import idle_timer
from service.web.server.connection_limit import ConnectionLimit
from service.web.server.deadlines import Deadlines
from service.web.server.dispatcher import Dispatcher
from service.web.server.write_backlog import WriteBacklog

READ_AHEAD = 1 << 16
"""Bytes of a body, or behind a request, that are buffered before reading pauses; up to twice this."""
HEAD_DEADLINE = 10.0
"""Seconds for a request's line and headers: from the connection, later from their first byte."""
HEAD_LIMIT = 1 << 16
"""Maximum bytes of a head that arrives in pieces."""
NEVER = 1e8
"""Seconds for aiohttp's own timer of idle connections: it does not know of requests that are answered without it."""


class ConnectionBounds:
    """The bounds of a server, for all its connections."""

    def __init__(self, unsent: WriteBacklog, connections: ConnectionLimit, keepalive: float) -> None:
        self.unsent = unsent
        self.connections = connections
        self.keepalive = keepalive
        self.now = asyncio.get_running_loop().time
        self.heads: Deadlines[BoundedConnection] = Deadlines(HEAD_DEADLINE, BoundedConnection.on_head_late)


class BoundedConnection(web.RequestHandler):
    """The bounds of a connection. `Connection` adds what is answered without aiohttp."""

    __slots__ = (
        "_answering",
        "_body",
        "_bounds",
        "_dispatcher",
        "_half_closed",
        "_head",
        "_last_activity",
        "_line",
        "_now",
        "_on_lost",
        "idle_timer",
        "number",
        "place",
        "reading_head",
        "unread",
    )  # fmt: skip

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(server, keepalive_timeout=NEVER, **options)
        self._dispatcher, self._bounds = dispatcher, bounds
        self._line: asyncio.Transport | None = None  # until it is lost; aiohttp drops its own earlier
        self._on_lost: Callable[[], None] | None = None
        self._body: StreamReader | None = None  # of the request in aiohttp's task
        self._answering = self._half_closed = self.reading_head = False
        self.unread = False
        """Whether the client has not read all that was written."""
        self._now, self._last_activity = bounds.now, 0.0
        self.idle_timer: asyncio.TimerHandle | None = None
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
        super().keep_alive(True)  # ends aiohttp's timer
        self._line = cast(asyncio.Transport, transport)
        self._line.set_write_buffer_limits(high=0)  # so that every unsent byte causes `pause_writing`
        self.note_activity()
        idle_timer.close_when_idle(self, self._bounds.keepalive)
        self.expect_head()
        self.place = self._bounds.connections.place_of(str((self.peername or ("",))[0]))
        self._bounds.connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._line = None
        idle_timer.stop(self)
        self._bounds.connections.remove(self)
        self._bounds.unsent.remove(self)
        self._bounds.heads.cancel(self)
        if self._on_lost is not None:
            self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Bytes for aiohttp. Its task begins a request in the next turn of the loop, if its head is whole."""
        of_head = not self._answering and self.has_whole_body()
        super().data_received(data)
        if not of_head:
            return
        if self.count_head(data):
            self.expect_head()
        if self._head > HEAD_LIMIT:
            asyncio.get_running_loop().call_soon(self._refuse_large_head)

    def _refuse_large_head(self) -> None:
        """Refuse a head that exceeds HEAD_LIMIT, unless aiohttp has begun its request meanwhile."""
        if self._head > HEAD_LIMIT:
            self.on_head_complete()
            self.refuse(HeadTooLarge(), begun=True)

    def on_half_closed(self) -> None:
        """The client will send no more, and most such clients are gone. So long polls and streams end now."""
        self._half_closed = True
        if self._on_lost is not None:
            self._on_lost()

    def pause_writing(self) -> None:
        """The client does not read what is written."""
        super().pause_writing()
        self.unread = True
        self._bounds.unsent.add(self)

    def resume_writing(self) -> None:
        """The client has read everything."""
        super().resume_writing()
        self.unread = False
        self._bounds.unsent.remove(self)

    def unsent_bytes(self) -> int:
        """For `WriteBacklog`."""
        return self._line.get_write_buffer_size() if self._line is not None else 0

    def abort(self) -> None:
        """Drop the connection with its unsent bytes. The client sees that its response is incomplete."""
        if self._line is not None:
            self._line.abort()

    def note_activity(self) -> None:
        """A request was answered."""
        self._last_activity = self._bounds.now()

    def idle_for(self) -> float:
        """Seconds since the last answer."""
        return self._bounds.now() - self._last_activity

    def is_answering(self) -> bool:
        """Whether aiohttp's task answers a request that it has read."""
        return self._answering and self.has_whole_body()

    def idle_since(self) -> float | None:
        """For `ConnectionLimit`, and for closing idle connections."""
        busy = self._answering or self.unread or not self.has_whole_body()
        return None if busy else self._last_activity

    def keep_alive(self, val: bool) -> None:
        """Whether to expect a request after this one. If not, nothing has to be timed."""
        super().keep_alive(val)
        if not val:
            idle_timer.stop(self)

    def on_request_begun(self, body: StreamReader) -> None:
        """aiohttp's task begins a request."""
        self._answering, self._body = True, body
        if self.reading_head:
            self.on_head_complete()

    async def finish_response(self, request: Any, resp: Any, start_time: float | None) -> tuple[Any, bool]:
        """aiohttp's task ends a request."""
        goes_on = False
        try:
            answer, gone = await super().finish_response(request, resp, start_time)
            goes_on = not gone and bool(answer.keep_alive)
            return answer, gone
        finally:
            if self.has_whole_body():  # else aiohttp goes on to discard it
                self._body = None
            self._answering = False
            self.note_activity()
            if goes_on:
                self.on_request_ended()

    def on_request_ended(self) -> None:
        """aiohttp's task has answered a request, and goes on to the next one."""

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
