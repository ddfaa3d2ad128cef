"""What a client may cost: for how long it may ask, how much of it is read ahead, and what it does not read.

See docs/decisions/0011. aiohttp's own names that are used here are those of its flow control: `_messages` and `_waiter`
tell whether it is at a request, `_buffer_paused` and its two methods stop reading in the way that it knows of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import StreamReader

from service.web.http.errors import HeadTooLarge, HeadTooSlow, RequestError
from service.web.server.connection_limit import ConnectionLimit
from service.web.server.deadlines import Deadlines
from service.web.server.dispatcher import Dispatcher
from service.web.server.write_backlog import WriteBacklog

READ_AHEAD = 1 << 16
"""Bytes of a body, or behind a request, that are buffered before a client is not read from any more; or twice this."""
HEAD_DEADLINE = 10.0
"""Seconds for a request's line and headers: from the connection on, and then from their first byte on."""
HEAD_LIMIT = 1 << 16
"""Bytes of a head that comes in pieces."""


class ConnectionBounds:
    """Those of a server, for all its connections."""

    def __init__(self, unsent: WriteBacklog, connections: ConnectionLimit) -> None:
        self.unsent = unsent
        self.connections = connections
        self.heads: Deadlines[BoundedConnection] = Deadlines(HEAD_DEADLINE, BoundedConnection.head_is_late)


class BoundedConnection(web.RequestHandler):
    """One client."""

    __slots__ = (
        "_ahead", "_body", "_bounds", "_dispatcher", "_half_closed", "_head", "_line", "_on_lost", "number", "place",
        "reading_head",
    )  # fmt: skip

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(server, **options)
        self._dispatcher, self._bounds = dispatcher, bounds
        self._line: asyncio.Transport | None = None  # until it is lost; aiohttp forgets its own before all is sent
        self._on_lost: Callable[[], None] | None = None
        self._body: StreamReader | None = None  # of the request that aiohttp's task is at
        self._half_closed = False
        self.reading_head = False
        self.place, self.number = "", -1  # as `ConnectionLimit` asks
        self._head = self._ahead = 0  # bytes, of an unfinished head, and behind the request that is being answered

    def tell_lost(self, on_lost: Callable[[], None] | None) -> None:
        """Call this once the client is gone or says nothing more, or now; aiohttp alone finds out when it writes."""
        self._on_lost = on_lost
        if on_lost is not None and (self.transport is None or self._half_closed):
            on_lost()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new client: it has to ask for something soon."""
        super().connection_made(transport)
        self._line = cast(asyncio.Transport, transport)
        self._line.set_write_buffer_limits(high=0)  # so that `pause_writing` tells of every byte that is held back
        self._expect_head()
        self.place = self._bounds.connections.place_of(str((self.peername or ("",))[0]))
        self._bounds.connections.begin(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._line = None
        self._bounds.connections.end(self)
        self._bounds.unsent.end(self)
        self._bounds.heads.end(self)
        if self._on_lost is not None:
            self._on_lost()

    def eof_received(self) -> bool:  # type: ignore[override] # aiohttp's closes the connection, whoever waits for an answer
        """Whether the client may still get its answer: it says nothing more, but it may have asked for something.

        Most that say so are gone. So nobody who waits for something to happen goes on to wait.
        """
        at_rest = (self._body is None and not self._messages) or (self._waiter and not self._waiter.done())
        if at_rest or not self._has_whole_body():
            return False
        self._half_closed = True
        if self._on_lost is not None:
            self._on_lost()
        return True

    def pause_writing(self) -> None:
        """The client does not take what is written."""
        super().pause_writing()
        self._bounds.unsent.begin(self)

    def resume_writing(self) -> None:
        """It has taken everything."""
        super().resume_writing()
        self._bounds.unsent.end(self)

    def unsent_bytes(self) -> int:
        """As `WriteBacklog` asks."""
        return self._line.get_write_buffer_size() if self._line is not None else 0

    def abort(self) -> None:
        """Drop the client, with all that it has not taken: it can see that its answer is not whole."""
        if self._line is not None:
            self._line.abort()

    def rests_since(self) -> float | None:
        """As `ConnectionLimit` asks; aiohttp knows when the last answer ended."""
        at_rest = self._waiter is not None and not self._waiter.done() and not self._paused
        return self._next_keepalive_close_time - self.keepalive_timeout if at_rest else None

    def begin(self, body: StreamReader) -> None:
        """aiohttp's task is at a request from now on."""
        self._body = body
        if self.reading_head:
            self.head_is_there()

    async def finish_response(self, request: Any, resp: Any, start_time: float | None) -> tuple[Any, bool]:
        """The end of a request of aiohttp's task: read on, or close where nothing more is to come."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._ahead = 0
            if self._has_whole_body():  # else aiohttp goes on to throw it away
                self._body = None
            if not self._messages:
                if self._half_closed:
                    self.close()
                elif self._buffer_paused:
                    self._resume_reading_if_drained()

    def head_is_late(self) -> None:
        """It did not end in time, or never began."""
        self.reading_head = False
        self._refuse(HeadTooSlow())

    def _expect_head(self) -> None:
        self.reading_head = True
        self._bounds.heads.begin(self)

    def head_is_there(self) -> None:
        """It may be answered for as long as that takes."""
        self.reading_head, self._head = False, 0
        self._bounds.heads.end(self)

    def bound_head(self, data: bytes) -> None:
        """A piece of a head came, and the rest did not; or an empty line, which some clients send behind a body."""
        if self.reading_head or data.strip():
            self._head += len(data)
            if not self.reading_head:
                self._expect_head()
            if self._head > HEAD_LIMIT:
                self.head_is_there()
                self._refuse(HeadTooLarge(), begun=True)

    def _refuse(self, fact: RequestError, *, begun: bool = False) -> None:
        """Close, with a word to whoever has begun to ask."""
        if self.transport is not None and (begun or self._head):
            self.transport.write(self._dispatcher.refused(fact))
        self.force_close()

    def bound_ahead(self, size: int) -> None:
        """Read no more behind a request that is being answered, once there is plenty; `finish_response` reads on."""
        if self._has_whole_body():
            self._ahead += size
            if self._ahead > READ_AHEAD and not self._buffer_paused:
                self._pause_reading_for_buffer()

    def _has_whole_body(self) -> bool:
        return self._body is None or self._body.is_eof()
