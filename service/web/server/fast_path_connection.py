"""A connection that answers most polls without a task.

aiohttp's server runs a task per connection and one per request, which cost more than the rest of a poll. So a
`FastPathConnection` first tries a synchronous handler, in the call that delivered the request (docs/decisions/0008).
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
"""Maximum bytes of a head that arrives in pieces."""


class RequestFactory(Protocol):
    """The server, as a connection sees it."""

    requests_count: int
    clock: Callable[[], float]

    def request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Request:
        """The request for the handler."""


class FastPathConnection(BoundedConnection):
    """A client's connection. A poll is answered in the call that delivered it, any other request by aiohttp's task."""

    __slots__ = ("_ahead", "_requests")

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(dispatcher, server, bounds, **options)
        self._requests = cast(RequestFactory, server)
        self._ahead = 0  # bytes behind the pending request

    def data_received(self, data: bytes) -> None:
        """Try the synchronous handler; everything else, and what arrives meanwhile, goes to aiohttp's task."""
        waiter = self._waiter
        if waiter is None or waiter.done():  # a request is being answered, or the connection is being closed
            web.RequestHandler.data_received(self, data)
            self._limit_read_ahead(len(data))
            return
        self._waiter = None  # so that parsing does not wake the task
        try:
            web.RequestHandler.data_received(self, data)
        finally:
            self._waiter = waiter
        if not self._messages:
            self._check_head_size(data)
            return
        if self.reading_head:
            self.on_head_complete()
        if not self._try_sync():
            waiter.set_result(None)

    def _try_sync(self) -> bool:
        """Answer a single request of the usual kind if nothing has to be waited for. Returns whether it did."""
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
            or self.writing_paused  # the client does not read its responses
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
        transport.write(answer.render(request))
        return True

    def is_idle(self) -> bool:
        """Whether no request is pending."""
        return (self._body is None and not self._messages) or self._is_task_idle()

    def idle_since(self) -> float | None:
        """For `ConnectionLimit`; aiohttp notes when the last response ended."""
        idle = self._is_task_idle() and not self.writing_paused
        return self._next_keepalive_close_time - self.keepalive_timeout if idle else None

    def _is_task_idle(self) -> bool:
        """Whether aiohttp's task waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def on_request_ended(self) -> None:
        """Continue reading, or close if nothing more can arrive."""
        self._ahead = 0
        if not self._messages:
            if self._half_closed:
                self.close()
            elif self._buffer_paused:
                self._resume_reading_if_drained()

    def close_half_closed(self) -> None:
        """Does nothing: `on_request_ended` closes, as it knows what is pending."""

    def _check_head_size(self, data: bytes) -> None:
        """Refuse a head in pieces that exceeds HEAD_LIMIT."""
        if self.count_head(data):
            self.expect_head()
        if self._head > HEAD_LIMIT:
            self.on_head_complete()
            self.refuse(HeadTooLarge(), begun=True)

    def _limit_read_ahead(self, size: int) -> None:
        """Pause reading behind a pending request beyond READ_AHEAD; `on_request_ended` continues."""
        if self.has_whole_body():
            self._ahead += size
            if self._ahead > READ_AHEAD and not self._buffer_paused:
                self._pause_reading_for_buffer()
