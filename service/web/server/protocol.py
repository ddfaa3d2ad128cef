"""A connection that answers most polls without a task.

aiohttp's server has a task for each connection and one more for each request, which cost more than the rest of a poll.
So a `FastPathConnection` first asks a synchronous handler, in the call that brought the request (docs/decisions/0008).
It uses private names of aiohttp: `aiohttp_internals` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from service.web.http.errors import HeadTooLarge
from service.web.server.connection_bounds import READ_AHEAD, BoundedConnection, ConnectionBounds
from service.web.server.dispatcher import Dispatcher
from service.web.server.request import Request

HEAD_LIMIT = 1 << 16
"""Bytes of a head that comes in pieces."""


class RequestFactory(Protocol):
    """The server, as a connection sees it."""

    requests_count: int
    clock: Callable[[], float]

    def request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Request:
        """What arrived, as handlers get it."""


class FastPathConnection(BoundedConnection):
    """One client. A poll is answered in the call that brought it, any other request by aiohttp's task."""

    __slots__ = ("_ahead", "_requests")

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(dispatcher, server, bounds, **options)
        self._requests = cast(RequestFactory, server)
        self._ahead = 0  # bytes behind the request that is being answered

    def data_received(self, data: bytes) -> None:
        """Answer at once what can be; all else, and whatever comes while it is under way, waits for aiohttp's task."""
        waiter = self._waiter
        if waiter is None or waiter.done():  # a request is being answered, or the connection is being closed
            web.RequestHandler.data_received(self, data)
            self._bound_ahead(len(data))
            return
        self._waiter = None  # so that parsing wakes nobody
        try:
            web.RequestHandler.data_received(self, data)
        finally:
            self._waiter = waiter
        if not self._messages:
            self._bound_head(data)
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
            or self.writing_paused  # the client does not read what it asks for
        ):
            return False
        request = self._requests.request(message, payload, self, None, None)
        answer = self._dispatcher.answer_sync(request)
        if answer is None:
            return False
        self._messages.popleft()
        parser.message_consumed()
        self._requests.requests_count += 1
        self._next_keepalive_close_time = self._requests.clock() + self.keepalive_timeout
        transport.write(answer.sent(request))
        return True

    def is_at_rest(self) -> bool:
        """Whether the client has asked for nothing that is not answered."""
        return (self._body is None and not self._messages) or self._is_idle()

    def rests_since(self) -> float | None:
        """As `ConnectionLimit` asks; aiohttp knows when the last answer ended."""
        at_rest = self._is_idle() and not self.writing_paused
        return self._next_keepalive_close_time - self.keepalive_timeout if at_rest else None

    def _is_idle(self) -> bool:
        """Whether aiohttp's task waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def answered(self) -> None:
        """Read on, or close where nothing more is to come."""
        self._ahead = 0
        if not self._messages:
            if self._half_closed:
                self.close()
            elif self._buffer_paused:
                self._resume_reading_if_drained()

    def close_half_closed(self) -> None:
        """`answered` does, as it knows what waits."""

    def _bound_head(self, data: bytes) -> None:
        """A piece of a head came, and the rest did not."""
        if self.count_head(data):
            self.expect_head()
        if self._head > HEAD_LIMIT:
            self.head_is_there()
            self.refuse(HeadTooLarge(), begun=True)

    def _bound_ahead(self, size: int) -> None:
        """Read no more behind a request that is being answered, once there is plenty; `answered` reads on."""
        if self.has_whole_body():
            self._ahead += size
            if self._ahead > READ_AHEAD and not self._buffer_paused:
                self._pause_reading_for_buffer()
