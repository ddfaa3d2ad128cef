"""What a client may cost: for how long it may ask, how much of it is read ahead, and what it does not read.

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
"""Bytes of a body, or behind a request, that are buffered before a client is not read from any more; or twice this."""
HEAD_DEADLINE = 10.0
"""Seconds for a request's line and headers: from the connection on, and then from their first byte on."""
HALF_CLOSED_GRACE = 0.1
"""Seconds in which aiohttp begins the next request of a client that sends nothing more, if there is one."""


class ConnectionBounds:
    """Those of a server, for all its connections."""

    def __init__(self, unsent: WriteBacklog, connections: ConnectionLimit) -> None:
        self.unsent = unsent
        self.connections = connections
        self.heads: Deadlines[BoundedConnection] = Deadlines(HEAD_DEADLINE, BoundedConnection.head_is_late)


class BoundedConnection(web.RequestHandler):
    """One client, whose requests aiohttp's task answers."""

    __slots__ = (
        "_answering", "_body", "_bounds", "_dispatcher", "_half_closed", "_head", "_line", "_on_lost", "_quiet_since",
        "number", "place", "reading_head",
    )  # fmt: skip

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(server, **options)
        self._dispatcher, self._bounds = dispatcher, bounds
        self._line: asyncio.Transport | None = None  # until it is lost; aiohttp forgets its own before all is sent
        self._on_lost: Callable[[], None] | None = None
        self._body: StreamReader | None = None  # of the request that aiohttp's task is at
        self._answering = self._half_closed = self.reading_head = False
        self._quiet_since = 0.0
        self.place, self.number = "", -1  # as `ConnectionLimit` asks
        self._head = 0  # bytes of an unfinished head

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
        self._quiet_since = _now()
        self.expect_head()
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

    def data_received(self, data: bytes) -> None:
        """A request, a part of one, or several: aiohttp's task begins each when it is whole."""
        of_head = not self._answering and self.has_whole_body()
        super().data_received(data)
        self._quiet_since = _now()
        if of_head and self.count_head(data):
            self.expect_head()

    def eof_received(self) -> bool:  # type: ignore[override] # aiohttp's closes the connection, whoever waits for an answer
        """Whether the client may still get its answer: it says nothing more, but it may have asked for something.

        Most that say so are gone. So nobody who waits for something to happen goes on to wait.
        """
        if self.is_at_rest() or not self.has_whole_body():
            return False
        self._half_closed = True
        if self._on_lost is not None:
            self._on_lost()
        self.close_half_closed()
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
        """As `ConnectionLimit` asks."""
        busy = self._answering or self.writing_paused or not self.has_whole_body()
        return None if busy else self._quiet_since

    def is_at_rest(self) -> bool:
        """Whether the client has asked for nothing that is not answered. False where that is not known."""
        return False

    def begin(self, body: StreamReader) -> None:
        """aiohttp's task is at a request from now on."""
        self._answering, self._body = True, body
        if self.reading_head:
            self.head_is_there()

    async def finish_response(self, request: Any, resp: Any, start_time: float | None) -> tuple[Any, bool]:
        """The end of a request of aiohttp's task."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self.has_whole_body():  # else aiohttp goes on to throw it away
                self._body = None
            self._answering, self._quiet_since = False, _now()
            self.answered()

    def answered(self) -> None:
        """Read on, or close where nothing more is to come."""
        if self._half_closed:
            self.close_half_closed()

    def close_half_closed(self) -> None:
        """Close behind the last answer. Whether one more request waits shows when aiohttp begins it."""
        asyncio.get_running_loop().call_later(HALF_CLOSED_GRACE, self._close_unless_answering)

    def _close_unless_answering(self) -> None:
        if not self._answering:
            self.force_close()

    def head_is_late(self) -> None:
        """It did not end in time, or never began."""
        self.reading_head = False
        self.refuse(HeadTooSlow())

    def count_head(self, data: bytes) -> bool:
        """Count what may be a piece of a head, or an empty line, which some clients send behind a body.

        Whether it is the first piece of one.
        """
        if not self.reading_head and not data.strip():
            return False
        self._head += len(data)
        return not self.reading_head

    def expect_head(self) -> None:
        self.reading_head = True
        self._bounds.heads.begin(self)

    def head_is_there(self) -> None:
        """It may be answered for as long as that takes."""
        self.reading_head, self._head = False, 0
        self._bounds.heads.end(self)

    def refuse(self, fact: RequestError, *, begun: bool = False) -> None:
        """Close, with a word to whoever has begun to ask."""
        if self.transport is not None and (begun or self._head):
            self.transport.write(self._dispatcher.refused(fact))
        self.force_close()

    def has_whole_body(self) -> bool:
        """Whether the request that is being answered, if any, has come with all of its body."""
        return self._body is None or self._body.is_eof()

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


def connection_of(request: web.Request) -> BoundedConnection:
    """The client who asks."""
    connection = request.protocol
    assert isinstance(connection, BoundedConnection)
    return connection


def _now() -> float:
    return asyncio.get_running_loop().time()
